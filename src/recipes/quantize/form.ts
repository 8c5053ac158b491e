/** A model in its packed form: what is measured of it, which matrices keep 8 bits, codes of the others. */
import { type MatrixGroup, wideUnderBudget } from "../../compress/sensitivity.ts";
import { type WithinOptions, wideWithin } from "../../compress/within.ts";
import { packable } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import type { MeasuredExport } from "../export/export.ts";
import { costsOn, formsOn, type Measuring, roundedBy } from "../model/measured.ts";
import type { FormChoice, WideKind } from "./options.ts";

/** What a form is made with. */
export interface FormOptions {
  /** Texts as token ids; nothing is measured without any. */
  readonly texts?: readonly (readonly number[])[];
  readonly maxBytes?: number;
  /** Kinds of matrices that keep 8 bits. */
  readonly keep8?: readonly WideKind[];
  /** Tokens that are read at most. */
  readonly tokens: number;
}

/** A model's form, as exports take it. */
export interface PackedForm extends MeasuredExport {
  readonly wide: readonly string[];
  readonly notes: readonly string[];
}

/**
 * The matrices of the kinds that are named; a table that gives logits too is a head as well. Throws
 * ConfigError for a kind that the model has not.
 */
const ofKinds = ({ arch, config }: Model, kinds: readonly WideKind[]): string[] => {
  const all = [...packable(arch.linears(config)).values()];
  const found = kinds.map((kind) => {
    const own = all.filter(({ role, reads }) => kind === role || (kind === "head" && reads === "head"));
    if (own.length > 0) return own.map(({ path }) => path);
    const roles = [...new Set(all.map(({ role }) => role))].join(", ");
    throw new ConfigError(`names "${kind}", and the model has no such matrices`, {
      field: "quantize.keep8",
      hint: `it has ${roles}`,
    });
  });
  return [...new Set(found.flat())].sort();
};

/** Matrices that keep 8 bits: kinds that are named, what 4 cost too much, or as many as the size allows. */
const wideFor = (
  model: Model,
  groups: readonly MatrixGroup[],
  { maxBytes, always, ...size }: Partial<WithinOptions> & { readonly always: readonly string[] },
): string[] => {
  if (maxBytes !== undefined) return wideWithin(model, groups, { ...size, maxBytes, always });
  return always.length > 0 ? [...always] : wideUnderBudget(groups);
};

/** Measures a dense model and rounds its matrices. Throws as `roundedBy` does. */
export const packedForm = async (
  study: Measuring,
  { bits, method = "search", block }: FormChoice,
  { texts, maxBytes, keep8 = [], tokens }: FormOptions,
): Promise<PackedForm> => {
  const { model } = study;
  const forms = texts === undefined ? undefined : await formsOn(study, texts);
  const int8 = defined({ int8: forms });
  if (bits === 8) return { model, notes: [], wide: [], ...int8 };
  const groups = texts === undefined ? [] : await costsOn(study, texts);
  const always = ofKinds(model, keep8);
  const wide = wideFor(model, groups, { always, ...defined({ maxBytes, block, forms }) });
  const made = await roundedBy(study, { method, wide, tokens, ...defined({ block, texts }) });
  return { ...made, wide, rounding: { method, ...defined({ block }) }, ...int8 };
};
