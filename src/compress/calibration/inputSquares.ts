/** What errors of a matrix's inputs count: mean squares of what its products read. */
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { survey, type WalkOptions, walkable } from "./walk.ts";

/**
 * The mean squares [K] of what each matrix multiplies, by its path, over token ids [B, T] int32 of one shape;
 * nothing for tables that are looked up alone. Throws DataError naming a matrix whose inputs are not finite.
 */
export const inputSquares = async (
  engine: Engine,
  model: Model,
  batches: readonly Tensor[],
  how: Pick<WalkOptions, "signal" | "onBatch"> = {},
): Promise<ReadonlyMap<string, Float64Array>> => {
  const sums = new Map<string, { readonly squares: Float64Array; count: number }>();
  await survey(engine, walkable(model, batches), {
    ...how,
    gram: false,
    visit: async ({ site: { paths }, moments: { squares, count } }) => {
      for (const path of paths) {
        const sum = sums.get(path) ?? { squares: new Float64Array(squares.length), count: 0 };
        for (let i = 0; i < squares.length; i++) sum.squares[i]! += squares[i]!;
        sum.count += count;
        sums.set(path, sum);
      }
      return undefined;
    },
  });
  return new Map(Array.from(sums, ([path, { squares, count }]) => [path, squares.map((s) => s / count)]));
};
