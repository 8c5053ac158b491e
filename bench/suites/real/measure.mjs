// What real.mjs measures of an exported model, in a process of its own: each dtype against fp32 on onnxruntime-node.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const WINDOW = 256;
export const files = {
  fp32: "model.onnx",
  q8: "model_quantized.onnx",
  uint8: "model_uint8.onnx",
  q4: "model_q4.onnx",
};
export const dtypes = Object.keys(files);
export const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

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

export const cosineOf = (a, b) => {
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
export const inChild = (request) =>
  new Promise((done, failed) => {
    const worker = fork(fileURLToPath(import.meta.url), ["measure"], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    worker.once("message", done);
    worker.once("exit", (code) => code && failed(new Error(`the measuring process ended with code ${code}`)));
    worker.send(request);
  });

if (process.argv[2] === "measure" && process.send !== undefined) {
  process.once("message", async (request) => {
    process.send(await measures[request.model](request), () => process.exit());
  });
}
