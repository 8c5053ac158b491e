/** How far what products read goes, and what they multiply it by. */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { mul } from "../../ops/elementwise.ts";
import { reduceMax } from "../../ops/reduce.ts";
import { reshape, transpose } from "../../ops/structure.ts";
import { byColumn, type Matrix } from "../matrix.ts";
import { partOf } from "./part.ts";
import type { Walkable } from "./walk.ts";

/** How far each input goes below 0 and above it, [K]. */
export interface InputRange {
  readonly below: Float32Array;
  readonly above: Float32Array;
}

/** The largest of each input over all rows, x [..., K] -> [K, 1]. */
const mostOf = (x: Value): Value => {
  const k = x.shape.at(-1) as number;
  const rows = (x.shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1);
  return reduceMax(transpose(reshape(x, [rows, k]), [1, 0]));
};

const farther = (found: Float32Array, { data }: Tensor): void => {
  for (let i = 0; i < found.length; i++) found[i] = Math.max(found[i]!, data[i] as number);
};

/** The ranges of what each site reads, over all batches. */
export const rangesAt = async (
  engine: Engine,
  { program, sites, batches, matrices }: Walkable,
): Promise<readonly InputRange[]> => {
  const outputs = Object.fromEntries(
    sites.map(({ x }, i) => [String(i), { below: mostOf(mul(x, -1)), above: mostOf(x) }]),
  );
  const session = await compile(engine, partOf(program, outputs, [], matrices));
  const found = sites.map(({ x }): InputRange => {
    const k = x.shape.at(-1) as number;
    return { below: new Float32Array(k), above: new Float32Array(k) };
  });
  try {
    for (const ids of batches) {
      const out = await session.run({ ids });
      for (const [i, { below, above }] of found.entries()) {
        farther(below, out[`${i}.below`]!);
        farther(above, out[`${i}.above`]!);
      }
    }
  } finally {
    await session.dispose();
  }
  return found;
};

/** Largest magnitude of each input's weights in several matrices, [K]. */
export const largestWeights = (matrices: readonly Matrix[]): Float32Array => {
  const largest = new Float32Array(matrices[0]!.k);
  for (const matrix of matrices) {
    for (const [at, v] of byColumn(matrix).entries()) {
      const i = at % matrix.k;
      largest[i] = Math.max(largest[i]!, Math.abs(v));
    }
  }
  return largest;
};
