/** What matrices read on some text: sums that weigh the errors of their inputs. */
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import type { Moments } from "../rounding/moments.ts";
import { survey, type WalkOptions, walkable } from "./walk.ts";

/** The moments of what each matrix multiplies, by its path. */
export type InputMoments = ReadonlyMap<string, Moments>;

const added = (a: Float64Array, b: Float64Array): Float64Array => a.map((x, i) => x + b[i]!);

/** The moments of what goes through a matrix at two places. */
const both = (a: Moments, b: Moments): Moments => ({
  ...{ k: a.k, count: a.count + b.count },
  squares: added(a.squares, b.squares),
  absolutes: added(a.absolutes, b.absolutes),
  ...(a.near === undefined || b.near === undefined ? {} : { near: added(a.near, b.near) }),
});

/**
 * The moments of a model's inputs over token ids [B, T] int32 of one shape; of matrices that several inputs
 * go through those of all, nothing for tables that are looked up alone. Throws DataError naming a matrix
 * whose inputs are not finite.
 */
export const inputMoments = async (
  engine: Engine,
  model: Model,
  batches: readonly Tensor[],
  how: Pick<WalkOptions, "signal" | "onBatch"> = {},
): Promise<InputMoments> => {
  const found = new Map<string, Moments>();
  await survey(engine, walkable(model, batches), {
    ...how,
    gram: false,
    visit: async ({ site: { paths }, moments }) => {
      for (const path of paths) {
        const before = found.get(path);
        found.set(path, before === undefined ? moments : both(before, moments));
      }
      return undefined;
    },
  });
  return found;
};
