/** A model in its packed form: what is measured of it, which matrices keep 8 bits, codes of the others. */
import { int8Forms } from "../../compress/forms.ts";
import { packedBytes } from "../../compress/packedSize.ts";
import { type Int8FormMap, roundedModel } from "../../compress/quantize.ts";
import { groupCosts, type MatrixGroup, wideUnderBudget } from "../../compress/sensitivity.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { defined } from "../../util/defined.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { MeasuredExport } from "../export/export.ts";
import type { FormChoice } from "./options.ts";

/** What a form is made with. */
export interface FormOptions {
  /** Texts as token ids; nothing is measured without any. */
  readonly texts?: readonly (readonly number[])[];
  readonly maxBytes?: number;
  /** Tokens that are read at most. */
  readonly tokens: number;
  readonly hooks: Pick<RecipeHooks, "ui" | "signal">;
}

/** A model's form, as exports take it. */
export interface PackedForm extends MeasuredExport {
  readonly wide: readonly string[];
  readonly notes: readonly string[];
}

/** Matrices that keep 8 bits: those that 4 cost too much, or as many as the size allows. */
const wideFor = (
  model: Model,
  groups: readonly MatrixGroup[],
  { maxBytes, ...size }: { maxBytes?: number; block?: number; forms?: Int8FormMap },
): string[] => {
  if (maxBytes === undefined) return wideUnderBudget(groups);
  const eight = new Set(groups.flatMap(({ paths }) => paths));
  for (const { paths } of groups) {
    if (packedBytes(model, { bits: 4, wide: [...eight], ...size }) <= maxBytes) break;
    for (const path of paths) eight.delete(path);
  }
  return [...eight].sort();
};

/** Measures a dense model and rounds its matrices. Throws as `roundedModel` does. */
export const packedForm = async (
  engine: Engine,
  model: Model,
  { bits, method, block }: FormChoice,
  { texts, maxBytes, tokens, hooks }: FormOptions,
): Promise<PackedForm> => {
  const forms = texts === undefined ? undefined : await int8Forms(engine, model, texts);
  const int8 = defined({ int8: forms });
  if (bits === 8) return { model, notes: [], wide: [], ...int8 };
  const groups = texts === undefined ? [] : await groupCosts(engine, model, texts);
  const wide = wideFor(model, groups, defined({ maxBytes, block, forms }));
  const rounding = defined({ method, block });
  const progress = hooks.ui.task("rounding", 0);
  const made = await roundedModel(engine, model, {
    ...{ rounding, wide, tokens, signal: hooks.signal },
    ...defined({ texts }),
    onSite: (done, of) => progress.update(done, { of }),
  });
  progress.done(`rounded ${made.codes.size} matrices by ${method ?? "search"}`);
  return { ...made, wide, rounding, ...int8 };
};
