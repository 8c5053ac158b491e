/** The pictures of a sweep: how it went, and what of the parameters went with what was good. */
import { axis } from "../../render/axis.ts";
import { plain, short } from "../../render/figures.ts";
import { frame, line, svg } from "../../render/frame.ts";
import { type Html, html, px } from "../../render/html.ts";
import type { Param, Scalar } from "../../search/space/space.ts";
import { toUnit } from "../../search/space/unit.ts";
import { qualityOf, type SweepReport } from "./model.ts";

/** Quality of each trial by its number, and the best so far. */
export const historyChart = ({ trials, judge, best }: SweepReport): Html => {
  const seen = trials.flatMap((t) => {
    const value = qualityOf(t, judge);
    return value === undefined ? [] : [{ ...t, value }];
  });
  const better = (a: number, b: number): number =>
    judge.better === "more" ? Math.max(a, b) : Math.min(a, b);
  let top: number | undefined;
  const steps = seen.flatMap(({ number, value, state }): [number, number][] => {
    if (state !== "complete") return [];
    const before = top ?? value;
    top = better(before, value);
    return [
      [number, before],
      [number, top],
    ];
  });
  const x = axis("trial", [...seen.map(({ number }) => number), 1], 0);
  const y = axis(
    judge.name,
    seen.map(({ value }) => value),
  );
  const to = frame(x, y);
  const dots = seen.map(({ number, value, state }) => {
    const kind = number === best ? "point chosen" : state === "complete" ? "point" : "point dim";
    return html`<circle class="${kind}" cx="${px(to.x(number))}" cy="${px(to.y(value))}" r="4"><title>trial ${
      number
    }: ${short(value)}${state === "pruned" && ", stopped"}</title></circle>`;
  });
  return svg(`${judge.name} by trial`, html`${to.axes}${line("front", steps, to)}${dots}`);
};

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [760, 340, 40, 46, 300];

const written = (value: Scalar): string =>
  typeof value !== "number" ? String(value) : Number.isInteger(value) ? plain(value) : short(value);

/** Ends of a number's range, and each choice. */
const marksOf = (param: Param): readonly Scalar[] =>
  param.kind === "categorical" ? param.choices : [param.low, param.high];

/**
 * A line for each trial through its values, an axis a parameter, the quality last: the better, the stronger.
 */
export const parallelChart = ({ space, trials, judge, best }: SweepReport): Html => {
  const params = Object.entries(space);
  const gap = (WIDTH - 2 * LEFT) / params.length;
  const at = (i: number): number => LEFT + i * gap;
  const place = (unit: number): number => BOTTOM - unit * (BOTTOM - TOP);
  const seen = trials.flatMap((t) => {
    const value = qualityOf(t, judge);
    return value === undefined ? [] : [{ ...t, value }];
  });
  const values = seen.map(({ value }) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = high - low || 1;
  const strength = (value: number): number => {
    const unit = (value - low) / range;
    return judge.better === "more" ? unit : 1 - unit;
  };
  const axes = params.map(([name, param], i) => {
    const marks = marksOf(param).map(
      (mark) =>
        html`<text x="${px(at(i) + 5)}" y="${px(place(toUnit(param, mark)) + 4)}">${written(mark)}</text>`,
    );
    return html`<line class="axis" x1="${px(at(i))}" x2="${px(at(i))}" y1="${TOP}" y2="${BOTTOM}"/>
<text class="name" x="${px(at(i))}" y="${i % 2 === 0 ? TOP - 12 : TOP - 28}" text-anchor="middle">${name
      .split(".")
      .at(-1)!}</text>${marks}`;
  });
  const end = at(params.length);
  const last = html`<line class="axis" x1="${px(end)}" x2="${px(end)}" y1="${TOP}" y2="${BOTTOM}"/>
<text class="name" x="${px(end)}" y="${BOTTOM + 22}" text-anchor="end">${judge.name}</text>
<text x="${px(end - 5)}" y="${px(TOP + 4)}" text-anchor="end">${short(high)}</text>
<text x="${px(end - 5)}" y="${px(BOTTOM)}" text-anchor="end">${short(low)}</text>`;
  const order = seen.toSorted((a, b) => strength(a.value) - strength(b.value));
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
  } by parameters">${axes}${last}${lines}</svg></div>`;
};
