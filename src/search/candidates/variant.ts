/** The form of a dense model that a configuration says: its dtype, and how its numbers are rounded. */
import type { Context } from "../../compress/pass.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Values } from "../space/space.ts";
import { type Base, withForms } from "./candidate.ts";
import { fittedTo } from "./fitted.ts";
import type { FormDtype, FormFormat } from "./formats/format.ts";
import { roundedByGptq } from "./forms.ts";
import { dtypeIn } from "./space.ts";

/** What forms are made by, besides a dtype. */
export interface VariantOptions {
  readonly format: FormFormat;
  /** Token ids that GPTQ looks at. */
  readonly batches?: readonly Tensor[];
  /** Bytes that a file may have. */
  readonly limit?: number;
}

/** The usual forms that a configuration needs. */
const dtypesFor = (values: Values): readonly FormDtype[] =>
  values.rounding === "fitted" ? [...new Set([dtypeIn(values), "q8", "q4"] as const)] : [dtypeIn(values)];

/** The base that a configuration is a form of; undefined where a limit leaves no room for another form. */
export const variantOf = async (
  base: Base,
  { rounding = "search" }: Values,
  { format, batches, limit }: VariantOptions,
  context: Context,
): Promise<Base | undefined> => {
  if (rounding === "search") return base;
  if (rounding === "gptq") return batches === undefined ? undefined : roundedByGptq(base, batches, context);
  if (limit === undefined) return undefined;
  const sizes = { q4: format.bytes(base.forms.q4!), q8: format.bytes(base.forms.q8!) };
  return fittedTo(base, { limit, sizes }, context);
};

/** A dense model with the usual forms, and the base that a configuration is a form of, where there is one. */
export interface Variant {
  readonly usual: Base;
  readonly base: Base | undefined;
}

/** Makes the form of a dense model that a configuration says. */
export const variantFor = async (
  whole: Base,
  values: Values,
  options: VariantOptions,
  context: Context,
): Promise<Variant> => {
  const usual = await withForms(whole, dtypesFor(values), { context, format: options.format });
  return { usual, base: await variantOf(usual, values, options, context) };
};
