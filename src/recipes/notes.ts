/** Remarks on a result that its figures call for, for the terminal and the report. */
import { doubtNotes } from "./doubts.ts";
import type { Candidate, Optimized } from "./optimize.ts";

const int8 = (full: Candidate, q8: Candidate): string[] => {
  const cost = (q8.natsPerToken - full.natsPerToken).toFixed(4);
  const speed = full.p50Ms / q8.p50Ms;
  const line = `int8 costs ${cost} nats per token and decodes ${speed.toFixed(2)}x as fast as fp32.`;
  if (speed >= 1) return [line];
  const why =
    "int8 is not faster here: with matrices this small, starting each operation and quantizing " +
    "its input take longer than the arithmetic that is saved.";
  return [line, why];
};

const distillation = (full: Candidate, pruned: Candidate, distilled: Candidate): string => {
  const gap = pruned.natsPerToken - full.natsPerToken;
  const closed = (100 * (pruned.natsPerToken - distilled.natsPerToken)) / gap;
  const dropped = `Dropping ${full.layers - pruned.layers} of ${full.layers} layers`;
  const won = `distillation won back ${closed.toFixed(0)} % of it`;
  return `${dropped} cost ${gap.toFixed(3)} nats per token; ${won}.`;
};

/** Which candidates could not be chosen, and why. */
export const faultNotes = ({ candidates }: Pick<Optimized, "candidates">): string[] =>
  candidates.flatMap(({ name, fault }) =>
    fault === undefined
      ? []
      : [`${name} does not compute what its model does, and cannot be chosen: ${fault}.`],
  );

/**
 * What int8 cost and gained, what distillation won back, what could not be chosen, whether the held-out text
 * is enough for the choice, and what the budget lacked.
 */
export const notesOf = ({ candidates, choice, doubts }: Optimized): string[] => {
  const find = (base: string, dtype: string) =>
    candidates.find((c) => c.base.endsWith(base) && c.dtype === dtype);
  const [full, q8] = [find("full", "fp32"), find("full", "q8")];
  const [pruned, distilled] = [find("pruned", "fp32"), find("distilled", "fp32")];
  const notes: string[] = [];
  if (full && q8) notes.push(...int8(full, q8));
  if (full && pruned && distilled) notes.push(distillation(full, pruned, distilled));
  notes.push(...faultNotes({ candidates }), ...doubtNotes(doubts));
  if (!choice.met) {
    notes.push(
      `Nothing meets the budget; the nearest candidate exceeds it in ${choice.exceeded.join(", ")}.`,
    );
  }
  return notes;
};
