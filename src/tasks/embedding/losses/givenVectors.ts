/**
 * Vectors that a teacher made of the texts (Reimers and Gurevych 2020, https://arxiv.org/abs/2004.09813): a
 * smaller model, or one of another language, learns to make the same.
 */
import { unitRows } from "../../../models/pooling.ts";
import { mul, sub } from "../../../ops/elementwise.ts";
import { slice, sum } from "../../../ops/structure.ts";
import { textAt, type VectorLoss } from "./vectorLoss.ts";

// B texts, C channels

/** How far vectors are from those that are given. */
export interface GivenVectorsOptions {
  /** Channels of a vector. */
  readonly width: number;
  /** 1 - cosine, or the mean of squared differences, as MSELoss of sentence-transformers. */
  readonly by: "cosine" | "mse";
}

/** How far vectors [B, 1, C] are from `given` float32 [B, C], of which cut ones take the first channels. */
export const givenVectors = ({ width, by }: GivenVectorsOptions): VectorLoss => ({
  name: by,
  inputs: ({ batch }) => ({ given: { dtype: "float32", shape: [batch, width] } }),
  totals: (vectors, { present, given }) => {
    const own = textAt(vectors, 0);
    const there = textAt(present!, 0); // [B]
    const cut = own.shape[1] as number;
    const wanted = cut === width ? given! : slice(given!, 1, 0, cut);
    if (by === "mse") {
      const off = sub(own, wanted);
      const losses = mul(sum(mul(off, off), [1]), there);
      return { total: sum(losses), count: mul(sum(there), cut) };
    }
    const cosines = sum(mul(unitRows(own), unitRows(wanted)), [1]);
    return { total: sum(mul(sub(1, cosines), there)), count: sum(there) };
  },
});
