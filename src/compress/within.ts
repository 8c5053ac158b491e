/** Which matrices keep 8 bits where a size is given: as many as fit, by what 4 bits cost. */
import type { Model } from "../models/model.ts";
import { type PackedSizeOptions, packedBytes } from "./packedSize.ts";
import type { MatrixGroup } from "./sensitivity.ts";

/** What the weights may take, and of which form they are. */
export interface WithinOptions extends Omit<PackedSizeOptions, "bits" | "wide"> {
  readonly maxBytes: number;
  /** Matrices that keep 8 bits whatever they take. */
  readonly always?: readonly string[];
}

/**
 * Names of the matrices that keep 8 bits where the weights may take `maxBytes`: those of the cheapest groups
 * for a param take 4 until the rest fits; then those that 4 bits cost most have 8 again, as far as they fit,
 * since the last group may have been larger than need be. All that may take 4 do where nothing fits.
 */
export const wideWithin = (
  model: Pick<Model, "arch" | "config" | "weights">,
  groups: readonly MatrixGroup[],
  { maxBytes, always = [], ...form }: WithinOptions,
): string[] => {
  const eight = new Set([...always, ...groups.flatMap(({ paths }) => paths)]);
  const fits = (): boolean => packedBytes(model, { bits: 4, wide: [...eight], ...form }) <= maxBytes;
  const kept = new Set(always);
  for (const { paths } of groups) {
    if (fits()) break;
    for (const path of paths) if (!kept.has(path)) eight.delete(path);
  }
  for (const { paths } of groups.toReversed()) {
    const narrow = paths.filter((path) => !eight.has(path));
    for (const path of narrow) eight.add(path);
    if (!fits()) for (const path of narrow) eight.delete(path);
  }
  return [...eight].sort();
};
