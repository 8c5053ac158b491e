/** The report's charts as inline SVG; colours come from the classes of the report's style. */
import { type Axis, axis } from "./axis.ts";
import { type Frame, frame, line, PLOT, RIGHT, svg } from "./frame.ts";
import { type Content, type Html, html, px } from "./html.ts";
import { along, type Box, leadEnd, placeLabels } from "./label.ts";
import { limitColumn, limitRow } from "./limit.ts";

/** One point of a scatter chart. */
export interface ScatterPoint {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  /** Not dominated in any of what is compared. */
  readonly onFront: boolean;
  readonly chosen: boolean;
  /** What stands beside it: its name unless told; "" for nothing. */
  readonly label?: string;
  /** Ends of what was measured, from which to which. */
  readonly xEnds?: Ends;
  readonly yEnds?: Ends;
  /** A third figure as a share of the largest: the area of the point. */
  readonly area?: number;
}

/** Both ends of an interval. */
export type Ends = readonly [low: number, high: number];

/** What a scatter chart shows. */
export interface Scatter {
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: readonly ScatterPoint[];
  /** The points to connect, those that nothing in this picture dominates. */
  readonly front: readonly ScatterPoint[];
  /** Largest x and y allowed. */
  readonly limitX?: number;
  readonly limitY?: number;
  /** Whether `limitY` is the least y allowed. */
  readonly leastY?: boolean;
}

/**
 * The highest y to draw in scale: few points far above all others, three times as far from the lowest as
 * three quarters of them are, would press those into a line.
 */
const ceiling = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  if (sorted.length <= 3) return sorted.at(-1) ?? 1;
  const first = sorted[0]!;
  const most = first + 3 * (sorted[Math.ceil(0.75 * sorted.length) - 1]! - first);
  return sorted.findLast((value) => value <= most) ?? first;
};

/** Where a limit is little beyond the values it belongs in the picture. */
const withLimit = (values: readonly number[], limit: number | undefined, span: number): number[] =>
  limit !== undefined && limit <= Math.max(...values) + span && limit >= Math.min(...values) - span
    ? [...values, limit]
    : [...values];

/** Radius of a point, pixels: of one that has an area by that. */
const radiusOf = ({ area }: ScatterPoint): number =>
  area === undefined ? 4.5 : 2.5 + 6.5 * Math.sqrt(Math.max(0, Math.min(1, area)));

/** The part of an interval that is in the picture, in pixels; none where it has no width there. */
const within = (
  ends: Ends | undefined,
  { min, max }: Axis,
  at: (value: number) => number,
): Ends | undefined => {
  if (ends === undefined || !ends.every(Number.isFinite)) return undefined;
  const [low, high] = ends.map((end) => at(Math.min(max, Math.max(min, end)))) as [number, number];
  return Math.abs(high - low) < 1 ? undefined : [low, high];
};

/** The intervals of a point: lines through it. */
const barsOf = ({ point, x, y, above }: Spot, [xAxis, yAxis]: readonly [Axis, Axis], to: Frame) => {
  if (above) return [];
  const across = within(point.xEnds, xAxis, to.x);
  const along = within(point.yEnds, yAxis, to.y);
  return [
    ...(across === undefined ? [] : [{ x1: across[0], x2: across[1], y1: y, y2: y }]),
    ...(along === undefined ? [] : [{ x1: x, x2: x, y1: along[0], y2: along[1] }]),
  ];
};

const drawPoint = ({ point, x, y, above }: Spot): Html => {
  const kind = point.chosen ? "point chosen" : point.onFront ? "point" : "point dim";
  const radius = radiusOf(point);
  const shape = above
    ? html`<path class="${kind}" d="M${px(x)} ${px(y - 5)}l5 9h-10z"/>`
    : html`<circle class="${kind}" cx="${px(x)}" cy="${px(y)}" r="${px(radius)}"/>`;
  return html`<g><title>${point.name}: ${point.x}, ${point.y}</title>${shape}
${point.chosen && html`<circle class="ring" cx="${px(x)}" cy="${px(y)}" r="${px(radius + 4.5)}"/>`}</g>`;
};

const drawLabels = (spots: readonly Spot[], taken: readonly Box[], lines: readonly Box[]): Html[] => {
  const named = spots.filter(({ text }) => text !== "");
  const others = spots.filter(({ text }) => text === "");
  const dots = others.map(({ x, y }) => ({ x: x - 7, y: y - 7, width: 14, height: 14 }));
  const order = named.toSorted(
    (a, b) => +b.point.chosen - +a.point.chosen || +b.point.onFront - +a.point.onFront,
  );
  const anchors = order.map(({ x, y, text, point }) => ({
    x,
    y,
    text,
    radius: radiusOf(point) - 4.5 + (point.chosen ? 4 : 0),
    bold: point.chosen,
  }));
  const boxes = placeLabels(anchors, { area: PLOT, taken, lines: [...lines, ...dots] });
  return order.map((spot, i) => {
    const box = boxes[i];
    if (box === undefined) return html``;
    const { point } = spot;
    const kind = point.chosen ? "label strong" : point.onFront ? "label" : "label dim";
    const [endX, endY] = leadEnd(spot, box);
    const lead =
      box.far &&
      html`<line class="lead" x1="${px(spot.x)}" y1="${px(spot.y)}" x2="${px(endX)}" y2="${px(endY)}"/>`;
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
    const { label = point.name } = point;
    const text = above && label !== "" ? `${label} (${y.format(point.y)})` : label;
    return { point, x: to.x(point.x), y: above ? PLOT.y + 8 : to.y(point.y), text, above };
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
  // The largest first, so that none hides a smaller one.
  const spots = spotsOf(points, y, to).sort((a, b) => radiusOf(b.point) - radiusOf(a.point));
  const front = chart.front
    .filter((p) => p.y <= y.max)
    .toSorted((a, b) => a.x - b.x)
    .map((p) => [p.x, p.y] as const);
  const curve = along(front.map(([a, b]) => [to.x(a), to.y(b)] as const));
  const bars = spots.flatMap((spot) => barsOf(spot, [x, y], to));
  const barBoxes = bars.flatMap(({ x1, x2, y1, y2 }) =>
    along([
      [x1, y1],
      [x2, y2],
    ]),
  );
  const curves = [...curve, ...barBoxes];
  const occupied = [...spots.map((s) => ({ x: s.x - 9, y: s.y - 9, width: 18, height: 18 })), ...curves];
  const column = limitColumn(chart.limitX, { axis: x, at: to.x, plot: PLOT, occupied });
  const row = limitRow(chart.limitY, {
    axis: y,
    at: to.y,
    plot: PLOT,
    occupied: [...occupied, ...column.boxes],
    least: chart.leastY ?? false,
  });
  const marks = [column, row];
  const taken = marks.flatMap(({ boxes }) => boxes);
  const lines = [...marks.flatMap((m) => m.lines), ...curves];
  return svg(
    `${chart.yLabel} against ${chart.xLabel}`,
    html`${marks.map((m) => m.shape)}${to.axes}${line("front", front, to)}
${bars.map(
  ({ x1, x2, y1, y2 }) =>
    html`<line class="ends" x1="${px(x1)}" x2="${px(x2)}" y1="${px(y1)}" y2="${px(y2)}"/>`,
)}${spots.map(drawPoint)}${drawLabels(spots, taken, lines)}`,
  );
};

/** A curve's points. */
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

/** The last held-out loss as a number beside its point, off both curves where there is room. */
const lastLabel = ([step, loss]: Series[number], curves: readonly Series[], to: Frame): Content => {
  const lines = curves.flatMap((curve) => along(curve.map(([s, v]) => [to.x(s), to.y(v)] as const)));
  const spot = { x: to.x(step), y: to.y(loss), text: loss.toFixed(3), bold: true };
  const [box] = placeLabels([spot], { area: PLOT, taken: [], lines });
  const at = box === undefined ? [RIGHT, spot.y - 10] : [box.x + box.width, box.y + 11.5];
  return html`<text class="label strong" x="${px(at[0]!)}" y="${px(at[1]!)}"
 text-anchor="end">${spot.text}</text>`;
};

/**
 * A figure over steps (the loss in nats per token unless told): a line of what training batches say and
 * points of held-out measurements, the last with its value.
 */
export const lossChart = (train: Series, validation: Series, label = "loss, nats per token"): Html => {
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
    label,
    all.map(([, v]) => v),
  );
  const to = frame(x, y);
  const last = held.at(-1);
  const dots = held.map(
    ([s, v]) => html`<circle class="held-dot" cx="${px(to.x(s))}" cy="${px(to.y(v))}" r="3.5"/>`,
  );
  const single = seen.length === 1 && seen[0]!;
  return svg(
    `${label} over steps`,
    html`${to.axes}${line("train", seen, to)}${line("held", held, to)}${dots}
${single && html`<circle class="train-dot" cx="${px(to.x(single[0]))}" cy="${px(to.y(single[1]))}" r="3"/>`}
${last && lastLabel(last, [seen, held], to)}`,
  );
};
