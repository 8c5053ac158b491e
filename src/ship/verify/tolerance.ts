/** How far each form of a model may be from its dense weights: dtypes of graphs, kinds of GGUF files. */
import { type GgufMixName, ggufMixes } from "../gguf/mixes.ts";
import { type ExportDtype, exportDtypes, type Tolerance, tolerances } from "../onnx/dtype.ts";

/** A dtype of graphs, or a kind of GGUF file: "q8", "q4_k_m". */
export type FormName = ExportDtype | GgufMixName;

/** Every form, from the most exact of its format. */
export const formNames: readonly FormName[] = [
  ...(Object.keys(exportDtypes) as ExportDtype[]),
  ...(Object.keys(ggufMixes) as GgufMixName[]),
];

/**
 * By the bits that a file's usual matrices have. Files of float32 are judged as float16 is: llama.cpp keeps
 * its cache in that, as its users have it.
 */
const ofBits = (name: GgufMixName): Tolerance => {
  const { base } = ggufMixes[name];
  if (base === "f32" || base === "f16") return tolerances.half;
  const bits = Number(/\d/.exec(base)![0]);
  if (bits >= 8) return tolerances.eight;
  if (bits === 6) return tolerances.six;
  return bits > 3 ? tolerances.four : tolerances.three;
};

/** What a form may be apart. */
export const toleranceOf = (name: FormName): Tolerance =>
  Object.hasOwn(exportDtypes, name)
    ? exportDtypes[name as ExportDtype].tolerance
    : ofBits(name as GgufMixName);
