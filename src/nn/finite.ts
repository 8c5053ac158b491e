/** Weights that are numbers: a single one that is not makes all that is computed none. */
import { DataError } from "../util/errors.ts";
import { tensorsOf, type Weights } from "./param.ts";

/** The place of the first number that is NaN or an infinity; -1 where there is none. */
const notFinite = (data: Float32Array): number => {
  let sum = 0;
  // Every finite number times 0 is 0: a sum without a branch is several times as fast as a search.
  for (let i = 0; i < data.length; i++) sum += data[i]! * 0;
  return sum === 0 ? -1 : data.findIndex((x) => !Number.isFinite(x));
};

/** Throws DataError naming the first tensor of a file or folder that holds NaN or an infinity. */
export const requireFinite = (weights: Weights, file: string): void => {
  for (const [path, { dtype, data }] of tensorsOf(weights)) {
    const at = dtype === "float32" ? notFinite(data as Float32Array) : -1;
    if (at < 0) continue;
    throw new DataError(`holds ${data[at]} at place ${at}: its file is damaged, or its training diverged`, {
      ...{ file, tensor: path },
      hint: "fetch it anew, or take an earlier checkpoint",
    });
  }
};
