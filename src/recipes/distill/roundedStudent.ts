/** A student whose matrices are rounded while it learns, and what is shipped of it. */
import { modelCodes } from "../../compress/calibration/codes.ts";
import { learningRounded, learntRounded } from "../../compress/distillation/learntRounding.ts";
import { INT4_BLOCK } from "../../compress/int4.ts";
import { quantized } from "../../compress/quantize.ts";
import type { Codes } from "../../compress/rounding/codes.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import type { AllForms } from "../../search/candidates/candidate.ts";

/** The student as it learns under 4 bits, on the grids of a scale search. Throws ConfigError as that does. */
export const roundedPupil = async (engine: Engine, student: Model): Promise<Model> => {
  const grid = { bits: 4, block: INT4_BLOCK } as const;
  const { codes } = await modelCodes(engine, student, { method: "search", grid });
  return learningRounded(student, codes);
};

/** What was learnt: numbers as they are rounded, and their codes. */
export const finishedRounded = (trained: Model): { readonly model: Model; readonly codes: Learnt } => {
  const { model, codes } = learntRounded(trained);
  return { model, codes };
};

/** Codes by path. */
export type Learnt = ReadonlyMap<string, Codes>;

/** The model's forms, those of 4 bits by the codes that were learnt. */
export const formsWith = (forms: AllForms, model: Model, codes: Learnt): AllForms => ({
  ...forms,
  q4: quantized(model, { bits: 4 }, { codes }),
});
