/** A model's matrices as a dtype packs them; what has to be measured for it is kept between runs. */
import type { Ids } from "../../compress/probe.ts";
import { CALIBRATION_TOKENS, quantized } from "../../compress/quantize.ts";
import { wideUnderBudget } from "../../compress/sensitivity.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import { type ExportDtype, exportDtypes } from "../../ship/onnx/dtype.ts";
import { silent } from "../context/ui.ts";
import { costsOn, formsOn, measuring, roundedBy } from "./measured.ts";

/**
 * `model` in `dtype`, the same as an export packs it. Without texts each matrix is rounded by itself. Throws
 * as
 * `quantized`.
 */
export const packedAs = async (
  engine: Engine,
  model: Model,
  dtype: ExportDtype,
  texts: Ids | undefined,
): Promise<Model> => {
  const { packed, pass } = exportDtypes[dtype];
  if (packed === undefined || texts === undefined) {
    return pass.run(model, { engine, seed: 1, log: () => {} });
  }
  const study = measuring(engine, model, { ui: silent });
  const forms = await formsOn(study, texts);
  if (packed.bits !== 4) return quantized(model, packed, { forms });
  const wide = wideUnderBudget(await costsOn(study, texts));
  const found = await roundedBy(study, { ...packed, wide, tokens: CALIBRATION_TOKENS, texts });
  return quantized(found.model, { ...packed, wide }, { forms, codes: found.codes });
};
