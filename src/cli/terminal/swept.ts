/** Prints what a sweep found: the best trials, what decided, what to do next. */

import type { Swept } from "../../recipes/sweep/sweep.ts";
import { plain, short } from "../../render/figures.ts";
import { qualityOf, type SweptTrial } from "../../report/sweep/report.ts";
import { print, printJson, table } from "./terminal.ts";

/** Trials that the table shows. */
const SHOWN = 10;

const shown = (value: string | number | boolean | undefined): string =>
  typeof value !== "number" ? String(value ?? "") : Number.isInteger(value) ? plain(value) : short(value);

const bestOnes = ({ trials, judge }: Swept): SweptTrial[] => {
  const sign = judge.better === "more" ? -1 : 1;
  return trials
    .filter((t) => t.state === "complete" && qualityOf(t, judge) !== undefined)
    .sort((a, b) => sign * (qualityOf(a, judge)! - qualityOf(b, judge)!))
    .slice(0, SHOWN);
};

const trialsTable = (swept: Swept): string => {
  const { judge, goals, front, space } = swept;
  const size = goals.indexOf("size");
  return table(bestOnes(swept), [
    { title: "trial", of: ({ number }) => `${number}${front.includes(number) ? " *" : ""}`, align: "left" },
    { title: judge.name, of: (t) => short(qualityOf(t, judge)) },
    ...(size < 0 ? [] : [{ title: "MB", of: (t: SweptTrial) => short(t.objectives![size]! / 1e6) }]),
    { title: "s", of: ({ seconds }) => short(seconds) },
    ...Object.keys(space).map((name) => ({
      title: name.split(".").at(-1)!,
      of: (t: SweptTrial) => shown(t.values[name]),
    })),
  ]);
};

/** The result for people, or one JSON object. */
export const printSwept = (swept: Swept, json: boolean): void => {
  if (json) {
    printJson(swept);
    return;
  }
  const { trials, importance, notes, dir, best, path, again, report } = swept;
  const by = (state: string): number => trials.filter((t) => t.state === state).length;
  const counts = [
    `${by("complete")} complete`,
    `${by("pruned")} stopped`,
    `${by("failed")} failed`,
    ...(by("running") > 0 ? [`${by("running")} to be gone on with`] : []),
  ];
  const shares = importance.map(([name, share]) => `${name.split(".").at(-1)} ${Math.round(100 * share)} %`);
  const lines = [
    "",
    ...(best === undefined ? ["No trial has ended with a result."] : [trialsTable(swept)]),
    "",
    `${trials.length} trials in ${dir}: ${counts.join(", ")}`,
    ...(best === undefined ? [] : [`What decided: ${shares.join(", ")}`]),
    ...notes,
    "",
    "Next:",
    `  open ${report}      history, parameters together, all trials`,
    ...(again === undefined ? [] : [`  ${again} --out best      the settings of the best trial`]),
    ...(path === undefined ? [] : [`  npx anneal export ${path.replace(/\/model$/, "")} --dtype q8`]),
  ];
  print(`${lines.join("\n")}\n`);
};
