/** The charts of the data report as inline SVG: the funnel of the stages, histograms, bars. */
import type { LengthHistogram } from "../../data/pipeline/histogram.ts";
import { axis, scale } from "../../render/axis.ts";
import { bytes, count, percent } from "../../render/figures.ts";
import { type Content, type Html, html } from "../../render/html.ts";

const px = (value: number): string => String(Math.round(value * 10) / 10);

const svg = (label: string, width: number, height: number, content: Content): Html =>
  html`<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">
${content}</svg>`;

/** Text cut to about `width` pixels at 12 px. */
const fitted = (text: string, width: number): string => {
  const most = Math.floor(width / 6.6);
  const characters = Array.from(text);
  return characters.length <= most ? text : `${characters.slice(0, most - 1).join("")}\u2026`;
};

/** What a stage lets through. */
export interface FunnelRow {
  readonly name: string;
  readonly documents: number;
  readonly bytes: number;
  readonly tokens?: number;
}

const FUNNEL = { width: 720, left: 168, right: 500, step: 50, bar: 26 };
const MIDDLE = (FUNNEL.left + FUNNEL.right) / 2;

const funnelBar = (row: FunnelRow, before: FunnelRow | undefined, half: number, i: number): Html => {
  const top = i * FUNNEL.step + 2;
  const middle = top + FUNNEL.bar / 2;
  const lost = before === undefined || before.bytes === 0 ? 0 : 1 - row.bytes / before.bytes;
  const change = lost > 0 ? `\u2212${percent(lost)}` : lost < 0 ? `+${percent(-lost)}` : "unchanged";
  const kind = lost > 0 ? "lost" : "same";
  const tokens = row.tokens === undefined ? "" : ` \u00b7 ${count(row.tokens)} tokens`;
  return html`<g><title>${row.name}: ${count(row.documents)} documents, ${bytes(row.bytes)}${tokens}</title>
<rect class="flow" x="${px(MIDDLE - half)}" y="${top}" width="${px(2 * half)}" height="${FUNNEL.bar}" rx="2"/>
<text class="name" x="0" y="${middle}" dy="${before === undefined ? 4 : -2}">${fitted(row.name, 160)}</text>
${before !== undefined && html`<text class="${kind}" x="0" y="${middle + 12}">${change}</text>`}
<text class="name" x="${FUNNEL.right + 18}" y="${middle}" dy="-2">${count(row.documents)} documents</text>
<text x="${FUNNEL.right + 18}" y="${middle + 12}">${bytes(row.bytes)}${tokens}</text></g>`;
};

/** How much text each stage lets through: bars as wide as the text that is left, joined by what narrows. */
export const funnelChart = (rows: readonly FunnelRow[]): Html => {
  const most = Math.max(1, ...rows.map((row) => row.bytes));
  const widest = (FUNNEL.right - FUNNEL.left) / 2;
  const halves = rows.map((row) => (row.bytes > 0 ? Math.max(0.75, (row.bytes / most) * widest) : 0));
  const joints = halves.slice(1).map((half, i) => {
    const [above, y0, y1] = [halves[i]!, i * FUNNEL.step + 2 + FUNNEL.bar, (i + 1) * FUNNEL.step + 2];
    const corners = [
      [MIDDLE - above, y0],
      [MIDDLE + above, y0],
      [MIDDLE + half, y1],
      [MIDDLE - half, y1],
    ] as const;
    return html`<polygon class="joint" points="${corners.map(([x, y]) => `${px(x)},${px(y)}`).join(" ")}"/>`;
  });
  const bars = rows.map((row, i) => funnelBar(row, rows[i - 1], halves[i]!, i));
  const height = rows.length * FUNNEL.step - (FUNNEL.step - FUNNEL.bar) + 8;
  return svg("text that each stage lets through", FUNNEL.width, height, html`${joints}${bars}`);
};

const PLOT = { width: 440, height: 260, left: 52, right: 430, top: 30, bottom: 214 };

const compact = (value: number): string => {
  if (value < 1e3) return String(value);
  if (value < 1e6) return `${value / 1e3}k`;
  return value < 1e9 ? `${value / 1e6}M` : `${value / 1e9}G`;
};

/** Where a value lies among the bins, in bins from the left. */
const placeOf = (bins: LengthHistogram["bins"], value: number): number => {
  const i = bins.findIndex(({ to }) => value < to);
  if (i < 0) return bins.length;
  return i + Math.max(0, (value - bins[i]!.from) / (bins[i]!.to - bins[i]!.from));
};

/** 1, 10, 100 ..., with 2 and 5 between where there are few. */
const decades = (low: number, high: number): number[] => {
  const powers = Array.from({ length: 17 }, (_, i) => 10 ** i);
  const within = (values: readonly number[]): number[] => values.filter((v) => v >= low && v <= high);
  const coarse = within(powers);
  return coarse.length >= 3 ? coarse : within(powers.flatMap((p) => [p, 2 * p, 5 * p]));
};

const quantileMarks = ({ bins, quantiles }: LengthHistogram, toX: (value: number) => number): Html[] =>
  quantiles
    .filter(({ q }) => q === 0.05 || q === 0.5 || q === 0.95)
    .map(({ q, value }) => {
      const x = px(toX(placeOf(bins, value)));
      return html`<line class="${q === 0.5 ? "median" : "edge"}" x1="${x}" x2="${x}"
 y1="${PLOT.top}" y2="${PLOT.bottom}"><title>${percent(q)}: ${count(value)}</title></line>`;
    });

/** A histogram over a logarithmic axis, its median and the middle 90 % marked. */
export const histogramChart = (histogram: LengthHistogram): Html => {
  const { bins, name, unit } = histogram;
  const y = axis(
    "documents",
    bins.map((bin) => bin.count),
    0,
  );
  const toY = scale(y, PLOT.bottom, PLOT.top);
  const toX = (place: number): number => PLOT.left + (place / bins.length) * (PLOT.right - PLOT.left);
  const gap = Math.min(1.5, (toX(1) - toX(0)) / 5);
  const bars = bins.map(({ from, to, count: n }, i) => {
    const top = toY(n);
    return html`<rect class="bin" x="${px(toX(i) + gap / 2)}" y="${px(top)}"
 width="${px(toX(1) - toX(0) - gap)}" height="${px(PLOT.bottom - top)}">
<title>${count(from)} to ${count(to - 1)} ${unit}: ${count(n)}</title></rect>`;
  });
  const rows = y.ticks.filter(Number.isInteger).map((tick) => {
    const at = px(toY(tick));
    return html`<line class="grid" x1="${PLOT.left}" x2="${PLOT.right}" y1="${at}" y2="${at}"/>
<text x="${PLOT.left - 7}" y="${at}" dy="4" text-anchor="end">${compact(tick)}</text>`;
  });
  const columns = decades(bins[0]?.from ?? 0, bins.at(-1)?.to ?? 0).map((value) => {
    const x = px(toX(placeOf(bins, value)));
    return html`<line class="tick" x1="${x}" x2="${x}" y1="${PLOT.bottom}" y2="${PLOT.bottom + 5}"/>
<text x="${x}" y="${PLOT.bottom + 19}" text-anchor="middle">${compact(value)}</text>`;
  });
  return svg(
    `${name}: documents by ${unit}`,
    PLOT.width,
    PLOT.height,
    html`${rows}${bars}${quantileMarks(histogram, toX)}${columns}
<line class="axis" x1="${PLOT.left}" x2="${PLOT.right}" y1="${PLOT.bottom}" y2="${PLOT.bottom}"/>
<text class="name" x="4" y="14">documents</text>
<text class="name" x="${PLOT.right}" y="${PLOT.height - 8}" text-anchor="end">${fitted(unit, 300)}</text>`,
  );
};

/** One bar. */
export interface BarRow {
  readonly name: string;
  readonly value: number;
  /** What stands behind the bar. */
  readonly text: string;
}

const BARS = { width: 440, left: 104, right: 310, step: 24, bar: 14 };

/** Named bars, one below the other, as long as their values. */
export const barChart = (label: string, rows: readonly BarRow[]): Html => {
  const most = rows.reduce((max, { value }) => Math.max(max, value), 0) || 1;
  const drawn = rows.map(({ name, value, text }, i) => {
    const y = i * BARS.step + 5;
    const width = (Math.max(0, value) / most) * (BARS.right - BARS.left);
    return html`<g><title>${name}: ${text}</title>
<text class="name" x="${BARS.left - 8}" y="${y + 11}" text-anchor="end">${fitted(name, BARS.left - 10)}</text>
<rect class="bin" x="${BARS.left}" y="${y}" width="${px(Math.max(value > 0 ? 1 : 0, width))}"
 height="${BARS.bar}"/>
<text x="${px(BARS.left + width + 8)}" y="${y + 11}">${text}</text></g>`;
  });
  return svg(label, BARS.width, rows.length * BARS.step + 4, drawn);
};
