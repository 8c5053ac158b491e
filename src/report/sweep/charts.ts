/** The picture of how a sweep went. */
import { axis } from "../../render/axis.ts";
import { short } from "../../render/figures.ts";
import { frame, line, svg } from "../../render/frame.ts";
import { type Html, html, px } from "../../render/html.ts";
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
