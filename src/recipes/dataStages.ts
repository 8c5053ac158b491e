/** What the stages of the pipeline let through, told in lines. */

import type { EvaluationCounts } from "../data/contamination.ts";
import { repeats } from "../data/distinct.ts";
import type { DataReport } from "../data/document.ts";
import type { Ui } from "./ui.ts";

/** Warns of evaluation records that are not looked for. */
export const describeEvaluation = (counts: EvaluationCounts | undefined, ui: Ui): void => {
  if (counts === undefined || counts.tooShort === 0) return;
  const { records, tooShort } = counts;
  const are = tooShort === 1 ? "is" : "are";
  ui.warn(`${tooShort} of ${records} evaluation records ${are} too short to be looked for in the data`);
};

const percent = (part: number, whole: number): string =>
  `${((100 * part) / Math.max(1, whole)).toFixed(0)} %`;

/** One line a stage: what it kept, and why it dropped the rest. */
export const describeStages = ({ stages }: DataReport, ui: Ui): void => {
  for (const { name, docsIn, docsOut, bytesIn, bytesOut, reasons } of stages) {
    const why = reasons.map(({ reason, count }) => `${count} ${reason}`).join(", ");
    const size = `${(bytesOut / 1e6).toFixed(2)} MB (${percent(bytesOut, bytesIn)})`;
    const kept = `${docsOut} of ${docsIn} documents, ${size}`;
    ui.line(`${name}: ${kept}${why === "" ? "" : `; dropped or changed: ${why}`}`);
    const numbers = reasons.find(({ reason }) => reason === repeats.numbers)?.count ?? 0;
    if (numbers > 0) {
      const what = "were dropped as near-duplicates of texts from which only their numbers tell them";
      ui.warn(`${numbers} of ${docsIn} documents ${what}; --near off keeps them`);
    }
  }
};
