/** Limits of a chart: a dashed line and what it rules out, or an arrow at the edge that it lies beyond. */
import type { Axis } from "./axis.ts";
import { type Content, html, px } from "./html.ts";
import { apart, type Box, textWidth } from "./label.ts";

/** How a limit is drawn, and where. */
export interface Mark {
  readonly shape: Content;
  /** Where the limit's name stands. */
  readonly boxes: readonly Box[];
  /** Where its line runs. */
  readonly lines: readonly Box[];
}

/** The axis that a limit is on, and what it keeps clear of. */
export interface LimitOptions {
  readonly axis: Axis;
  /** The pixel of a value. */
  readonly at: (value: number) => number;
  readonly plot: Box;
  /** What the limit's name is to stay clear of: points and curves. */
  readonly occupied: readonly Box[];
  /** Whether it is the least allowed, not the most. */
  readonly least?: boolean;
}

const NONE: Mark = { shape: "", boxes: [], lines: [] };
const HEIGHT = 17;

const boxOf = (x: number, y: number, text: string): Box => ({ x, y, width: textWidth(text), height: HEIGHT });

/** The first of the boxes that covers nothing, else the first of all. */
const clear = (boxes: readonly Box[], occupied: readonly Box[]): Box =>
  boxes.find((box) => occupied.every((other) => apart(box, other))) ?? boxes[0]!;

const named = (text: string, box: Box): Content =>
  html`<text class="limit-name" x="${px(box.x + 1)}" y="${px(box.y + 12.5)}">${text}</text>`;

/** Heights from the foot of the plot to its top, a line of text apart. */
const heights = ({ y, height }: Box): number[] =>
  Array.from({ length: Math.floor(height / HEIGHT) }, (_, i) => y + height - 3 - (i + 1) * HEIGHT);

/** The largest x allowed. */
export const limitColumn = (limit: number | undefined, options: LimitOptions): Mark => {
  if (limit === undefined) return NONE;
  const { axis, at, plot, occupied } = options;
  const right = plot.x + plot.width;
  const bottom = plot.y + plot.height;
  const beyond = limit > axis.max;
  const text = beyond ? `limit ${limit} \u2192` : `limit ${limit}`;
  const width = textWidth(text);
  const x = beyond ? right : at(limit);
  const lefts = [x + 5, x - width - 5].filter((left) => left >= plot.x && left + width <= right);
  const boxes = heights(plot).flatMap((y) => lefts.map((left) => boxOf(left, y, text)));
  const box = clear(boxes, occupied);
  if (beyond) return { shape: named(text, box), boxes: [box], lines: [] };
  const shape = html`<rect class="beyond" x="${px(x)}" y="${plot.y}"
 width="${px(right - x)}" height="${plot.height}"/>
<line class="limit" x1="${px(x)}" x2="${px(x)}" y1="${plot.y}" y2="${bottom}"/>${named(text, box)}`;
  return { shape, boxes: [box], lines: [{ x: x - 2, y: plot.y, width: 4, height: plot.height }] };
};

/** The largest or least y allowed; where all of the picture is beyond it, all is ruled out. */
export const limitRow = (limit: number | undefined, options: LimitOptions): Mark => {
  if (limit === undefined) return NONE;
  const { axis, at, plot, occupied, least = false } = options;
  const bottom = plot.y + plot.height;
  const outside = limit > axis.max || limit < axis.min;
  const arrow = limit > axis.max ? " \u2191" : limit < axis.min ? " \u2193" : "";
  const text = `limit ${axis.format(limit)}${arrow}`;
  const width = textWidth(text);
  const y = Math.min(bottom, Math.max(plot.y, at(limit)));
  const lefts = [1, 0.75, 0.5, 0.25, 0].map((share) => plot.x + 4 + share * (plot.width - width - 8));
  const tops = [y - HEIGHT - 1, y + 3].filter((top) => top >= plot.y - 1 && top + HEIGHT <= bottom + 1);
  const box = clear(
    tops.flatMap((top) => lefts.map((left) => boxOf(left, top, text))),
    occupied,
  );
  const [from, to] = least ? [y, bottom] : [plot.y, y];
  const line = html`<line class="limit" x1="${plot.x}" x2="${plot.x + plot.width}"
 y1="${px(y)}" y2="${px(y)}"/>`;
  const shape = html`<rect class="beyond" x="${plot.x}" y="${px(from)}"
 width="${plot.width}" height="${px(to - from)}"/>${!outside && line}${named(text, box)}`;
  return {
    shape,
    boxes: [box],
    lines: outside ? [] : [{ x: plot.x, y: y - 1, width: plot.width, height: 2 }],
  };
};
