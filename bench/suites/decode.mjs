// Tokens per second of decoding and of reading the prompt: anneal, @huggingface/transformers (onnxruntime-node on the very
// same graphs) and node-llama-cpp (GGUF of the same weights), with the same threads. Two models of random weights, of
// GPT-2's 124 M and of about 25 M parameters. Engines sit in processes of their own and take turns, one at work at a time;
// figures are medians over the rounds, ratios are medians of each round's ratio.
// Arguments: --rounds N, --tokens N, --prompt N, --threads N, --only 124m|25m, --dtype fp32|int8|int4; --beside fp32: only anneal's own
// graphs of all three dtypes, in turns.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { quantize } from "../../dist/compress/quantize.js";
import { toOnnx } from "../../dist/formats/onnx/lower.js";
import { encodeOnnx } from "../../dist/formats/onnx/onnx.js";
import { zeros } from "../../dist/ir/tensor.js";
import { architectures } from "../../dist/models/registry.js";
import { writeFileDurable } from "../../dist/node/files/files.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { optimize } from "../../dist/rewrite/index.js";
import { decoderProgram } from "../../dist/serve/index.js";
import { gguf } from "../../dist/ship/gguf/gguf.js";
import { trainBpe } from "../../dist/tokenizer/bpe/trainBpe.js";
import { rng } from "../../dist/util/rng.js";
import { mapTree } from "../../dist/util/tree.js";
import { child, median, race, raceOf } from "./decode/race.mjs";

const gpt2 = (fields) => ({
  model_type: "gpt2",
  n_positions: 1024,
  bos_token_id: 0,
  eos_token_id: 0,
  ...fields,
});
const small = () =>
  architectures.llama === undefined
    ? gpt2({ vocab_size: 16384, n_embd: 384, n_layer: 10, n_head: 6 })
    : {
        model_type: "llama",
        vocab_size: 16384,
        hidden_size: 384,
        intermediate_size: 1024,
        num_hidden_layers: 11,
        num_attention_heads: 6,
        num_key_value_heads: 2,
        max_position_embeddings: 1024,
        rms_norm_eps: 1e-5,
        rope_theta: 10000,
        tie_word_embeddings: true,
        bos_token_id: 0,
        eos_token_id: 0,
      };
const models = {
  "124m": () => gpt2({ vocab_size: 50257, n_embd: 768, n_layer: 12, n_head: 12 }),
  "25m": small,
};

const dtypes = {
  fp32: { label: "Fp32", hf: "fp32", file: "model.onnx", ggml: "f32", ggmlLabel: "F32" },
  int8: { label: "Int8", hf: "q8", file: "model_quantized.onnx", bits: 8, ggml: "q8_0", ggmlLabel: "Q80" },
  int4: { label: "Int4", hf: "q4", file: "model_q4.onnx", bits: 4, ggml: "q4_0", ggmlLabel: "Q40" },
};

/** Normal numbers, drawn once and read from changing places: a draw for each of 124 M weights takes a minute. */
const randomModel = (json) => {
  const arch = architectures[json.model_type];
  const config = arch.parse(json);
  const r = rng(1, "bench");
  const table = Float32Array.from({ length: 1_000_003 }, () => 0.02 * r.normal());
  let at = 0;
  const weights = mapTree(arch.params(config), (spec, path) => {
    const t = zeros(spec);
    if (/(ln_|norm)[^.]*\.weight$|norm.*\.weight$/.test(path)) t.data.fill(1);
    else
      for (let i = 0; i < t.data.length; i++, at = at + 1 === table.length ? 0 : at + 1)
        t.data[i] = table[at];
    return t;
  });
  return { arch, config, weights, history: [] };
};

const graphOf = (model) =>
  encodeOnnx(toOnnx(optimize(decoderProgram(model)), { name: "decoder", keepUnused: true })).model;

/** The folder that transformers.js loads, with the GGUF file beside. */
const writeModel = async (dir, json, model, { file, bits, ggml }) => {
  const calibration = [Array.from({ length: 256 }, (_, i) => (i * 37) % 256)];
  const context = { engine: await nodeEngine({ threads: 1 }), calibration };
  const form = bits === undefined ? model : await quantize({ bits }).run(model, context);
  mkdirSync(join(dir, "onnx"), { recursive: true });
  writeFileSync(join(dir, "config.json"), JSON.stringify(json));
  writeFileSync(join(dir, "onnx", file), graphOf(form));
  const { tokenizer, config } = trainBpe(["some words of no weight "], { vocab: 257 }).files();
  const encoded = gguf(model, { type: ggml, tokenizer: { tokenizer, config } });
  await writeFileDurable(join(dir, "model.gguf"), encoded.chunks);
};

const metricsOf = (size, { label, ggmlLabel }, rates) => {
  const metrics = {};
  const names = { transformersJs: "TransformersJs", llamaCpp: `LlamaCpp${ggmlLabel}` };
  for (const key of ["decode", "prefill"]) {
    const base = `${key}${size}${label}`;
    const of = (engine) => rates[engine].map((rate) => rate[key]);
    metrics[`${base}TokensPerSec`] = median(of("anneal"));
    for (const [engine, name] of Object.entries(names)) {
      if (rates[engine] === undefined) continue;
      metrics[`${base}${name}TokensPerSec`] = median(of(engine));
      metrics[`${base}Over${name}`] = median(of("anneal").map((x, i) => x / of(engine)[i]));
    }
  }
  return metrics;
};

/** Anneal's own graphs of all dtypes in turns: how many times as fast as float32 those of few bits are. */
const beside = async ([size, json, model], { shape, threads, length, tokens, ...given }) => {
  const folders = [];
  try {
    const workers = {};
    for (const [name, dtype] of Object.entries(dtypes)) {
      const dir = mkdtempSync(join(tmpdir(), "anneal-decode-"));
      folders.push(dir);
      await writeModel(dir, json, model, dtype);
      workers[name] = child("anneal", {
        dir,
        shape,
        threads,
        context: length + tokens + 8,
        file: dtype.file,
      });
    }
    const rates = await raceOf(workers, { tokens, ...given });
    const over = (name, key) => median(rates[name].map((rate, i) => rate[key] / rates.fp32[i][key]));
    return Object.fromEntries(
      ["int8", "int4"].flatMap((name) =>
        ["decode", "prefill"].map((key) => [`${key}${size}${dtypes[name].label}OverFp32`, over(name, key)]),
      ),
    );
  } finally {
    for (const dir of folders) rmSync(dir, { recursive: true, force: true });
  }
};

const optionOf = (args, name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? fallback : args[at + 1];
};

export default async function decode({ log, args }) {
  const number = (name, fallback) => Number(optionOf(args, name, fallback));
  const [rounds, tokens, length] = [number("rounds", 5), number("tokens", 64), number("prompt", 512)];
  const threads = number("threads", availableParallelism());
  const metrics = { threads, promptTokens: length, newTokens: tokens };
  for (const [size, make] of Object.entries(models)) {
    if (optionOf(args, "only", size) !== size) continue;
    const json = make();
    const model = randomModel(json);
    const shape = model.arch.cache(model.config);
    const r = rng(2, "prompt");
    const prompt = Array.from({ length }, () => 1 + r.int(shape.vocab - 1));
    if (optionOf(args, "beside") === "fp32") {
      const given = { shape, threads, length, tokens, rounds, prompt, log };
      Object.assign(metrics, await beside([size, json, model], given));
      continue;
    }
    for (const [name, dtype] of Object.entries(dtypes)) {
      if (optionOf(args, "dtype", name) !== name) continue;
      const dir = mkdtempSync(join(tmpdir(), "anneal-decode-"));
      try {
        await writeModel(dir, json, model, dtype);
        log(`${json.model_type} ${size} ${name}, ${threads} threads`);
        const load = { dir, shape, threads, context: length + tokens + 8, file: dtype.file, hf: dtype.hf };
        const rates = await race(load, { rounds, tokens, prompt, log });
        Object.assign(metrics, metricsOf(size, dtype, rates));
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    }
  }
  return metrics;
}
