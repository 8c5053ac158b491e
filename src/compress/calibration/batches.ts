/** Calibration texts as batches of one shape. */
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import type { Ids } from "../probe.ts";

/** Rows of a batch, and tokens of a row at most. */
const [ROWS, LENGTH] = [8, 128];

/**
 * Token ids [B, T] int32: the texts one behind the other, at most `tokens` of them. What does not fill a
 * batch is left.
 */
export const calibrationBatches = (
  { arch, config }: Pick<Model, "arch" | "config">,
  texts: Ids,
  tokens: number,
): Tensor[] => {
  const all = texts.flat();
  const length = Math.max(1, Math.min(LENGTH, arch.cache(config).positions - 1));
  const rows = Math.max(1, Math.min(ROWS, Math.floor(all.length / length)));
  const size = rows * length;
  const count = Math.max(1, Math.floor(Math.min(all.length, tokens) / size));
  return Array.from({ length: count }, (_, b) => {
    const ids = Int32Array.from({ length: size }, (__, i) => all[(b * size + i) % all.length] ?? 0);
    return tensor("int32", [rows, length], ids);
  });
};

/** Every so many-th batch tells how much of a fit holds on text that it was not learnt from. */
const APART = 4;

/** Which of `count` batches are apart: none where there are too few. */
export const apartOf =
  (count: number) =>
  (batch: number): boolean =>
    count >= APART && batch % APART === APART - 1;

/** Tokens, or nearly as many, whose mean squares are known well enough to weigh errors by. */
const WEIGHED_ON = 8192;

/** As many of the batches, from all over the text, as mean squares need; second moments need them all. */
export const weighing = (batches: readonly Tensor[]): readonly Tensor[] => {
  const count = Math.max(1, Math.round(WEIGHED_ON / (batches[0]?.data.length ?? WEIGHED_ON)));
  if (batches.length <= count) return batches;
  return Array.from({ length: count }, (_, i) => batches[Math.floor((i * batches.length) / count)]!);
};
