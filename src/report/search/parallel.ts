/** What of the parameters went with what was good: a line for each trial, an axis for each parameter. */
import { plain, short } from "../../render/figures.ts";
import { type Html, html, px } from "../../render/html.ts";
import type { Param, Scalar, Space, Values } from "../../search/space/space.ts";
import { toUnit } from "../../search/space/unit.ts";

/** A configuration and how good it was. */
export interface Judged {
  readonly number: number;
  readonly values: Values;
  readonly value: number;
}

/** What is drawn. */
export interface Parallel {
  readonly space: Space;
  readonly trials: readonly Judged[];
  readonly judge: { readonly name: string; readonly better: "less" | "more" };
  /** The number of the one that stands out. */
  readonly best?: number | undefined;
}

/** Style of what is drawn. */
export const parallelStyle = `
svg.wide { min-width: 40rem; width: 100%; }
svg .way { fill: none; stroke-width: 1.3;
  stroke: color-mix(in srgb, var(--accent) var(--share), var(--line)); }
svg .way.best { stroke: var(--held); stroke-width: 2.6; }
`;

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [760, 340, 40, 46, 300];

/** A value of a parameter as it is shown. */
export const valueText = (value: Scalar | undefined): string =>
  typeof value !== "number"
    ? String(value ?? "\u2013")
    : Number.isInteger(value)
      ? plain(value)
      : short(value);

/** The last word of a dotted name. */
export const shortName = (name: string): string => name.split(".").at(-1)!;

/** Ends of a number's range, and each choice. */
const marksOf = (param: Param): readonly Scalar[] =>
  param.kind === "categorical" ? param.choices : [param.low, param.high];

const place = (unit: number): number => BOTTOM - unit * (BOTTOM - TOP);

const axisOf = (name: string, param: Param, i: number, x: number): Html => {
  const marks = marksOf(param).map(
    (mark) =>
      html`<text class="mark" x="${px(x + 5)}" y="${px(place(toUnit(param, mark)) + 4)}">${valueText(
        mark,
      )}</text>`,
  );
  return html`<line class="axis" x1="${px(x)}" x2="${px(x)}" y1="${TOP}" y2="${BOTTOM}"/>
<text class="name" x="${px(x)}" y="${i % 2 === 0 ? TOP - 12 : TOP - 28}" text-anchor="middle">${shortName(
    name,
  )}</text>${marks}`;
};

/** The quality stands last: the better, the stronger a line; the best one is drawn over all others. */
export const parallelChart = ({ space, trials, judge, best }: Parallel): Html => {
  const params = Object.entries(space);
  const gap = (WIDTH - 2 * LEFT) / Math.max(1, params.length);
  const at = (i: number): number => LEFT + i * gap;
  const values = trials.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = high - low || 1;
  // By rank: one that is far off would make all others alike.
  const sign = judge.better === "more" ? 1 : -1;
  const worse = values.toSorted((a, b) => sign * (a - b));
  const strength = (value: number): number => worse.indexOf(value) / Math.max(1, values.length - 1);
  const axes = params.map(([name, param], i) => axisOf(name, param, i, at(i)));
  const end = at(params.length);
  const last = html`<line class="axis" x1="${px(end)}" x2="${px(end)}" y1="${TOP}" y2="${BOTTOM}"/>
<text class="name" x="${px(end)}" y="${BOTTOM + 22}" text-anchor="end">${judge.name}</text>
<text class="mark" x="${px(end - 5)}" y="${px(TOP + 4)}" text-anchor="end">${short(high)}</text>
<text class="mark" x="${px(end - 5)}" y="${px(BOTTOM)}" text-anchor="end">${short(low)}</text>`;
  const order = trials.toSorted(
    (a, b) => +(a.number === best) - +(b.number === best) || strength(a.value) - strength(b.value),
  );
  const lines = order.map((trial) => {
    const points = params.flatMap(([name, param], i) => {
      const value = trial.values[name];
      return value === undefined ? [] : [`${px(at(i))},${px(place(toUnit(param, value)))}`];
    });
    points.push(`${px(end)},${px(place((trial.value - low) / range))}`);
    const share = Math.round(100 * strength(trial.value));
    const way = trial.number === best ? "way best" : "way";
    return html`<polyline class="${way}" style="--share:${share}%"
 points="${points.join(" ")}"><title>trial ${trial.number}: ${short(trial.value)}</title></polyline>`;
  });
  return html`<div class="scroll"><svg class="wide" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${
    judge.name
  } by parameters">${lines}${axes}${last}</svg></div>`;
};
