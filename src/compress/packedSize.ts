/** How many bytes a model's weights take in a form, before any is packed. */
import { packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import type { Weight } from "../nn/param.ts";
import { entries } from "../util/tree.ts";
import { INT4_BLOCK, INT4_BLOCKS } from "./int4.ts";
import type { Int8FormMap, QuantizeOptions } from "./quantize.ts";

/** A form, and what is known of its 8-bit matrices. */
export interface PackedSizeOptions extends Pick<QuantizeOptions, "bits" | "wide" | "block"> {
  readonly forms?: Int8FormMap | undefined;
}

/** Bytes of all weights, each once; what a graph has besides them is some kilobytes. */
export const packedBytes = (
  { arch, config, weights }: Pick<Model, "arch" | "config" | "weights">,
  { bits, wide = [], block = INT4_BLOCK, forms }: PackedSizeOptions,
): number => {
  const matrices = packable(arch.linears(config));
  const eight = new Set(wide);
  let total = 0;
  for (const [path, { shape }] of entries<Weight>(weights)) {
    const info = matrices.get(path);
    const [rows, columns] = shape as [number, number];
    if (info === undefined) {
      total += 4 * shape.reduce((a, b) => a * b, 1);
      continue;
    }
    const [k, n] = info.layout === "kn" ? [rows, columns] : [columns, rows];
    const blocks = Math.ceil(k / block);
    const strong = forms?.get(path)?.strong.length ?? 0;
    if (bits === 8 || eight.has(path)) total += n * (k + 4 + 4 * strong);
    else total += n * (blocks * (block / 2 + 4) + Math.ceil(blocks / 2));
  }
  return total;
};

/**
 * The length of blocks by which 4 bits in all matrices take the fewest bytes: longer ones have fewer scales,
 * but what is narrower than a block is padded to it.
 */
export const leastBlock = (model: Pick<Model, "arch" | "config" | "weights">): number => {
  const bytes = (block: number): number => packedBytes(model, { bits: 4, block });
  return INT4_BLOCKS.reduce<number>(
    (least, block) => (bytes(block) < bytes(least) ? block : least),
    INT4_BLOCK,
  );
};
