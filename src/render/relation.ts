/** Charts of what a model says against what is right. */
import { axis } from "./axis.ts";
import { percent } from "./figures.ts";
import { frame, line, svg } from "./frame.ts";
import { type Html, html, px } from "./html.ts";

/** Guesses of like confidence. */
export interface ReliabilityPoint {
  readonly confidence: number;
  readonly accuracy: number;
  readonly count: number;
}

/** Largest radius of a point, pixels. */
const LARGEST = 11;

/**
 * How often guesses are right against how sure they are; the area of a point is its share of the guesses. On
 * the dashed line a model is right as often as it says.
 */
export const reliabilityChart = (points: readonly ReliabilityPoint[]): Html => {
  const to = frame(axis("confidence", [1], 0), axis("share that is right", [1], 0));
  const seen = points.filter(({ count }) => count > 0);
  const most = Math.max(1, ...seen.map(({ count }) => count));
  const circles = seen.map(({ confidence, accuracy, count }) => {
    const radius = Math.max(2.5, LARGEST * Math.sqrt(count / most));
    const said = `${percent(confidence)} sure, ${percent(accuracy)} right, ${count} guesses`;
    return html`<g><title>${said}</title>
<circle class="bubble" cx="${px(to.x(confidence))}" cy="${px(to.y(accuracy))}" r="${px(radius)}"/></g>`;
  });
  const even = line(
    "edge",
    [
      [0, 0],
      [1, 1],
    ],
    to,
  );
  const curve = line(
    "front",
    seen.map(({ confidence, accuracy }) => [confidence, accuracy] as const),
    to,
  );
  return svg(
    "how often guesses are right against their confidence",
    html`${to.axes}${even}${curve}${circles}`,
  );
};

/** Most points that are drawn: more are taken at even distances. */
const DRAWN = 600;

/** Numbers that a model gives against those that are right. */
export const againstChart = (
  points: readonly (readonly [right: number, said: number])[],
  { right, said }: { readonly right: string; readonly said: string },
): Html => {
  const every = Math.ceil(points.length / DRAWN);
  const some = points.filter(([a, b], i) => i % every === 0 && Number.isFinite(a) && Number.isFinite(b));
  const x = axis(
    right,
    some.map(([a]) => a),
  );
  const y = axis(
    said,
    some.map(([, b]) => b),
  );
  const to = frame(x, y);
  const dots = some.map(
    ([a, b]) => html`<circle class="dot" cx="${px(to.x(a))}" cy="${px(to.y(b))}" r="2.6"/>`,
  );
  return svg(`${said} against ${right}`, html`${to.axes}${dots}`);
};
