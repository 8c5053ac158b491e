/** Whole runs, as functions: what the command line calls. */

export {
  type DataOptions,
  type DistillationOptions,
  defaults,
  defineConfig,
  distillDefaults,
  type Family,
  finetuneDefaults,
  type ModelOptions,
  type RunConfig,
  type RunOptions,
  type TokenizerOptions,
  type TrainingOptions,
} from "./config/options.ts";
export type { RecipeHooks, Watch, Watched } from "./context/hooks.ts";
export { type Progress, silent, type Ui } from "./context/ui.ts";
export {
  type ProxyOptions,
  type ProxySource,
  type ProxyStep,
  type ProxyWeight,
  proxyMix,
} from "./data/proxyMix.ts";
export type { UserData } from "./data/userData.ts";
export { type Distilled, distillModel } from "./distill/distill.ts";
export type { DistillModelOptions, DistillReport, StudentForm } from "./distill/options.ts";
export { evaluateFolder } from "./evaluate/evaluate.ts";
export type { EvalOptions, Evaluation, Prediction } from "./evaluate/evaluation.ts";
export { type Exported, type ExportedFile, type ExportFolderOptions, exportFolder } from "./export/export.ts";
export { type GgufFolderOptions, type GgufWritten, ggufFolder } from "./export/gguf.ts";
export { type Finetuned, finetune } from "./finetune/finetune.ts";
export {
  type GenerateTextOptions,
  generateText,
  type OpenTextOptions,
  type TextModel,
  type TextOptions,
  textModel,
} from "./generate/generate.ts";
export type { Outcome } from "./optimize/compressAndShip.ts";
export type { Delivered } from "./optimize/deliver.ts";
export { optimizeFolder } from "./optimize/optimize.ts";
export type { FormFigures, QuantizeFolderOptions, QuantizeReport } from "./quantize/options.ts";
export {
  predictQuantized,
  type QuantizedFolder,
  type QuantizePrediction,
  quantizeFolder,
} from "./quantize/quantize.ts";
export { quickstart } from "./quickstart.ts";
export type { Goal, SweepOptions } from "./sweep/options.ts";
export { defaultSpace, paramOf } from "./sweep/space.ts";
export { type Swept, sweep } from "./sweep/sweep.ts";
export { type Trained, trainModel } from "./train/train.ts";
export { type VerifyOptions, verifyFolder } from "./verify/verify.ts";
