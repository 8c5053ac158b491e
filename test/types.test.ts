/** The types that users write against. `npm run typecheck` is what these tests are held to; running them is a formality. */
import { expect, expectTypeOf, test } from "vitest";
import { grad } from "../src/autodiff/index.ts";
import { dropLayers, type Pass, pipe, quantize } from "../src/compress/index.ts";
import type { Program, Tensor, TensorType, Value } from "../src/ir/index.ts";
import { trace } from "../src/ir/index.ts";
import {
  type Architecture,
  type Gpt2Config,
  type Gpt2Params,
  gpt2,
  type Model,
} from "../src/models/index.ts";
import { initialize, type ParamSpec } from "../src/nn/index.ts";
import { mul, sum } from "../src/ops/index.ts";
import {
  adamw,
  chain,
  type Optimizer,
  type Params,
  scaleByLearningRate,
  stateless,
} from "../src/optim/index.ts";
import { defineConfig, type RunConfig } from "../src/recipes/index.ts";
import { languageModelling, type Objective } from "../src/tasks/index.ts";
import type { Tree } from "../src/util/tree.ts";

const type = (...shape: number[]): TensorType => ({ dtype: "float32", shape });

test("trace: the callback gets the tree of the types, with a Value for each", () => {
  const spec = { x: type(2), layers: [{ w: type(2, 2) }] };
  const program = trace(spec, ({ x, layers }) => {
    expectTypeOf(x).toEqualTypeOf<Value>();
    expectTypeOf(layers).toEqualTypeOf<readonly { readonly w: Value }[]>();
    return { loss: sum(x), parts: layers };
  });
  expectTypeOf(program).toExtend<Program>();
  expectTypeOf(program.outputs.loss).toEqualTypeOf<Value>();
  // @ts-expect-error: a tree of types has no numbers in it.
  trace({ x: 2 }, () => ({}));
  // @ts-expect-error: what comes out is Values.
  expectTypeOf(trace({ x: type(2) }, () => ({ y: 2 })));
});

test("trace: an input that is not always there may be absent", () => {
  const spec = (typed: boolean) => ({ ids: type(2), ...(typed ? { types: type(2) } : {}) });
  trace(spec(true), ({ ids, types }) => {
    expectTypeOf(types).toEqualTypeOf<Value | undefined>();
    return { y: types === undefined ? ids : mul(ids, types) };
  });
});

test("grad: gradients have the structure of what they are of", () => {
  trace({ w: [type(2), type(2)] as const, x: type(2) }, ({ w, x }) => {
    const slopes = grad(sum(mul(w[0], mul(w[1], x))), w);
    expectTypeOf(slopes[1]).toEqualTypeOf<Value>();
    return { slopes };
  });
});

test("Architecture: params of a config, and a model of any", () => {
  expectTypeOf(gpt2).toEqualTypeOf<Architecture<Gpt2Config, Gpt2Params<ParamSpec>>>();
  expectTypeOf(gpt2).toExtend<Architecture>();
  expectTypeOf(gpt2.params).returns.toExtend<Tree<ParamSpec>>();
  expectTypeOf(initialize).returns.toEqualTypeOf<Tree<Tensor>>();
  const made = (config: Gpt2Config): Model<Gpt2Config> => ({
    arch: gpt2,
    config,
    weights: initialize(gpt2.params(config), 1),
    history: [],
  });
  expectTypeOf(made).returns.toExtend<Model>();
});

test("Optimizer: any chain of transforms is one", () => {
  const halved = stateless("halved", (update) => {
    expectTypeOf(update).not.toBeAny();
    return update;
  });
  expectTypeOf(chain("mine", halved, scaleByLearningRate())).toExtend<Optimizer>();
  expectTypeOf(adamw).returns.toExtend<Optimizer>();
  expectTypeOf<Parameters<Optimizer["update"]>[2]>().toEqualTypeOf<Params>();
  // @ts-expect-error: the decay is a number.
  adamw({ weightDecay: "0.1" });
});

test("Pass: made from plain options, composed by pipe", () => {
  expectTypeOf(dropLayers({ keep: 2 })).toEqualTypeOf<Pass>();
  expectTypeOf(pipe(dropLayers({ keep: 2 }), quantize({ bits: 4 }))).toExtend<Pass>();
  // @ts-expect-error: 8 or 4.
  expect(() => quantize({ bits: 3 })).toThrow(/must be 8, 4 or 2/);
});

test("Objective: what a run minimises", () => {
  expectTypeOf(languageModelling).toEqualTypeOf<Objective>();
  expectTypeOf(languageModelling.totals).returns.toEqualTypeOf<{
    readonly total: Value;
    readonly count: Value;
  }>();
});

test("defineConfig: every option may be left out, none may be of another type", () => {
  expectTypeOf(defineConfig).parameter(0).toEqualTypeOf<RunConfig>();
  expectTypeOf(defineConfig).toBeCallableWith({});
  expectTypeOf(defineConfig).toBeCallableWith({
    train: { steps: 10, optimizer: "lion" },
    budget: { maxMb: 2 },
  });
  // @ts-expect-error: no optimizer of that name.
  defineConfig({ train: { optimizer: "adamant" } });
  // @ts-expect-error: no such option.
  defineConfig({ trian: {} });
});
