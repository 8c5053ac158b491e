// What transformers.js computes from a folder, in each dtype that is there, beside the folder's dense weights.
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as hf from "@huggingface/transformers";
import { compile } from "../../../dist/engine/index.js";
import { trace } from "../../../dist/ir/program.js";
import { readsTokenTypes } from "../../../dist/models/encoders/encoder.js";
import { headOf } from "../../../dist/models/index.js";
import { asConstants } from "../../../dist/nn/param.js";
import { nodeEngine, readTokenizer } from "../../../dist/node/index.js";
import { loadFolder } from "../../../dist/node/model/folder.js";
import { exportDtypes } from "../../../dist/ship/onnx/dtype.js";
import { cosineOf } from "../real/measure.mjs";

hf.env.allowRemoteModels = false;
hf.env.localModelPath = "/";

const loaders = {
  "causal-lm": hf.AutoModelForCausalLM,
  "masked-lm": hf.AutoModelForMaskedLM,
  "sequence-classification": hf.AutoModelForSequenceClassification,
  features: hf.AutoModel,
  "seq2seq-lm": hf.AutoModelForSeq2SeqLM,
};

const TEXTS = [
  "A man with a hat is standing before the old house, and his dog looks at him.",
  "What a dull, long and lifeless film this is.",
  "Speak, good my lord: what news of the king?",
  "A charming story, told with wit and warmth.",
];

let engine;

/** What the dense weights compute, as they are trained. */
const dense = async ({ arch, config, weights }, feeds) => {
  engine ??= await nodeEngine({ threads: 1 });
  const spec = Object.fromEntries(
    Object.entries(feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape }]),
  );
  const program = trace(spec, (v) => ({ out: arch.forward(asConstants(weights), v, config).logits }));
  const session = await compile(engine, program);
  const { out } = await session.run(feeds);
  await session.dispose();
  return out.data;
};

const int32 = (ids) => ({ dtype: "int32", shape: [1, ids.length], data: Int32Array.from(ids) });
const int64 = (ids) => new hf.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]);

/** Least cosine of what two labels are given for four texts: eight numbers say less than a vocabulary's. */
const LABELS = 0.9;
const TARGET = [0, 5, 9];

/** What a text is to the graphs, and to the dense weights. */
const readOf = (model, ids) => {
  const ones = ids.map(() => 1);
  const seq2seq = model.arch.kind === "seq2seq";
  return {
    theirs: {
      ...{ input_ids: int64(ids), attention_mask: int64(ones) },
      ...(readsTokenTypes(model.config) ? { token_type_ids: int64(ids.map(() => 0)) } : {}),
      ...(seq2seq ? { decoder_input_ids: int64(TARGET) } : {}),
    },
    ours: {
      inputIds: int32(ids),
      ...(model.arch.kind === "decoder" ? {} : { attentionMask: int32(ones) }),
      ...(seq2seq ? { decoderInputIds: int32(TARGET) } : {}),
    },
  };
};

/** By dtype: the cosine of what transformers.js computes with what the dense weights do, and the least that is to be. */
export const inTransformers = async (folder) => {
  const { model } = await loadFolder(folder);
  const tokenizer = await readTokenizer(folder);
  const theirs = await hf.AutoTokenizer.from_pretrained(folder);
  const [read, expected] = [[], []];
  for (const text of TEXTS) {
    const [ids, same] = [Array.from(tokenizer.encodeInputs(text).ids), theirs(text).input_ids];
    if (Array.from(same.data, Number).join() !== ids.join()) throw new Error("the tokenizer gives other ids");
    read.push(readOf(model, ids));
    expected.push(...(await dense(model, read.at(-1).ours)));
  }
  const head = headOf(model.arch, model.config);
  const found = [];
  for (const [dtype, { suffix, tolerance }] of Object.entries(exportDtypes)) {
    const stem = model.arch.kind === "seq2seq" ? "decoder_model_merged" : "model";
    if (!existsSync(join(folder, "onnx", `${stem}${suffix}.onnx`))) continue;
    const loaded = await loaders[head].from_pretrained(folder, { dtype });
    const numbers = [];
    for (const { theirs: feeds } of read) {
      const out = await loaded(feeds);
      for (const x of (out.logits ?? out.last_hidden_state ?? out.token_embeddings).data) numbers.push(x);
    }
    if (numbers.length !== expected.length) throw new Error(`${dtype} gives ${numbers.length} numbers`);
    const least = head === "sequence-classification" ? LABELS : tolerance.cosine;
    found.push({ dtype, cosine: cosineOf(numbers, expected), least });
    await loaded.dispose();
  }
  return found;
};
