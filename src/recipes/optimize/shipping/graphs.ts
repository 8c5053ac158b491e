/** Graphs in a folder of transformers.js's layout. */
import type { Engine } from "../../../engine/engine.ts";
import type { Model } from "../../../models/model.ts";
import { loadBytes } from "../../../node/runtime/graph.ts";
import { targetTitles } from "../../../node/targets/index.ts";
import type { Base, BaseParity, Forms } from "../../../search/candidates/candidate.ts";
import type { Optimized } from "../../../search/candidates/optimize.ts";
import { measuredValue, SIZE } from "../../../search/figures.ts";
import { decoderOf } from "../../../serve/decode/decoding.ts";
import { generate } from "../../../serve/decode/generate.ts";
import { graphNames } from "../../../serve/graphs/graphs.ts";
import { dtypes, graphFile, type ShipDtype } from "../../../ship/onnx/dtype.ts";
import { formFiles } from "../../../ship/onnx/export.ts";
import type { Files } from "../../../ship/onnx/files.ts";
import { modelFolder } from "../../../ship/onnx/modelFolder.ts";
import { allTargets, type ParityFile, statusOf, withInstead } from "../../../ship/verify/verify.ts";
import { version } from "../../context/version.ts";
import { machineName } from "../../verify/parityFile.ts";
import { promptsOf } from "../judge.ts";
import type { FolderParts, Samples, Shipping, ShippingOptions } from "./shipping.ts";

/** How samples are drawn: at a temperature that shows what the model knows. */
export const SAMPLED = { temperature: 0.7, topK: 40, maxTokens: 80 } as const;

/** Prompts of samples. */
export const SAMPLES = 2;

/** Tokens of a prompt at most. */
export const SAMPLE_TOKENS = 12;

/** The largest start that is loaded to write beside the chosen one, bytes. */
export const LARGEST_START = 1e9;

const joined = (chunks: readonly Uint8Array[]): Uint8Array => Buffer.concat(chunks);

const parityOf = (
  { engine }: ShippingOptions,
  judged: BaseParity,
  files: Files,
  { dense }: Base,
): ParityFile => {
  const sizes = Object.fromEntries(
    Object.keys(judged).map((dtype) => {
      const paths = graphNames[dense.arch.kind].map((name) => graphFile(name, dtype as ShipDtype));
      return [dtype, paths.reduce((sum, path) => sum + joined(files.get(path)!).byteLength, 0)];
    }),
  );
  const name = `${engine.name} ${engine.version}`;
  const tried = { status: statusOf(judged), engine: name, dtypes: judged };
  return {
    format: 1,
    versions: { anneal: version, "onnxruntime-node": engine.version, node: process.versions.node },
    machine: machineName(),
    targets: withInstead(allTargets({ "node-cpu": tried }, { titles: targetTitles }), sizes),
  };
};

/** What a graph writes on the first prompts. */
const samplesBy = async (
  engine: Engine,
  { data, options }: ShippingOptions,
  { name, dense, graph }: { readonly name: string; readonly dense: Model; readonly graph: Uint8Array },
): Promise<Samples> => {
  const { tokenizer } = data;
  const shape = dense.arch.cache(dense.config);
  const decoder = decoderOf(await loadBytes(engine, graph), shape);
  const samples: Samples[number][] = [];
  try {
    for (const prompt of promptsOf(data, SAMPLES, Math.min(SAMPLE_TOKENS, shape.positions >> 1))) {
      const ids: number[] = [];
      const sampling = { ...SAMPLED, stopIds: [tokenizer.eos], seed: options.seed };
      for await (const id of generate(decoder, prompt, sampling)) ids.push(id);
      samples.push({ name, prompt: tokenizer.decode(prompt), text: tokenizer.decode(ids) });
    }
  } finally {
    await decoder.dispose();
  }
  return samples;
};

/** Samples of the shipped file, and of the start beside it. */
const samplesOf = async (
  given: ShippingOptions,
  optimized: Optimized,
  base: Base,
  files: Files,
): Promise<Samples> => {
  const { engine } = given;
  const { chosen } = optimized.choice;
  if (optimized.task.name !== "causal-lm") return [];
  const graph = joined(files.get(dtypes[chosen.dtype as ShipDtype].file)!);
  const own = await samplesBy(engine, given, { name: chosen.name, dense: base.dense, graph });
  const start = optimized.candidates[0]!;
  if (start === chosen || measuredValue(start, SIZE) > LARGEST_START) return own;
  const whole = await optimized.base(start.base);
  const dtype = start.dtype as ShipDtype;
  const wholeGraph = joined(formFiles(whole.forms[dtype]!, dtype).get(dtypes[dtype].file)!);
  return [
    ...(await samplesBy(engine, given, { name: start.name, dense: whole.dense, graph: wholeGraph })),
    ...own,
  ];
};

const folderOf = (
  { data, source }: ShippingOptions,
  { dense, forms }: Base,
  { dtype, alone = false, weights = true }: FolderParts,
): Files =>
  modelFolder(dense, {
    dtype: dtype as ShipDtype,
    ...{ tokenizer: data.tokenizer.files(), eos: data.tokenizer.eos, weights },
    forms: (alone ? { [dtype]: forms[dtype]! } : forms) as Forms as Readonly<
      Partial<Record<ShipDtype, Model>>
    >,
    ...(source === undefined ? {} : { source }),
  });

/** How graphs are shipped. */
export const graphShipping = (options: ShippingOptions): Shipping => ({
  folder: (base, parts) => folderOf(options, base, parts),
  parity: (judged, files, base) => parityOf(options, judged, files, base),
  samples: (optimized, base, files) => samplesOf(options, optimized, base, files),
  command: (dir, { dtype }) => `npx anneal export ${dir} --dtype ${dtype}`,
});
