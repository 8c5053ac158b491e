/** The report's charts as inline SVG; colours come from the classes of the report's style. */
import { type Axis, axis, scale } from "./axis.ts";
import { type Content, type Html, html } from "./html.ts";
import { type Box, placeLabels, textWidth } from "./label.ts";

const WIDTH = 440;
const HEIGHT = 300;
const PLOT: Box = { x: 50, y: 32, width: WIDTH - 64, height: HEIGHT - 78 };
const RIGHT = PLOT.x + PLOT.width;
const BOTTOM = PLOT.y + PLOT.height;

const px = (value: number): string => String(Math.round(value * 10) / 10);

interface Frame {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly axes: Content;
}

const frame = (x: Axis, y: Axis): Frame => {
  const toX = scale(x, PLOT.x, RIGHT);
  const toY = scale(y, BOTTOM, PLOT.y);
  const rows = y.ticks.map((tick) => {
    const at = px(toY(tick));
    return html`<line class="grid" x1="${PLOT.x}" x2="${RIGHT}" y1="${at}" y2="${at}"/>
<text x="${PLOT.x - 7}" y="${at}" dy="4" text-anchor="end">${y.format(tick)}</text>`;
  });
  const columns = x.ticks.map((tick) => {
    const at = px(toX(tick));
    return html`<line class="tick" x1="${at}" x2="${at}" y1="${BOTTOM}" y2="${BOTTOM + 5}"/>
<text x="${at}" y="${BOTTOM + 19}" text-anchor="middle">${x.format(tick)}</text>`;
  });
  const axes = html`${rows}${columns}
<line class="axis" x1="${PLOT.x}" x2="${RIGHT}" y1="${BOTTOM}" y2="${BOTTOM}"/>
<text class="name" x="4" y="14">${y.label}</text>
<text class="name" x="${RIGHT}" y="${HEIGHT - 6}" text-anchor="end">${x.label}</text>`;
  return { x: toX, y: toY, axes };
};

const svg = (label: string, content: Content): Html =>
  html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
${content}</svg>`;

const line = (kind: string, points: readonly (readonly [number, number])[], { x, y }: Frame): Html =>
  html`<polyline class="${kind}" points="${points.map(([a, b]) => `${px(x(a))},${px(y(b))}`).join(" ")}"/>`;

export interface ScatterPoint {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  /** Not dominated in any of what is compared. */
  readonly onFront: boolean;
  readonly chosen: boolean;
}

export interface Scatter {
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: readonly ScatterPoint[];
  /** The points to connect, those that nothing in this picture dominates. */
  readonly front: readonly ScatterPoint[];
  /** Largest x and y allowed. */
  readonly limitX?: number;
  readonly limitY?: number;
}

/** The highest y to draw in scale: single points far above all others would press those into a line. */
const ceiling = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  while (sorted.length > 3) {
    const [first, next, last] = [sorted[0]!, sorted.at(-2)!, sorted.at(-1)!];
    if (last - next <= 2 * (next - first)) break;
    sorted.pop();
  }
  return sorted.at(-1) ?? 1;
};

interface Mark {
  readonly shape: Content;
  /** The limit's name. */
  readonly box?: Box;
  readonly line?: Box;
}

const NO_MARK: Mark = { shape: "" };

/** What lies beyond the largest x allowed, shaded, with the limit's name at the foot of its line. */
const limitColumn = (limit: number | undefined, x: Axis, { x: toX }: Frame): Mark => {
  if (limit === undefined || limit > x.max || limit < x.min) return NO_MARK;
  const at = toX(limit);
  const text = `limit ${limit}`;
  const width = textWidth(text);
  const left = at + width + 6 <= RIGHT ? at + 5 : at - width - 5;
  const shape = html`<rect class="beyond" x="${px(at)}" y="${PLOT.y}"
 width="${px(RIGHT - at)}" height="${PLOT.height}"/>
<line class="limit" x1="${px(at)}" x2="${px(at)}" y1="${PLOT.y}" y2="${BOTTOM}"/>
<text class="limit-name" x="${px(left < at ? at - 5 : left)}" y="${BOTTOM - 7}"
 text-anchor="${left < at ? "end" : "start"}">${text}</text>`;
  return {
    shape,
    box: { x: left, y: BOTTOM - 20, width, height: 17 },
    line: { x: at - 2, y: PLOT.y, width: 4, height: PLOT.height },
  };
};

/** What lies above the largest y allowed, shaded, with the limit's name at the right end of its line. */
const limitRow = (limit: number | undefined, y: Axis, { y: toY }: Frame): Mark => {
  if (limit === undefined || limit > y.max || limit < y.min) return NO_MARK;
  const at = toY(limit);
  const text = `limit ${y.format(limit)}`;
  const width = textWidth(text);
  const shape = html`<rect class="beyond" x="${PLOT.x}" y="${PLOT.y}"
 width="${PLOT.width}" height="${px(at - PLOT.y)}"/>
<line class="limit" x1="${PLOT.x}" x2="${RIGHT}" y1="${px(at)}" y2="${px(at)}"/>
<text class="limit-name" x="${RIGHT - 4}" y="${px(at - 6)}" text-anchor="end">${text}</text>`;
  return {
    shape,
    box: { x: RIGHT - width - 4, y: at - 19, width: width + 4, height: 19 },
    line: { x: PLOT.x, y: at - 1, width: PLOT.width, height: 2 },
  };
};

/** Where a limit is little beyond the values it belongs in the picture. */
const withLimit = (values: readonly number[], limit: number | undefined, span: number): number[] =>
  limit !== undefined && limit <= Math.max(...values) + span ? [...values, limit] : [...values];

const drawPoint = (point: ScatterPoint, x: number, y: number, above: boolean): Html => {
  const kind = point.chosen ? "point chosen" : point.onFront ? "point" : "point dim";
  const shape = above
    ? html`<path class="${kind}" d="M${px(x)} ${px(y - 5)}l5 9h-10z"/>`
    : html`<circle class="${kind}" cx="${px(x)}" cy="${px(y)}" r="4.5"/>`;
  return html`<g><title>${point.name}: ${point.x}, ${point.y}</title>${shape}
${point.chosen && html`<circle class="ring" cx="${px(x)}" cy="${px(y)}" r="9"/>`}</g>`;
};

const drawLabels = (spots: readonly Spot[], taken: readonly Box[], lines: readonly Box[]): Html[] => {
  const order = spots.toSorted(
    (a, b) => +b.point.chosen - +a.point.chosen || +b.point.onFront - +a.point.onFront,
  );
  const anchors = order.map(({ x, y, text, point }) => ({
    x,
    y,
    text,
    radius: point.chosen ? 4 : 0,
    bold: point.chosen,
  }));
  const boxes = placeLabels(anchors, { area: PLOT, taken, lines });
  return order.map((spot, i) => {
    const box = boxes[i];
    if (box === undefined) return html``;
    const { point } = spot;
    const kind = point.chosen ? "label strong" : point.onFront ? "label" : "label dim";
    const nearest = Math.min(Math.max(spot.x, box.x), box.x + box.width);
    const edge = box.y + box.height / 2 > spot.y ? box.y + 2 : box.y + box.height - 2;
    const lead =
      box.far &&
      html`<line class="lead" x1="${px(spot.x)}" y1="${px(spot.y)}" x2="${px(nearest)}" y2="${px(edge)}"/>`;
    const [x, anchor] =
      box.side > 0
        ? [box.x, "start"]
        : box.side < 0
          ? [box.x + box.width, "end"]
          : [box.x + box.width / 2, "middle"];
    return html`${lead}
<text class="${kind}" x="${px(x)}" y="${px(box.y + 11.5)}" text-anchor="${anchor}">${spot.text}</text>`;
  });
};

interface Spot {
  readonly point: ScatterPoint;
  readonly x: number;
  readonly y: number;
  readonly text: string;
  /** Drawn at the upper edge because its y is far above the picture. */
  readonly above: boolean;
}

const spotsOf = (points: readonly ScatterPoint[], y: Axis, to: Frame): Spot[] =>
  points.map((point) => {
    const above = point.y > y.max;
    const text = above ? `${point.name} (${y.format(point.y)})` : point.name;
    return { point, x: to.x(point.x), y: above ? PLOT.y + 8 : to.y(point.y), text, above };
  });

/** Small boxes along the way through `points`. */
const along = (points: readonly (readonly [x: number, y: number])[]): Box[] =>
  points.slice(1).flatMap(([x1, y1], i) => {
    const [x0, y0] = points[i]!;
    const parts = Math.ceil(Math.hypot(x1 - x0, y1 - y0) / 5);
    return Array.from({ length: parts }, (_, k) => {
      const [x, y] = [x0 + ((x1 - x0) * k) / parts, y0 + ((y1 - y0) * k) / parts];
      return { x: x - 1, y: y - 1, width: 2, height: 2 };
    });
  });

/** Points with names, the front connected, limits dashed; what is far above stands at the upper edge. */
export const scatterChart = (chart: Scatter): Html => {
  const points = chart.points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y));
  const top = ceiling(points.map((p) => p.y));
  const ys = points.map((p) => p.y).filter((v) => v <= top);
  const xs = points.map((p) => p.x);
  const x = axis(chart.xLabel, withLimit(xs, chart.limitX, Math.max(...xs)), 0);
  const y = axis(chart.yLabel, withLimit(ys, chart.limitY, 2 * (top - Math.min(...ys))));
  const to = frame(x, y);
  const spots = spotsOf(points, y, to);
  const marks = [limitColumn(chart.limitX, x, to), limitRow(chart.limitY, y, to)];
  const taken = marks.flatMap(({ box }) => (box === undefined ? [] : [box]));
  const front = chart.front
    .filter((p) => p.y <= y.max)
    .toSorted((a, b) => a.x - b.x)
    .map((p) => [p.x, p.y] as const);
  const lines = [
    ...marks.flatMap((m) => (m.line === undefined ? [] : [m.line])),
    ...along(front.map(([a, b]) => [to.x(a), to.y(b)] as const)),
  ];
  return svg(
    `${chart.yLabel} against ${chart.xLabel}`,
    html`${marks.map((m) => m.shape)}${to.axes}${line("front", front, to)}
${spots.map((s) => drawPoint(s.point, s.x, s.y, s.above))}${drawLabels(spots, taken, lines)}`,
  );
};

export type Series = readonly (readonly [step: number, value: number])[];

/** At most this many points of a series are drawn; more are averaged in groups. */
const DRAWN = 300;

const thinned = (series: Series): Series => {
  const size = Math.ceil(series.length / DRAWN);
  if (size <= 1) return series;
  return Array.from({ length: Math.ceil(series.length / size) }, (_, i) => {
    const group = series.slice(i * size, (i + 1) * size);
    return [group.at(-1)![0], group.reduce((sum, [, v]) => sum + v, 0) / group.length] as const;
  });
};

/** Loss over steps: a line of training losses and points of held-out ones, the last with its value. */
export const lossChart = (train: Series, validation: Series): Html => {
  const ok = (series: Series): Series =>
    series.filter(([step, v]) => Number.isFinite(step) && Number.isFinite(v));
  const [seen, held] = [thinned(ok(train)), ok(validation)];
  const all = [...seen, ...held];
  const x = axis(
    "step",
    all.map(([step]) => step),
    0,
  );
  const y = axis(
    "loss, nats per token",
    all.map(([, v]) => v),
  );
  const to = frame(x, y);
  const last = held.at(-1);
  const dots = held.map(
    ([s, v]) => html`<circle class="held-dot" cx="${px(to.x(s))}" cy="${px(to.y(v))}" r="3.5"/>`,
  );
  const single = seen.length === 1 && seen[0]!;
  return svg(
    "loss over steps",
    html`${to.axes}${line("train", seen, to)}${line("held", held, to)}${dots}
${single && html`<circle class="train-dot" cx="${px(to.x(single[0]))}" cy="${px(to.y(single[1]))}" r="3"/>`}
${
  last &&
  html`<text class="label strong" x="${px(Math.min(to.x(last[0]), RIGHT - 4))}" y="${px(to.y(last[1]) - 10)}"
 text-anchor="end">${last[1].toFixed(3)}</text>`
}`,
  );
};
