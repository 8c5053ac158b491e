/**
 * Matryoshka widths (Kusupati et al. 2022, https://arxiv.org/abs/2205.13147): the first channels alone have
 * to serve as well, so that vectors can be cut; as MatryoshkaLoss of sentence-transformers.
 */
import { unitRows } from "../../../models/pooling.ts";
import type { Totals } from "../../../nn/loss.ts";
import { add } from "../../../ops/elementwise.ts";
import { slice } from "../../../ops/structure.ts";
import type { VectorLoss } from "./vectorLoss.ts";

/** The sum of `loss` of the vectors cut to each of `widths` and scaled to length 1. */
export const matryoshka = (loss: VectorLoss, widths: readonly number[]): VectorLoss => ({
  name: `${loss.name}, ${widths.join(" and ")} wide`,
  inputs: loss.inputs,
  totals: (vectors, inputs) => {
    const all = widths.map((width): Totals => {
      return loss.totals(unitRows(slice(vectors, vectors.shape.length - 1, 0, width)), inputs);
    });
    return { total: all.map(({ total }) => total).reduce((a, b) => add(a, b)), count: all[0]!.count };
  },
});
