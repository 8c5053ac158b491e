// Tokens per second of decoding and of reading the prompt: anneal, @huggingface/transformers (onnxruntime-node on the very
// same graphs) and node-llama-cpp (GGUF of the same weights), with the same threads. Two models of random weights, of
// GPT-2's 124 M and of about 25 M parameters. Engines sit in processes of their own and take turns, one at work at a time;
// figures are medians over the rounds, ratios are medians of each round's ratio.
// Arguments: --rounds N, --tokens N, --prompt N, --threads N, --only 124m|25m, --dtype fp32|int8|int4; --beside fp32: only anneal's own
// graphs of all three dtypes, in turns.
import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { quantize } from "../../dist/compress/quantize.js";
import { toOnnx } from "../../dist/formats/onnx/lower.js";
import { encodeOnnx } from "../../dist/formats/onnx/onnx.js";
import { zeros } from "../../dist/ir/tensor.js";
import { architectures } from "../../dist/models/registry.js";
import { writeFileDurable } from "../../dist/node/files/files.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { loadGraph } from "../../dist/node/runtime/graph.js";
import { optimize } from "../../dist/rewrite/index.js";
import { decoderOf, decoderProgram, generate } from "../../dist/serve/index.js";
import { gguf } from "../../dist/ship/gguf/gguf.js";
import { trainBpe } from "../../dist/tokenizer/bpe/trainBpe.js";
import { rng } from "../../dist/util/rng.js";
import { mapTree } from "../../dist/util/tree.js";

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

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

/** Engines: each loads and gives a function that continues a prompt and says when each token came, ms. */
const engines = {
  anneal: async ({ dir, file, shape, threads }) => {
    const decoder = decoderOf(await loadGraph(await nodeEngine({ threads }), join(dir, "onnx", file)), shape);
    return async (prompt, tokens) => {
      const times = [];
      for await (const _ of generate(decoder, prompt, { temperature: 0, maxTokens: tokens }))
        times.push(performance.now());
      return times;
    };
  },
  transformersJs: async ({ dir, hf, threads }) => {
    const { AutoModelForCausalLM, BaseStreamer, env, Tensor } = await import("@huggingface/transformers");
    Object.assign(env, { allowRemoteModels: false, localModelPath: "/" });
    const session_options = { intraOpNumThreads: threads, interOpNumThreads: 1 };
    const model = await AutoModelForCausalLM.from_pretrained(dir, { dtype: hf, session_options });
    return async (prompt, tokens) => {
      const times = [];
      class Clock extends BaseStreamer {
        put() {
          times.push(performance.now());
        }
        end() {}
      }
      const tensor = (values) => new Tensor("int64", BigInt64Array.from(values, BigInt), [1, prompt.length]);
      await model.generate({
        input_ids: tensor(prompt),
        attention_mask: tensor(prompt.map(() => 1)),
        do_sample: false,
        max_new_tokens: tokens,
        min_new_tokens: tokens,
        streamer: new Clock(),
      });
      return times.slice(1); // the first is the prompt
    };
  },
  llamaCpp: async ({ dir, threads, context }) => {
    const { getLlama } = await import("node-llama-cpp");
    const llama = await getLlama({ gpu: false, build: "never", logLevel: "error", maxThreads: threads });
    const model = await llama.loadModel({ modelPath: join(dir, "model.gguf"), gpuLayers: 0 });
    const made = await model.createContext({ contextSize: context, batchSize: context, threads });
    const sequence = made.getSequence();
    return async (prompt, tokens) => {
      await sequence.clearHistory();
      const times = [];
      for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
        times.push(performance.now());
        if (times.length === tokens) break;
      }
      return times;
    };
  },
};

/** The engine's side: loads, then a round for each message. */
const serve = () => {
  let run;
  process.on("message", async ({ load, prompt, tokens }) => {
    if (load !== undefined) {
      run = await engines[load.engine](load);
      process.send({ loaded: true });
      return;
    }
    const start = performance.now();
    const times = await run(prompt, tokens);
    if (times.length !== tokens) throw new Error(`${times.length} tokens came, ${tokens} were asked for`);
    process.send({
      prefill: (1000 * prompt.length) / (times[0] - start),
      decode: (1000 * (tokens - 1)) / (times.at(-1) - times[0]),
    });
  });
};

const child = (engine, load) => {
  const worker = fork(fileURLToPath(import.meta.url), ["engine"], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ask = (message) =>
    new Promise((resolve, reject) => {
      const ended = (code) => reject(new Error(`${engine} ended with code ${code}`));
      worker.once("exit", ended);
      worker.once("message", (answer) => {
        worker.off("exit", ended);
        resolve(answer);
      });
      worker.send(message);
    });
  const end = () => new Promise((resolve) => worker.once("exit", resolve).kill("SIGKILL"));
  // An engine's threads go on spinning for a while after its turn: it is halted, so that it takes nothing from the others.
  const turn = async (message) => {
    worker.kill("SIGCONT");
    const answer = await ask(message);
    worker.kill("SIGSTOP");
    return answer;
  };
  return { turn, end, load: () => turn({ load: { engine, ...load } }) };
};

/** Rounds of every engine in turn: rates by engine, a list each. */
export const race = (load, given) =>
  raceOf(Object.fromEntries(Object.keys(engines).map((name) => [name, child(name, load)])), given);

/** Rounds of workers in turn: rates by name, a list each. */
const raceOf = async (workers, { rounds, tokens, prompt, log }) => {
  const rates = Object.fromEntries(Object.keys(workers).map((name) => [name, []]));
  try {
    for (const [name, worker] of Object.entries(workers)) {
      try {
        await worker.load();
      } catch (error) {
        log(`  ${name} cannot run here: ${error.message}`);
        delete workers[name];
        delete rates[name];
      }
    }
    for (const worker of Object.values(workers)) await worker.turn({ prompt, tokens: 8 });
    for (let round = 0; round < rounds; round++) {
      for (const [name, worker] of Object.entries(workers))
        rates[name].push(await worker.turn({ prompt, tokens }));
    }
  } finally {
    await Promise.all(Object.values(workers).map((worker) => worker.end()));
  }
  for (const [name, list] of Object.entries(rates)) {
    const of = (key) => median(list.map((rate) => rate[key])).toFixed(1);
    log(`  ${name.padEnd(14)} decode ${of("decode")} tokens/s, prefill ${of("prefill")} tokens/s`);
  }
  return rates;
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

if (process.argv[2] === "engine" && process.send !== undefined) serve();
