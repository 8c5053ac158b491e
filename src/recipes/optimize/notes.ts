/** Remarks on a result that its figures call for, for the terminal and the report. */

import { fixed } from "../../render/figures.ts";
import type { Candidate } from "../../search/candidates/candidate.ts";
import type { Optimized } from "../../search/candidates/optimize.ts";
import { doubtNotes, limitNotes } from "../../search/doubts.ts";
import { figureNamed, LOST, measuredValue } from "../../search/figures.ts";
import type { Criterion } from "../../tasks/task.ts";

/** What is compared, and the name of a step's median time. */
interface Compared extends Criterion {
  readonly time: string;
}

const int8 = (full: Candidate, q8: Candidate, criterion: Compared, does: string): string[] => {
  const { unit, better } = criterion;
  const time = (c: Candidate): number => measuredValue(c, criterion.time);
  const cost = fixed((better === "less" ? 1 : -1) * (q8.score - full.score), 4);
  const speed = time(full) / time(q8);
  const line = `int8 costs ${cost} ${unit} and ${does} ${speed.toFixed(2)}x as fast as fp32.`;
  if (speed >= 1) return [line];
  const why =
    "int8 is not faster here: matrices this small are widened when the model is loaded, so " +
    "8 bits save size, not time.";
  return [line, why];
};

const distillation = (
  full: Candidate,
  pruned: Candidate,
  distilled: Candidate,
  { unit }: Criterion,
): string => {
  const gap = Math.abs(pruned.score - full.score);
  const closed = (100 * Math.abs(pruned.score - distilled.score)) / gap;
  const dropped = `Dropping ${full.layers - pruned.layers} of ${full.layers} layers`;
  const better = measuredValue(distilled, LOST) < measuredValue(pruned, LOST);
  const back = closed > 200 ? "more than won it back" : `won back ${closed.toFixed(0)} % of it`;
  const won = `distillation ${better ? back : "won nothing back"}`;
  return `${dropped} cost ${gap.toFixed(3)} ${unit}; ${won}.`;
};

/** Which candidates could not be chosen, and why. */
export const faultNotes = ({ candidates }: Pick<Optimized, "candidates">): string[] =>
  candidates.flatMap(({ name, fault }) =>
    fault === undefined ? [] : [`${name} cannot be chosen: ${fault}.`],
  );

/**
 * What int8 cost and gained, what distillation won back, what could not be chosen, whether the held-out text
 * is enough for the choice, and what the budget lacked.
 */
export const notesOf = (optimized: Optimized): string[] => {
  const { task, figures, candidates, choice, doubts } = optimized;
  const { criterion: metric } = task;
  const time = figureNamed(figures, "p50Ms")!.name;
  const reads = figureNamed(figures, "p50Ms")!.unit.endsWith("text");
  const find = (base: string, dtype: string) =>
    candidates.find((c) => c.base.endsWith(base) && c.dtype === dtype);
  const [full, q8] = [find("full", "fp32"), find("full", "q8")];
  const [pruned, distilled] = [find("pruned", "fp32"), find("distilled", "fp32")];
  const notes: string[] = [];
  if (full && q8) notes.push(...int8(full, q8, { ...metric, time }, reads ? "reads" : "decodes"));
  if (full && pruned && distilled) notes.push(distillation(full, pruned, distilled, metric));
  notes.push(...faultNotes({ candidates }), ...doubtNotes(doubts, metric), ...limitNotes(optimized));
  if (!choice.met) {
    notes.push(
      `Nothing meets the budget; the nearest candidate exceeds it in ${choice.exceeded.join(", ")}.`,
    );
  }
  return notes;
};
