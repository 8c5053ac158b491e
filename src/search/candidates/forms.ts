/** The forms of a dense model that are made with more than a dtype: rounded by GPTQ, fitted to a limit. */

import type { Context } from "../../compress/pass.ts";
import { quantized, roundedModel } from "../../compress/quantize.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { int8FormOf } from "../../nn/kinds/int8.ts";
import { isPacked, type Weight } from "../../nn/param.ts";
import type { Int8Form } from "../../ops/int8.ts";
import { entries } from "../../util/tree.ts";
import type { Base } from "./candidate.ts";

/** The 8-bit matrices of a form, and how their products meet their inputs. */
export const eightBitIn = ({ weights }: Model): Map<string, Int8Form> =>
  new Map(
    Array.from(entries<Weight>(weights)).flatMap(([path, w]) =>
      isPacked(w) && w.kind.name === "int8" ? [[path, int8FormOf(w)] as const] : [],
    ),
  );

/** Rows of ids [B, T]. */
const rowsOf = (batches: readonly Tensor[]): number[][] =>
  batches.flatMap(({ shape, data }) => {
    const [rows, length] = shape as readonly [number, number];
    return Array.from({ length: rows }, (_, row) =>
      Array.from(data.slice(row * length, (row + 1) * length) as Int32Array),
    );
  });

/** `base` with its 4 bits rounded by GPTQ; the matrices that keep 8 are those of the usual form. */
export const roundedByGptq = async (
  base: Base,
  batches: readonly Tensor[],
  { engine, signal, log }: Context,
): Promise<Base> => {
  const forms = eightBitIn(base.forms.q4!);
  const wide = [...forms.keys()];
  const texts = rowsOf(batches);
  const made = await roundedModel(engine, base.dense, { rounding: { method: "gptq" }, wide, texts, signal });
  for (const note of made.notes) log(note);
  const q4 = quantized(made.model, { bits: 4, wide, method: "gptq" }, { codes: made.codes, forms });
  return { name: `${base.name} gptq`, dense: base.dense, forms: { ...base.forms, q4 } };
};
