/** What matrices read on some text: sums that weigh the errors of their inputs. */
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import type { Moments } from "../rounding/moments.ts";
import { survey, type WalkOptions, walkable } from "./walk.ts";

/** The moments of what each matrix multiplies, by its path. */
export type InputMoments = ReadonlyMap<string, Moments>;

const added = (a: Float64Array, b: Float64Array): Float64Array => a.map((x, i) => x + b[i]!);

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
    visit: async ({ site: { paths }, moments: { k, count, squares, absolutes } }) => {
      for (const path of paths) {
        const before = found.get(path);
        const sum =
          before === undefined
            ? { k, count, squares, absolutes }
            : {
                ...{ k, count: before.count + count },
                squares: added(before.squares, squares),
                absolutes: added(before.absolutes, absolutes),
              };
        found.set(path, sum);
      }
      return undefined;
    },
  });
  return found;
};
