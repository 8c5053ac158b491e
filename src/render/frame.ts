/** The frame of a chart as inline SVG: axes with their ticks, and how values become places. */
import { type Axis, scale } from "./axis.ts";
import { type Content, type Html, html, px } from "./html.ts";
import type { Box } from "./label.ts";

const WIDTH = 440;
const HEIGHT = 300;
/** Where values are drawn, of a picture 440 wide and 300 high. */
export const PLOT: Box = { x: 50, y: 32, width: WIDTH - 64, height: HEIGHT - 78 };
/** The plot's right edge. */
export const RIGHT = PLOT.x + PLOT.width;
/** The plot's lower edge. */
export const BOTTOM = PLOT.y + PLOT.height;

/** Axes, and where values lie between them. */
export interface Frame {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly axes: Content;
}

/** The frame of two axes. */
export const frame = (x: Axis, y: Axis): Frame => {
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

/** A picture with its name for those who do not see it. */
export const svg = (label: string, content: Content): Html =>
  html`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">
${content}</svg>`;

/** A line through points, in the style `kind`. */
export const line = (kind: string, points: readonly (readonly [number, number])[], { x, y }: Frame): Html =>
  html`<polyline class="${kind}" points="${points.map(([a, b]) => `${px(x(a))},${px(y(b))}`).join(" ")}"/>`;
