/** Small models of every task, their exported folders, and what they compute in transformers.js and onnxruntime. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as hf from "@huggingface/transformers";
import { afterAll, beforeAll, expect } from "vitest";
import { compile } from "../../src/engine/compile.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { trace } from "../../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf } from "../../src/ir/tensor.ts";
import { readsTokenTypes } from "../../src/models/encoders/encoder.ts";
import { architectures } from "../../src/models/index.ts";
import type { Head, Model } from "../../src/models/model.ts";
import { asConstants, initialize, type ParamSpec } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { argmax } from "../../src/serve/decode/sample.ts";
import { anyModelDtypes, type ExportDtype, exportDtypes } from "../../src/ship/onnx/dtype.ts";
import { type ExportOptions, exportModel } from "../../src/ship/onnx/export.ts";
import type { Files } from "../../src/ship/onnx/files.ts";
import type { Tree } from "../../src/util/tree.ts";
import { exportCases } from "../cases/exports.ts";

export const dir = mkdtempSync(join(tmpdir(), "anneal-export-"));

export const allDtypes = anyModelDtypes;

export let engine: Engine;

beforeAll(async () => {
  hf.env.allowRemoteModels = false;
  hf.env.localModelPath = "/";
  engine = await nodeEngine({ threads: 1 });
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

export const modelOf = (name: string, task: Head, more: object = {}): Model => {
  const arch = architectures[name]!;
  const given = { model_type: name, architectures: [arch.classes[task]], ...exportCases[name]!.config };
  const config = arch.parse({ ...given, ...more });
  const weights = initialize(arch.params(config) as Tree<ParamSpec>, 3);
  return { arch, config, weights, history: [] };
};

export const write = async (
  name: string,
  model: Model,
  options: ExportOptions = {},
): Promise<[string, Files]> => {
  const files = exportModel(model, { dtypes: allDtypes, ...options });
  const path = join(dir, name);
  await writeFolder(path, files);
  return [path, files];
};

// Two texts; of an encoder's, the second ends in two tokens of padding.
export const ids = [
  [5, 6, 7, 9, 80, 11, 13],
  [3, 4, 5, 21, 22, 7, 7],
];

const targets = [
  [0, 17, 9],
  [0, 4, 33],
];

const maskOf = (model: Model): number[][] =>
  model.arch.kind === "decoder"
    ? ids.map((row) => row.map(() => 1))
    : [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 1, 0, 0],
      ];

const int32 = (rows: readonly (readonly number[])[]): Tensor =>
  tensorOf("int32", [rows.length, rows[0]!.length], rows.flat());

/** What the training graph computes. */
export const reference = async (model: Model): Promise<Tensor> => {
  const feeds: Record<string, Tensor> = { inputIds: int32(ids) };
  if (model.arch.kind !== "decoder") feeds.attentionMask = int32(maskOf(model));
  if (model.arch.kind === "seq2seq") feeds.decoderInputIds = int32(targets);
  const spec = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape }]): [string, TensorType] => [name, { dtype, shape }]),
  );
  const program = trace(spec, (v) => {
    const inputs = { inputIds: v.inputIds!, ...v };
    return { logits: model.arch.forward(asConstants(model.weights), inputs, model.config).logits };
  });
  const session = await compile(engine, program);
  const { logits } = await session.run(feeds);
  await session.dispose();
  return logits!;
};

const loaders: Record<Head, { from_pretrained: typeof hf.AutoModel.from_pretrained }> = {
  "causal-lm": hf.AutoModelForCausalLM,
  "masked-lm": hf.AutoModelForMaskedLM,
  "sequence-classification": hf.AutoModelForSequenceClassification,
  "token-classification": hf.AutoModelForTokenClassification,
  "replaced-token-detection": hf.AutoModel,
  features: hf.AutoModel,
  "seq2seq-lm": hf.AutoModelForSeq2SeqLM,
};

export const int64 = (rows: readonly (readonly number[])[]) =>
  new hf.Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);

type Loaded = Awaited<ReturnType<typeof hf.AutoModel.from_pretrained>>;

const feedsOf = (model: Model): Record<string, unknown> => ({
  input_ids: int64(ids),
  attention_mask: int64(maskOf(model)),
  ...(readsTokenTypes(model.config) ? { token_type_ids: int64(ids.map((row) => row.map(() => 0))) } : {}),
  ...(model.arch.kind === "seq2seq" ? { decoder_input_ids: int64(targets) } : {}),
});

/** What transformers.js computes from the folder. */
export const theirs = async (
  path: string,
  task: Head,
  dtype: ExportDtype,
  model: Model,
): Promise<Float32Array> => {
  const loaded: Loaded = await loaders[task].from_pretrained(path, { dtype });
  const out = await loaded(feedsOf(model));
  const { type, data } = (out.logits ?? out.last_hidden_state) as hf.Tensor;
  expect(type).toBe("float32");
  await loaded.dispose();
  return data as Float32Array;
};

/** What onnxruntime computes from the folder. */
export const inRuntime = async (
  path: string,
  _: Head,
  dtype: ExportDtype,
  model: Model,
): Promise<Float32Array> => {
  const session = await engine.load(join(path, exportDtypes[dtype].file));
  const wide = (rows: number[][]) => tensorOf("int64", [rows.length, rows[0]!.length], rows.flat());
  const { logits } = await session.run({ input_ids: wide(ids), attention_mask: wide(maskOf(model)) });
  await session.dispose();
  return logits!.data as Float32Array;
};

/**
 * Largest difference as a share of the largest magnitude, cosine, and share of rows with the same largest
 * number; rows of padding do not count.
 */
export const agreement = (model: Model, expected: Tensor, found: Float32Array) => {
  const reals = expected.data as Float32Array;
  expect(found.length).toBe(reals.length);
  const width = expected.shape.at(-1)!;
  const mask = maskOf(model).flat();
  const perToken = expected.shape.length === 3 && expected.shape[1] === ids[0]!.length;
  const sums = { diff: 0, most: 0, ab: 0, aa: 0, bb: 0 };
  const counts = (row: number): boolean => !perToken || mask[row] !== 0;
  const rows = Array.from({ length: reals.length / width }, (_, row) => row).filter(counts);
  const likeliest = (all: Float32Array, row: number) => argmax(all.subarray(row * width, (row + 1) * width));
  const same = rows.filter((row) => likeliest(reals, row) === likeliest(found, row)).length;
  reals.forEach((a, i) => {
    if (!counts(Math.floor(i / width))) return;
    const b = found[i]!;
    sums.diff = Math.max(sums.diff, Math.abs(a - b));
    sums.most = Math.max(sums.most, Math.abs(a));
    sums.ab += a * b;
    sums.aa += a * a;
    sums.bb += b * b;
  });
  const cosine = sums.ab / Math.sqrt(sums.aa * sums.bb);
  return { maxDiff: sums.diff / sums.most, cosine, top: same / rows.length };
};

/** Names of a graph's inputs and outputs as transformers.js has them. */
export const valuesOf = (graph: string, model: Model, task: Head): [inputs: string[], outputs: string[]] => {
  const state = task === "features" ? "last_hidden_state" : "logits";
  const source = ["input_ids", "attention_mask"];
  if (graph === "encoder_model") return [source, ["last_hidden_state"]];
  if (model.arch.kind === "encoder") {
    return [[...source, ...(readsTokenTypes(model.config) ? ["token_type_ids"] : [])], [state]];
  }
  if (model.arch.kind === "decoder" && task !== "causal-lm") {
    return [[...source, ...(task === "features" ? ["position_ids"] : [])], [state]];
  }
  const layers = Array.from({ length: model.arch.cache(model.config).layers }, (_, i) => i);
  const parts = graph === "model" ? [""] : [".decoder", ".encoder"];
  const cache = (stem: string): string[] =>
    layers.flatMap((i) => parts.flatMap((part) => ["key", "value"].map((x) => `${stem}.${i}${part}.${x}`)));
  const [past, present] = [cache("past_key_values"), cache("present")];
  if (graph === "model")
    return [
      [...source, "position_ids", "num_logits_to_keep", ...past],
      [state, ...present],
    ];
  const first = ["encoder_attention_mask", "input_ids", "encoder_hidden_states"];
  return [
    [...first, ...past, "use_cache_branch"],
    [state, ...present],
  ];
};

export const sizeOf = (files: Files, dtype: ExportDtype): number => {
  const own = new RegExp(`^onnx/[a-z_]*?(model|merged)${exportDtypes[dtype].suffix}\\.onnx(_data)?$`);
  return Array.from(files)
    .filter(([name]) => own.test(name))
    .reduce((n, [, chunks]) => n + chunks.reduce((m, { length }) => m + length, 0), 0);
};
