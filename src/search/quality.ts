/**
 * A candidate's quality by the scores of held-out examples: the task's figures, what is lost and kept of
 * it.
 */
import { bootstrapMean } from "../metrics/bootstrap.ts";
import { exactly, type Figures, type Measured, mapped } from "../metrics/metric.ts";
import { meanOf } from "../tasks/scores.ts";
import type { Criterion, HeldOut, Task } from "../tasks/task.ts";
import { figureName, KEPT, LOST } from "./figures.ts";
import { lossDifference } from "./noise.ts";

/** Scores as the means of blocks of neighbours, which are not independent. */
const blocksOf = (scores: Float32Array, block: number): number[] =>
  Array.from({ length: Math.max(1, Math.floor(scores.length / block)) }, (_, i) =>
    meanOf(scores.subarray(i * block, Math.min(scores.length, (i + 1) * block))),
  );

/** A criterion of scores. Its ends are those of scores whose mean is at the ends of the mean's interval. */
export const criterionFigure = (criterion: Criterion, scores: Float32Array, heldOut: HeldOut): Measured => {
  const mean = bootstrapMean(blocksOf(scores, criterion.block ?? 1));
  const at = (end: number): number =>
    Number.isFinite(end)
      ? criterion.of(
          scores.map((x) => x + end - mean.value),
          heldOut,
        )
      : end;
  const value = criterion.of(scores, heldOut);
  const ends = [at(mean.low), at(mean.high)].sort((a, b) => a - b);
  return { value, low: Math.min(value, ends[0]!), high: Math.max(value, ends[1]!), n: scores.length };
};

/** What the others are compared with. */
export interface Start {
  readonly scores: Float32Array;
  /** Its value of the task's criterion. */
  readonly quality: number;
}

/** What is lost of the criterion against the start, with the interval of their differences in pairs. */
const lostAgainst = (
  { better, of }: Criterion,
  scores: Float32Array,
  start: Start,
  heldOut: HeldOut,
): Measured => {
  const sign = better === "less" ? 1 : -1;
  const value = sign * (of(scores, heldOut) - start.quality);
  const { standardError, n } = lossDifference(scores, start.scores);
  // Units of the criterion to one of scores.
  const scale = Math.abs(start.quality / meanOf(start.scores));
  const margin = 1.96 * standardError * scale;
  return Number.isNaN(margin)
    ? { ...exactly(value), n }
    : { value, low: value - margin, high: value + margin, n };
};

/** The figures of quality of one candidate; without `start` it is the start itself. */
export const qualityFigures = (
  { criterion, metrics = [] }: Pick<Task, "criterion" | "metrics">,
  scores: Float32Array,
  { heldOut, start }: { readonly heldOut: HeldOut; readonly start?: Start | undefined },
): Figures => {
  const lost = start === undefined ? exactly(0) : lostAgainst(criterion, scores, start, heldOut);
  const whole = start?.quality ?? criterion.of(scores, heldOut);
  const kept = (x: number): number => (criterion.better === "less" ? whole / (whole + x) : 1 - x / whole);
  const all = [criterion, ...metrics].map((each): [string, Measured] => [
    figureName(each.name),
    criterionFigure(each, scores, heldOut),
  ]);
  return {
    ...Object.fromEntries(all),
    [LOST]: lost,
    [KEPT]: start === undefined ? exactly(1) : mapped(lost, kept),
  };
};
