// One AdamW step of a 4-layer GPT-2 (d 256, context 256, batch 8, vocabulary 4096) against the time that its matrix
// products alone would take, each shape measured by itself in the same run.

import { compile, compileStep } from "../../dist/engine/compile.js";
import { trace } from "../../dist/ir/program.js";
import { scalar, tensorOf, zeros } from "../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { initialize } from "../../dist/nn/param.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { matmul } from "../../dist/ops/linalg.js";
import { adamw } from "../../dist/optim/adamw.js";
import { languageModelling } from "../../dist/tasks/languageModelling.js";
import { fusedStep } from "../../dist/train/step.js";
import { rng } from "../../dist/util/rng.js";

const B = 8;
const T = 256;
const C = 256;
const V = 4096;
const L = 4;
const H = 4;

/** Every matrix product of the step: [M, K, N, transA, transB, batch, count]. */
const products = () => {
  const N = B * T;
  const D = C / H;
  const list = [];
  const linear = (k, n, count) => {
    list.push([N, k, n, false, false, 1, count]); // y = x w
    list.push([N, n, k, false, true, 1, count]); // dx = g w^T
    list.push([k, N, n, true, false, 1, count]); // dw = x^T g
  };
  linear(C, 3 * C, L);
  linear(C, C, L);
  linear(C, 4 * C, L);
  linear(4 * C, C, L);
  list.push([N, C, V, false, true, 1, 1], [N, V, C, false, false, 1, 1], [V, N, C, true, false, 1, 1]);
  list.push([T, D, T, false, true, B * H, 2 * L]); // q k^T, dO v^T
  list.push([T, T, D, false, false, B * H, 2 * L]); // p v, dS k
  list.push([T, T, D, true, false, B * H, 2 * L]); // p^T dO, dS^T q
  return list;
};

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

const random = (shape) => {
  const t = zeros({ dtype: "float32", shape });
  const r = rng(1, "bench");
  for (let i = 0; i < t.data.length; i++) t.data[i] = r.uniform() - 0.5;
  return t;
};

const productSession = async (engine, [m, k, n, transA, transB, batch]) => {
  const lead = batch === 1 ? [] : [B, H];
  const a = [...lead, ...(transA ? [k, m] : [m, k])];
  const b = [...lead, ...(transB ? [n, k] : [k, n])];
  const spec = { a: { dtype: "float32", shape: a }, b: { dtype: "float32", shape: b } };
  const program = trace(spec, (v) => ({ y: matmul(v.a, v.b, { transA, transB }) }));
  const session = await compile(engine, program, { inPlace: true });
  const feeds = { a: random(a), b: random(b) };
  const fetches = { y: zeros({ dtype: "float32", shape: [...lead, m, n] }) };
  return async () => {
    const start = performance.now();
    await session.run(feeds, fetches);
    return performance.now() - start;
  };
};

export const stepSession = async (
  engine,
  config,
  optimizer = adamw({ weightDecay: 0.1 }),
  batch = B,
  options = {},
) => {
  const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
  const step = { batch, context: config.n_positions, optimizer, objective: languageModelling, clipNorm: 1 };
  const resident = await compileStep(engine, fusedStep(model, step), options);
  const r0 = rng(1, "params");
  for (const [name, t] of resident.state()) {
    if (name.startsWith("params.")) for (let i = 0; i < t.data.length; i++) t.data[i] = 0.02 * r0.normal();
  }
  const n = batch * config.n_positions;
  const r = rng(2, "bench");
  const ids = Array.from({ length: n }, () => r.int(config.vocab_size));
  const feeds = {
    "batch.inputIds": tensorOf("int32", [batch, config.n_positions], ids),
    "batch.labels": tensorOf("int32", [n], ids),
    "batch.seed": tensorOf("int32", [], [0]),
    lr: scalar(1e-3),
  };
  let count = 0;
  const run = async () => {
    const start = performance.now();
    await resident.run({ ...feeds, step: scalar(++count) });
    return performance.now() - start;
  };
  return Object.assign(run, { dispose: () => resident.dispose() });
};

export default async function trainStep({ log, args }) {
  const engine = await nodeEngine();
  const config = gpt2Config({
    vocab_size: V,
    n_positions: T,
    n_embd: C,
    n_layer: L,
    n_head: H,
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
  });
  const profile = args.includes("--profile") ? { profile: "/tmp/anneal-step" } : {};
  const step = await stepSession(engine, config, undefined, B, profile);
  if (args.includes("--profile")) {
    for (let i = 0; i < 6; i++) log(String(await step()));
    await step.dispose();
    return {};
  }
  const shapes = await Promise.all(
    products().map(async (p) => ({ p, run: await productSession(engine, p), times: [] })),
  );
  const steps = [];
  for (let i = 0; i < 3; i++) await step();
  for (let round = 0; round < 7; round++) {
    for (let i = 0; i < 2; i++) await step();
    steps.push(await step(), await step());
    for (const s of shapes) {
      // The threads of the session before go on spinning for some 50 ms: they must not count against this one.
      const start = performance.now();
      while (performance.now() - start < 100) await s.run();
      for (let i = 0; i < 4; i++) s.times.push(await s.run());
    }
    log(`round ${round + 1}/7: step ${steps.at(-1).toFixed(1)} ms`);
  }
  const boundMs = shapes.reduce((sum, { p, times }) => sum + p[6] * median(times), 0);
  const flops = shapes.reduce(
    (sum, { p: [m, k, n, , , batch, count] }) => sum + 2 * m * k * n * batch * count,
    0,
  );
  for (const { p, times } of shapes) {
    const [m, k, n, ta, tb, batch] = p;
    const ms = median(times);
    log(
      `${batch}x ${m}x${k}x${n} ${ta ? "T" : "N"}${tb ? "T" : "N"}: ${ms.toFixed(2)} ms, ${((2e-6 * m * k * n * batch) / ms).toFixed(0)} GFLOP/s, x${p[6]}`,
    );
  }
  const stepMs = median(steps);
  return {
    stepMs,
    gemmBoundMs: boundMs,
    tokensPerSec: (B * T * 1000) / stepMs,
    gflops: flops / stepMs / 1e6,
    gemmBoundShare: boundMs / stepMs,
  };
}
