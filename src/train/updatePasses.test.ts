import { expect, test } from "vitest";
import { compile } from "../engine/compile.ts";
import { openPasses } from "../engine/onePass/passes.ts";
import { NEXT } from "../formats/onnx/lower.ts";
import { scalar, sizeOf, type Tensor, type TensorType, tensorOf, zeros } from "../ir/tensor.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { chain, clipByGlobalNorm, type OptimizerName, optimizers } from "../optim/index.ts";
import { languageModelling } from "../tasks/languageModelling.ts";
import { rng } from "../util/rng.ts";
import { entries } from "../util/tree.ts";
import { type StepOptions, shardStateTypes, updatePasses, updateStep } from "./step.ts";

const types: Record<string, TensorType> = {
  "wte.weight": { dtype: "float32", shape: [41, 7] },
  "ln.bias": { dtype: "float32", shape: [19] },
};

const optionsOf = (optimizer: StepOptions["optimizer"]): StepOptions => ({
  ...{ batch: 1, context: 1, objective: languageModelling, optimizer, clipNorm: 0.5 },
});

const drawn = ({ shape }: TensorType, seed: number): Tensor => {
  const r = rng(seed, "update");
  const sizes = shape as readonly number[];
  return tensorOf(
    "float32",
    sizes,
    Array.from({ length: sizeOf(shape) }, () => r.normal()),
  );
};

const floats = ({ data }: Tensor): number[] => Array.from(data as Float32Array);

const normOf = (grads: readonly Tensor[]): number =>
  Math.sqrt(grads.flatMap(floats).reduce((s, x) => s + x * x, 0));

const passing: OptimizerName[] = ["sgd", "momentum", "nesterov", "adam", "adamw", "lion"];

test.each(passing)("%s in passes makes the same updates as its graph", async (name) => {
  const options = optionsOf(optimizers[name]({ weightDecay: 0.1 }));
  const state = [...entries<TensorType>({ params: types, opt: shardStateTypes(types, options) })];
  const passes = openPasses(
    updatePasses(types, options)!,
    state.map(([, type]) => type),
  );
  const session = await compile(await nodeEngine({ threads: 1 }), updateStep(types, options, true));
  const own = new Map(state.map(([path, type]) => [path, passes.zeros(type)]));
  let graph = new Map(state.map(([path, type]) => [path, zeros(type)]));
  for (const [path, type] of Object.entries(types)) {
    const first = drawn(type, 1).data as Float32Array;
    for (const of of [own, graph]) (of.get(`params.${path}`)!.data as Float32Array).set(first);
  }
  const next = Object.fromEntries(Array.from(own, ([path, t]) => [path + NEXT, t]));
  for (let step = 1; step <= 4; step++) {
    const grads = Object.entries(types).map(([path, type], i) => [path, drawn(type, 10 * step + i)] as const);
    const feeds = {
      ...Object.fromEntries(grads.map(([path, t]) => [`grads.${path}`, t])),
      ...{ lr: scalar(0.01 / step), step: scalar(step) },
    };
    const gradNorm = scalar(normOf(grads.map(([, t]) => t)));
    passes.run({ ...Object.fromEntries(own), ...feeds, gradNorm }, next);
    const all = { ...Object.fromEntries(graph), ...feeds, gradNorm };
    const read = Object.fromEntries(
      session.inputNames.map((input) => [input, all[input as keyof typeof all]!]),
    );
    const out = await session.run(read);
    graph = new Map(state.map(([path]) => [path, out[path + NEXT]!]));
    for (const [path, t] of graph) {
      const wanted = floats(t);
      const worst = Math.max(...floats(own.get(path)!).map((x, i) => Math.abs(x - wanted[i]!)));
      expect(worst, `${path} after ${step}`).toBeLessThanOrEqual(2e-6);
    }
  }
  await session.dispose();
});

test("an optimizer that looks at whole tensors, or at a norm of its own, has none", () => {
  const own = chain("own", optimizers.momentum({}), clipByGlobalNorm(1));
  for (const optimizer of [optimizers.lamb({}), optimizers.muon({}), own]) {
    expect(updatePasses(types, optionsOf(optimizer)), optimizer.name).toBeUndefined();
  }
});
