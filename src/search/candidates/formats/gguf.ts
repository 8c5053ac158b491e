/** Files of llama.cpp: a form is the dense model, with the kind of file that it is to be written as. */
import { calibrationBatches, weighing } from "../../../compress/calibration/batches.ts";
import { inputMoments } from "../../../compress/calibration/inputMoments.ts";
import { type Context, derived } from "../../../compress/pass.ts";
import { CALIBRATION_TOKENS } from "../../../compress/quantize.ts";
import { ggmlBytes } from "../../../formats/gguf/gguf.ts";
import type { Model } from "../../../models/model.ts";
import type { Weight } from "../../../nn/param.ts";
import { type Gguf, gguf } from "../../../ship/gguf/gguf.ts";
import { type GgufMixName, ggufMixes, weighsInputs } from "../../../ship/gguf/mixes.ts";
import { type GgufImportance, ggufTensors } from "../../../ship/gguf/model.ts";
import { entries } from "../../../util/tree.ts";
import type { Form, FormDtype, FormFormat, GgufForm } from "./format.ts";

/** Kinds of files that are tried. */
const USUAL = ["f32", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "q3_k_m"] as const;

/** The kind of file that a form is. */
export const mixOf = (dtype: FormDtype): GgufMixName => (dtype === "fp32" ? "f32" : (dtype as GgufMixName));

/** The form that a kind of file is. */
const dtypeOf = (type: GgufMixName): FormDtype => (type === "f32" ? "fp32" : type);

/** The file of a form. Throws Error for a form of another format. */
export const ggufOf = ({ gguf: how, ...model }: Form): Gguf => {
  if (how === undefined) throw new Error("is no form of a GGUF file");
  return gguf(model, how);
};

/** Inputs that all count alike, of every matrix that multiplies some. */
const alike = ({ arch, config, weights }: Model): GgufImportance => {
  const shapes = new Map(Array.from(entries<Weight>(weights), ([path, { shape }]) => [path, shape] as const));
  return new Map(
    arch.linears(config).flatMap(({ path, layout, reads }) => {
      const shape = shapes.get(path);
      if (reads === undefined || shape === undefined) return [];
      return [[path, new Float64Array((layout === "kn" ? shape[0] : shape[1])!).fill(1)] as const];
    }),
  );
};

/** A kind of file of a model: its tensors' types as one text, and their bytes. */
const kindOf = (model: Model, type: GgufMixName) => {
  const tensors = ggufTensors(model, type, weighsInputs(type) ? alike(model) : undefined);
  return {
    type,
    types: tensors.map((tensor) => tensor.type).join(" "),
    bytes: tensors.reduce((sum, each) => sum + ggmlBytes(each.name, each.shape, each.type), 0),
  };
};

/** Kinds of files by their bytes: of narrow rows one of fewer bits may be larger. */
const bySize = (model: Model, types: readonly GgufMixName[]) =>
  types.map((type) => kindOf(model, type)).sort((a, b) => b.bytes - a.bytes);

/** The usual kinds that are not the same file as one before. */
const distinct = (model: Model): GgufMixName[] => {
  const all = bySize(model, USUAL);
  return all
    .filter(({ types }, i) => all.findIndex((other) => other.types === types) === i)
    .map(({ type }) => type);
};

/** What errors of inputs count, by their mean squares on the texts that passes look at. */
const importanceOf = async (
  dense: Model,
  { engine, calibration = [], signal }: Context,
): Promise<GgufImportance> => {
  if (calibration.length === 0) return new Map();
  const batches = weighing(calibrationBatches(dense, calibration, CALIBRATION_TOKENS));
  const moments = await inputMoments(engine, dense, batches, { signal });
  return new Map(Array.from(moments, ([path, { squares }]) => [path, squares]));
};

/** The forms of a model's GGUF files. Throws ConfigError for a model that llama.cpp does not have. */
export const ggufFormat = (model: Model, about: Pick<GgufForm, "tokenizer" | "name">): FormFormat => {
  const found = new WeakMap<Model, Promise<GgufImportance>>();
  const importances = (dense: Model, context: Context): Promise<GgufImportance> => {
    const own = found.get(dense) ?? importanceOf(dense, context);
    found.set(dense, own);
    return own;
  };
  return {
    name: "gguf",
    dtypes: bySize(model, Object.keys(ggufMixes) as GgufMixName[]).map(({ type }) => dtypeOf(type)),
    usual: distinct(model).map(dtypeOf),
    rounds: false,
    async make(dense, dtype, context) {
      const type = mixOf(dtype);
      const importance = weighsInputs(type) ? await importances(dense, context) : new Map();
      const step = { name: "gguf", options: { type } };
      return { ...(type === "f32" ? dense : derived(dense, step, {})), gguf: { ...about, type, importance } };
    },
    like: (shape, { gguf: how }) => ({
      ...shape,
      ...(how === undefined
        ? {}
        : { gguf: { ...how, importance: how.importance.size > 0 ? alike(shape) : new Map() } }),
    }),
    bytes: (form) => ggufOf(form).sizeBytes,
  };
};
