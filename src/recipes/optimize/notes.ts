/** Remarks on a result that its figures call for, for the terminal and the report. */

import type { Model } from "../../models/model.ts";
import { countParams, type Weight } from "../../nn/param.ts";
import { fixed } from "../../render/figures.ts";
import type { Candidate } from "../../search/candidates/candidate.ts";
import type { Optimized } from "../../search/candidates/optimize.ts";
import { doubtNotes, limitNotes } from "../../search/doubts.ts";
import { figureNamed, LOST, measuredValue } from "../../search/figures.ts";
import type { Criterion } from "../../tasks/task.ts";
import { entries } from "../../util/tree.ts";

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

/** Of all weights, from which share on the vocabulary's table decides the size. */
const MUCH = 0.3;

/** What helps where a size is beyond its limit and the vocabulary's table is much of it. */
export const vocabularyNotes = (
  { choice }: Pick<Optimized, "choice">,
  { arch, config, weights }: Model,
): string[] => {
  if (!choice.exceeded.some((what) => what.startsWith("size"))) return [];
  const tables = new Set(
    arch.linears(config).flatMap(({ role, path }) => (role === "embedding" || role === "head" ? [path] : [])),
  );
  const all = countParams(weights);
  let inTables = 0;
  for (const [path, { shape }] of entries<Weight>(weights)) {
    if (tables.has(path)) inTables += shape.reduce((a, d) => a * d, 1);
  }
  if (inTables < MUCH * all) return [];
  const [part, whole] = [inTables, all].map((n) => (n / 1e6).toFixed(1));
  return [`The vocabulary has ${part} of ${whole} M weights: --cut-vocab keeps what the data has of it.`];
};

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
