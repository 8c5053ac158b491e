/** Prints what a learning-rate range test found: a table, the rates, what to do next. */
import type { LrPoint, LrRange } from "../../train/lrRange.ts";
import { print, printJson, table } from "./terminal.ts";

/** Rows of the table. */
const ROWS = 20;

const rate = (lr: number): string => lr.toExponential(1).replace("e-", "e-").replace("e+0", "");

const bar = (share: number): string => "\u2588".repeat(Math.max(0, Math.round(24 * share)));

const remark = ({ lr }: LrPoint, { steepest, minimum }: LrRange): string =>
  lr === steepest ? "falls fastest" : lr === minimum ? "least" : "";

/** The result for people, or one JSON object; `verb` is what to run with the rate. */
export const printLrRange = (
  found: LrRange,
  { json, run }: { readonly json: boolean; readonly run: string },
): void => {
  if (json) {
    printJson(found);
    return;
  }
  const { points, steepest, minimum, suggested } = found;
  const every = Math.max(1, Math.floor(points.length / ROWS));
  const shown = points.filter(
    (point, i) => i % every === 0 || i === points.length - 1 || remark(point, found) !== "",
  );
  const first = points[0]!.smoothed;
  const top = Math.min(Math.max(...points.map(({ smoothed }) => smoothed)), 1.5 * first);
  const text = table(shown, [
    { title: "learning rate", of: ({ lr }) => rate(lr) },
    { title: "loss", of: ({ smoothed }) => smoothed.toFixed(4) },
    { title: "", of: ({ smoothed }) => bar(Math.min(1, smoothed / top)), align: "left" },
    { title: "", of: (point) => remark(point, found), align: "left" },
  ]);
  const said =
    suggested === undefined
      ? "The loss did not fall at any rate: `npx anneal finetune ... --check` looks for the fault."
      : `The loss falls fastest at ${rate(steepest!)} and is least at ${rate(minimum)}.`;
  const next = suggested === undefined ? "" : `\nNext:\n  ${run} --lr ${suggested}\n`;
  print(`${text}\n\n${said}\n${next}`);
};
