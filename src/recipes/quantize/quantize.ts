/** From a model's folder to one whose matrices take few bits, with what that cost. */
import { INT4_BLOCK, INT4_BLOCKS } from "../../compress/int4.ts";
import { packedBytes } from "../../compress/packedSize.ts";
import { CALIBRATION_TOKENS, quantized } from "../../compress/quantize.ts";
import { needsText, roundingMethods } from "../../compress/rounding/methods.ts";
import type { Engine } from "../../engine/engine.ts";
import { kernelName } from "../../evaluate/kernels.ts";
import { packable } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { countParams, denseTensors } from "../../nn/param.ts";
import { modelDir } from "../../node/hub/hub.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { knownKernels } from "../../node/runtime/kernelCache.ts";
import { meanOf } from "../../tasks/scores.ts";
import { defined } from "../../util/defined.ts";
import { AnnealError, ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { type Exportable, type Exported, openExport, writeExport } from "../export/export.ts";
import { measuring, scoresOn } from "../model/measured.ts";
import { refuseRounded } from "../model/refuseRounded.ts";
import { quantizeJson, quantizeSection } from "./card.ts";
import { type PackedForm, packedForm } from "./form.ts";
import { type QuantizeMaterial, quantizeMaterial } from "./material.ts";
import { type FormChoice, formChoice, type QuantizeFolderOptions, type QuantizeReport } from "./options.ts";

/** What was written, and what it cost. */
export interface QuantizedFolder extends Exported, QuantizeReport {
  readonly seconds: number;
}

/** What a quantization would give. */
export interface QuantizePrediction {
  /** Bytes of the weights now. */
  readonly denseBytes: number;
  /** With all matrices in the bits that are asked for, and of 4 bits with all that could keep 8 in 8. */
  readonly leastBytes: number;
  readonly mostBytes: number;
  readonly matrices: number;
  readonly met: boolean;
}

const denseBytes = ({ weights }: Model): number =>
  Array.from(denseTensors(weights)).reduce((sum, [, { data }]) => sum + data.byteLength, 0);

const opened = async (ref: string, options: QuantizeFolderOptions, hooks: RecipeHooks) => {
  const choice = formChoice(options);
  const { out, weights = true, adapters } = options;
  const { ui, signal, command, hub } = hooks;
  const dtypes = [choice.bits === 4 ? "q4" : "q8"];
  const into = { out, weights, dtypes, ui, command, ...defined({ signal, hub, adapters }) };
  const dir = await modelDir(ref, hub);
  await refuseRounded(dir, "rounded");
  return { choice, into, source: await openExport(ref, into) };
};

/** What is read of text; nothing where it cannot be read, the method needs none and the user named none. */
const materialFor = async (
  engine: Engine,
  { dir, loaded: { model } }: Exportable,
  { method = "search" }: FormChoice,
  { run, ...rest }: { readonly run: RunOptions; readonly tokens: number; readonly hooks: RecipeHooks },
): Promise<QuantizeMaterial | undefined> => {
  try {
    const tokenizer = await readTokenizer(dir);
    return await quantizeMaterial(engine, { model, tokenizer }, run, rest);
  } catch (error) {
    const needed = needsText(roundingMethods[method]) || run.data.paths.length > 0;
    if (needed || !(error instanceof AnnealError)) throw error;
    rest.hooks.ui.warn(`nothing is measured: ${error.message}`);
    return undefined;
  }
};

/** Tells of products of 4 bits that are no quicker here. Throws ConfigError where their numbers are wrong. */
const checkProducts = async (
  engine: Engine,
  { bits, block = INT4_BLOCK }: FormChoice,
  { ui }: RecipeHooks,
): Promise<void> => {
  if (bits !== 4) return;
  const forms = INT4_BLOCKS.map((size) => ({ bits, block: size, zeros: true, accuracy: 4 }) as const);
  const found = await knownKernels(engine, forms);
  const own = found.find((kernel) => kernel.block === block)!;
  if (own.status === "sound") return;
  const sound = found.filter(({ status }) => status === "sound").map((kernel) => kernel.block);
  const about = `${kernelName(own)}: ${own.why}, with ${engine.name} ${engine.version} on this machine`;
  if (own.status === "slow") return ui.warn(`${about}: the file is smaller, and no quicker`);
  throw new ConfigError(about, {
    field: "quantize.block",
    hint: sound.length === 0 ? "choose --bits 8" : `choose --block ${sound.join(" or ")}`,
  });
};

/** The most bytes that the weights may take, whichever way it is said. */
const maxBytesOf = (
  { weights }: Model,
  { maxBytes, bitsPerWeight }: Pick<QuantizeFolderOptions, "maxBytes" | "bitsPerWeight">,
): number | undefined =>
  bitsPerWeight === undefined ? maxBytes : Math.floor((bitsPerWeight * countParams(weights)) / 8);

/** What was done, from the forms and their scores. */
const reportOf = (
  model: Model,
  { wide, notes, int8: forms }: PackedForm,
  {
    choice,
    material,
    scores,
    maxBytes,
  }: {
    readonly choice: FormChoice;
    readonly material: QuantizeMaterial | undefined;
    readonly scores: readonly (Float32Array | undefined)[];
    readonly maxBytes: number | undefined;
  },
): QuantizeReport => {
  const { bits, method = "search", block = INT4_BLOCK } = choice;
  const sizeBytes = packedBytes(model, { bits, block, wide, forms });
  const [before, after] = scores.map((found) =>
    defined({ score: found === undefined ? undefined : meanOf(found) }),
  );
  return {
    ...{ bits, wide, notes, method: bits === 4 ? method : "nearest", ...(bits === 4 ? { block } : {}) },
    matrices: packable(model.arch.linears(model.config)).size,
    before: { sizeBytes: denseBytes(model), ...before },
    after: { sizeBytes, ...after },
    ...defined({ unit: material?.measure?.task.criterion.unit, scored: scores[0]?.length, maxBytes }),
    calibrationTokens: material?.tokens ?? 0,
    met: maxBytes === undefined || sizeBytes <= maxBytes,
  };
};

/**
 * Writes the model `ref` to OUT with its matrices in few bits, and measures what that costs on held-out
 * text. Where nothing is as small as `maxBytes` the nearest is written. Throws ConfigError for options that
 * do not go together and for a model that is quantized already, and as `exportFolder` and `userData` do.
 */
export const quantizeFolder = async (
  ref: string,
  options: QuantizeFolderOptions,
  run: RunOptions,
  hooks: RecipeHooks,
): Promise<QuantizedFolder> => {
  const started = performance.now();
  const { choice, into, source } = await opened(ref, options, hooks);
  const { tokens = CALIBRATION_TOKENS, keep8 } = options;
  const { model } = source.loaded;
  const maxBytes = maxBytesOf(model, options);
  const engine = await nodeEngine(run.threads > 0 ? { threads: run.threads } : {});
  await checkProducts(engine, choice, hooks);
  const material = await materialFor(engine, source, choice, { run, tokens, hooks });
  for (const warning of material?.warnings ?? []) hooks.ui.warn(warning);
  const score = async (form: Model) => material?.measure?.score(form);
  const study = measuring(engine, model, hooks);
  const dense = material?.measure && (await scoresOn(study, material.measure.id, material.measure.score));
  const about = { tokens, ...defined({ maxBytes, keep8, texts: material?.texts }) };
  const made = await packedForm(study, choice, about);
  for (const note of made.notes) hooks.ui.line(note);
  const { wide, int8: forms, codes } = made;
  const asked = choice.bits === 4 ? { ...choice, wide } : choice;
  const scores = [dense, await score(quantized(made.model, asked, defined({ forms, codes })))];
  const report = reportOf(model, made, { choice, material, scores, maxBytes });
  const { notes: _, ...measured } = made;
  const said = { sections: [quantizeSection(report)], quantize: quantizeJson(report) };
  const written = await writeExport(source, { ...measured, ...said }, into);
  return { ...written, ...report, seconds: (performance.now() - started) / 1000 };
};

/** What `quantizeFolder` would give, by the shapes of the weights alone. Throws as it does. */
export const predictQuantized = async (
  ref: string,
  options: QuantizeFolderOptions,
  hooks: RecipeHooks,
): Promise<QuantizePrediction> => {
  const { choice, source } = await opened(ref, options, hooks);
  const { model } = source.loaded;
  const { bits, block = INT4_BLOCK } = choice;
  const leastBytes = packedBytes(model, { bits, block });
  const maxBytes = maxBytesOf(model, options);
  return {
    denseBytes: denseBytes(model),
    leastBytes,
    mostBytes: packedBytes(model, { bits: 8 }),
    matrices: packable(model.arch.linears(model.config)).size,
    met: maxBytes === undefined || leastBytes <= maxBytes,
  };
};
