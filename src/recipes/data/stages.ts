/** What the stages of the pipeline let through, told in lines. */
import type { EvaluationCounts } from "../../data/filter/contamination.ts";
import { repeats } from "../../data/pipeline/distinct.ts";
import type { DataReport, StageReport } from "../../data/records/document.ts";
import type { Ui } from "../context/ui.ts";

/** Warns of evaluation records that are not looked for. */
export const describeEvaluation = (counts: EvaluationCounts | undefined, ui: Ui): void => {
  if (counts === undefined || counts.tooShort === 0) return;
  const { records, tooShort } = counts;
  const are = tooShort === 1 ? "is" : "are";
  ui.warn(`${tooShort} of ${records} evaluation records ${are} too short to be looked for in the data`);
};

const percent = (part: number, whole: number): string =>
  `${((100 * part) / Math.max(1, whole)).toFixed(0)} %`;

/** Near-duplicates of which more than this share go are records of one form rather than copies. */
const MOST = 0.5;

/** Warns of near-duplicates that may be records of their own: other numbers, or most of all documents. */
const warnOfNear = ({ docsIn, reasons }: Pick<StageReport, "docsIn" | "reasons">, ui: Ui): void => {
  const count = (wanted: string): number => reasons.find(({ reason }) => reason === wanted)?.count ?? 0;
  const [numbers, near] = [count(repeats.numbers), count(repeats.near)];
  const way = "records of one form may look so; --near off keeps them";
  if (numbers > 0) {
    const what = "were dropped as near-duplicates of texts from which only their numbers tell them";
    ui.warn(`${numbers} of ${docsIn} documents ${what}: ${way}`);
  } else if (near > MOST * docsIn) {
    ui.warn(`${near} of ${docsIn} documents were dropped as near-duplicates of others: ${way}`);
  }
};

/** One line a stage: what it kept, and why it dropped the rest. */
export const describeStages = ({ stages }: DataReport, ui: Ui): void => {
  for (const { name, docsIn, docsOut, bytesIn, bytesOut, reasons } of stages) {
    const why = reasons.map(({ reason, count }) => `${count} ${reason}`).join(", ");
    const size = `${(bytesOut / 1e6).toFixed(2)} MB (${percent(bytesOut, bytesIn)})`;
    const kept = `${docsOut} of ${docsIn} documents, ${size}`;
    ui.line(`${name}: ${kept}${why === "" ? "" : `; dropped or changed: ${why}`}`);
    warnOfNear({ docsIn, reasons }, ui);
  }
};
