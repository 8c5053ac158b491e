// Loading a GPT-2 of 124 M parameters from float32 and from bfloat16, and the same weights as a float32 ONNX graph into
// @huggingface/transformers, each time in a process of its own: seconds, and the largest resident memory of that
// process, Node included, over the float32 weights' size. The files are in the system's cache: what is measured is the
// reading and the memory, not the disk. transformers.js also readies its session in that time.
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeSafetensors } from "../../dist/formats/safetensors/safetensors.js";
import { modelOf } from "../../dist/models/checkpoint/load.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { formFiles } from "../../dist/ship/onnx/export.js";
import { narrowBfloat16 } from "../../dist/util/float16.js";
import { entries } from "../../dist/util/tree.js";

const ROUNDS = 5;

/** Prints the seconds that `load` took and the process's largest memory. */
const child = (load) => `
const { readFileSync } = await import("node:fs");
const [dir, module] = process.argv.slice(1);
${load}
const seconds = (performance.now() - start) / 1000;
// Not maxRSS where there is better: Linux lets a process begin with that of the one which started it.
let peak = process.resourceUsage().maxRSS;
try {
  peak = Number(/VmHWM:\\s*(\\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
} catch {}
process.stdout.write(JSON.stringify({ seconds, peakBytes: peak * 1024 }), () => process.exit());
`;

const ours = child(`
const { loadModel } = await import(module);
const start = performance.now();
const { model } = await loadModel(dir);
const last = model.weights.transformer.ln_f.bias.data;
if (last.length !== 768 || !last.every((x) => Math.abs(x) < 1)) throw new Error("the weights are wrong");
`);

const theirs = child(`
const { AutoModelForCausalLM, env } = await import(module);
env.allowRemoteModels = false;
const start = performance.now();
await AutoModelForCausalLM.from_pretrained(dir, { dtype: "fp32", local_files_only: true });
`);

/** Numbers in [-0.05, 0.05) from a seed: enough to be no zeros, and quick to make. */
const fill = (data, seed) => {
  let state = seed * 2 + 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[i] = state * (0.05 / 2 ** 31);
  }
};

/** Writes the checkpoint in both dtypes, each to a folder; returns the float32 weights' size in bytes. */
const writeCheckpoints = (folders, config) => {
  const specs = [...entries(gpt2.params(config))];
  let sizeBytes = 0;
  const wide = new Map();
  specs.forEach(([name, { shape }], i) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    fill(data, i + 1);
    sizeBytes += data.byteLength;
    wide.set(name, { dtype: "float32", shape, data });
  });
  const narrow = new Map();
  for (const [name, { shape, data }] of wide) {
    const bits = new Uint16Array(data.length);
    narrowBfloat16(data, bits);
    narrow.set(name, { dtype: "bfloat16", shape, data: bits });
  }
  [wide, narrow].forEach((tensors, i) => {
    writeFileSync(join(folders[i], "config.json"), JSON.stringify(config));
    const file = openSync(join(folders[i], "model.safetensors"), "w");
    for (const chunk of encodeSafetensors(tensors)) {
      for (let at = 0; at < chunk.length; )
        at += writeSync(file, chunk, at, Math.min(chunk.length - at, 2 ** 28));
    }
    closeSync(file);
  });
  return { sizeBytes, wide };
};

/** Writes the folder that transformers.js loads. */
const writeGraph = (dir, config, wide) => {
  const model = modelOf(config, wide, "model.safetensors");
  writeFileSync(join(dir, "config.json"), JSON.stringify(config));
  mkdirSync(join(dir, "onnx"));
  for (const [name, [bytes]] of formFiles(model, "fp32")) writeFileSync(join(dir, name), bytes);
};

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

const anneal = new URL("../../dist/node/model/folder.js", import.meta.url).href;
const transformersJs = import.meta.resolve("@huggingface/transformers");

export default async function loading({ log }) {
  const root = mkdtempSync(join(tmpdir(), "anneal-bench-load-"));
  const folder = (name) => mkdtempSync(join(root, `${name}-`));
  const cases = [
    { name: "f32", dir: folder("f32"), program: ours, module: anneal, runs: [] },
    { name: "bf16", dir: folder("bf16"), program: ours, module: anneal, runs: [] },
    { name: "transformers.js", dir: folder("onnx"), program: theirs, module: transformersJs, runs: [] },
  ];
  try {
    const config = gpt2Config({ vocab_size: 50257 });
    const { sizeBytes, wide } = writeCheckpoints([cases[0].dir, cases[1].dir], config);
    writeGraph(cases[2].dir, config, wide);
    log(`${(sizeBytes / 4e6).toFixed(1)} M parameters, ${(sizeBytes / 1e6).toFixed(0)} MB as float32`);
    // Alternating, so that a busy moment of the machine meets all.
    for (let round = 0; round < ROUNDS; round++) {
      for (const { name, dir, program, module, runs } of cases) {
        const args = ["--input-type=module", "-e", program, dir, module];
        const found = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
        runs.push(found);
        const over = (found.peakBytes / sizeBytes).toFixed(3);
        log(`round ${round + 1}/${ROUNDS} ${name}: ${found.seconds.toFixed(3)} s, peak x${over}`);
      }
    }
    const [f32, bf16, other] = cases.map(({ runs }) => ({
      seconds: median(runs.map((r) => r.seconds)),
      peakOverWeights: Math.max(...runs.map((r) => r.peakBytes)) / sizeBytes,
    }));
    return {
      loadSeconds: f32.seconds,
      loadBytesPerSec: sizeBytes / f32.seconds,
      loadPeakOverWeights: f32.peakOverWeights,
      loadBf16Seconds: bf16.seconds,
      loadBf16BytesPerSec: sizeBytes / 2 / bf16.seconds,
      loadBf16PeakOverWeights: bf16.peakOverWeights,
      loadTransformersJsSeconds: other.seconds,
      loadTransformersJsPeakOverWeights: other.peakOverWeights,
    };
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
