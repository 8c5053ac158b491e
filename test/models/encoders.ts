/** Encoders with weights of sines, what they compute, and the reference's cases (golden/encoders.py). */
import { beforeAll, expect } from "vitest";
import { grad } from "../../src/autodiff/grad.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { Value } from "../../src/ir/op.ts";
import { trace } from "../../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf, zeros } from "../../src/ir/tensor.ts";
import { architectures } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";
import { meanLoss } from "../../src/nn/loss.ts";
import { asConstants, type ParamSpec, type Weight } from "../../src/nn/param.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { adamw } from "../../src/optim/index.ts";
import { type EncodedText, encoderOf } from "../../src/serve/graphs/encoder.ts";
import { encoderObjective } from "../../src/tasks/encoderObjective.ts";
import { stepper } from "../../src/train/stepper.ts";
import { entries, flatten, mapTree, type Tree } from "../../src/util/tree.ts";

export interface Case {
  readonly task: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly ids: readonly (readonly number[])[];
  readonly mask: readonly (readonly number[])[];
  readonly types?: readonly (readonly number[])[];
  readonly logits: readonly number[];
  /** Of features. */
  readonly names?: Readonly<Record<string, readonly number[]>>;
  /** Of all other tasks. */
  readonly labels?: readonly number[];
  readonly loss?: number;
  readonly gradNorms?: Readonly<Record<string, number>>;
  readonly losses?: readonly number[];
}

export let engine: Engine;

beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const isNorm = (path: string): boolean => /(LayerNorm|layer_norm|norm\.).*weight$/.test(path);

/** 0.3 sin(0.37 j + 1.3 i), plus 1 for norm weights: i numbers the sorted names, j the elements. */
const sineWeights = (specs: Tree<ParamSpec>): Tree<Tensor> => {
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  return mapTree<ParamSpec, Tensor>(specs, ({ dtype, shape }, path) => {
    const t = zeros({ dtype, shape });
    const [i, one] = [order.indexOf(path), isNorm(path) ? 1 : 0];
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.3 * Math.sin(0.37 * j + 1.3 * i) + one;
    });
    return t;
  });
};

export const specsOf = (json: Readonly<Record<string, unknown>>): Tree<ParamSpec> => {
  const arch = architectures[json.model_type as string]!;
  return arch.params(arch.parse(json)) as Tree<ParamSpec>;
};

export const sineModel = (json: Readonly<Record<string, unknown>>): Model => {
  const arch = architectures[json.model_type as string]!;
  return { arch, config: arch.parse(json), weights: sineWeights(specsOf(json)), history: [] };
};

export const norm = (t: Tensor): number => Math.sqrt((t.data as Float32Array).reduce((s, x) => s + x * x, 0));

export const worst = (got: ArrayLike<number>, want: ArrayLike<number>): number => {
  expect(got.length).toBe(want.length);
  let most = 0;
  for (let i = 0; i < want.length; i++) most = Math.max(most, Math.abs(got[i]! - want[i]!));
  return most;
};

export const numbers = (t: Tensor): Float32Array => t.data as Float32Array;

type Batch = Pick<Case, "ids" | "mask" | "types">;

const feedsOf = ({ ids, mask, types }: Batch): Record<string, Tensor> => {
  const grid = (rows: readonly (readonly number[])[]) =>
    tensorOf("int32", [rows.length, rows[0]!.length], rows.flat());
  return {
    inputIds: grid(ids),
    attentionMask: grid(mask),
    ...(types === undefined ? {} : { tokenTypeIds: grid(types) }),
  };
};

const typesOf = (feeds: Readonly<Record<string, Tensor>>): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(feeds).map(([k, { dtype, shape }]) => [k, { dtype, shape }]));

/** What forward gives on fixed shapes. */
export const forward = async (model: Model, batch: Batch, dropoutSeed?: number): Promise<Tensor> => {
  const seed = dropoutSeed === undefined ? {} : { dropoutSeed: tensorOf("int32", [], [dropoutSeed]) };
  const feeds = { ...feedsOf(batch), ...seed };
  const program = trace(typesOf(feeds), (inputs) => ({
    logits: model.arch.forward(asConstants(model.weights), inputs as never, model.config).logits,
  }));
  const session = await compile(engine, program);
  const out = await session.run(feeds);
  await session.dispose();
  return out.logits!;
};

export const textsOf = ({ ids, mask, types }: Batch): EncodedText[] =>
  ids.map((row, b) => {
    const length = mask[b]!.reduce((a, m) => a + m, 0);
    const own = types === undefined ? {} : { types: types[b]!.slice(0, length) };
    return { ids: row.slice(0, length), ...own };
  });

/** What the shipped graph gives. */
export const served = async (model: Model, texts: readonly EncodedText[]): Promise<Tensor> => {
  const encoder = await encoderOf(engine, model);
  const { output } = await encoder.run(texts);
  await encoder.dispose();
  return output;
};

export const lossAndGradients = async (model: Model, want: Case): Promise<Record<string, Tensor>> => {
  const labels = tensorOf("int32", [want.labels!.length], want.labels!);
  const feeds = { ...feedsOf(want), labels };
  const params = mapTree<Weight, TensorType>(model.weights, ({ dtype, shape }) => ({ dtype, shape }));
  const program = trace({ params, ...typesOf(feeds) }, (given) => {
    const {
      params: p,
      labels: wanted,
      ...inputs
    } = given as {
      params: Tree<Value>;
      labels: Value;
      inputIds: Value;
    };
    const outputs = model.arch.forward(p, inputs, model.config);
    const loss = meanLoss(encoderObjective(model).totals(outputs, { labels: wanted, replaced: wanted }));
    return { loss, gradients: grad(loss, p) };
  });
  const session = await compile(engine, program);
  const weights = Array.from(entries<Weight>(model.weights), ([path, w]) => [`params.${path}`, w as Tensor]);
  const out = await session.run({ ...Object.fromEntries(weights), ...feeds });
  await session.dispose();
  return out;
};

export const train = async (model: Model, want: Case, steps: number): Promise<number[]> => {
  const [batch, context] = [want.ids.length, want.ids[0]!.length];
  const objective = encoderObjective(model);
  const made = await stepper(engine, model, {
    batch,
    context,
    optimizer: adamw({ weightDecay: 0 }),
    objective,
  });
  const read = Object.keys(objective.inputs({ batch, context, vocab: 23 }));
  const zero = want.ids.map((row) => row.map(() => 0));
  const all: Record<string, Tensor> = {
    ...feedsOf({ types: zero, ...want }),
    labels: tensorOf("int32", [want.labels!.length], want.labels!),
    replaced: tensorOf("int32", [want.labels!.length], want.labels!),
  };
  const feeds = Object.fromEntries(["inputIds", ...read].map((name) => [name, all[name]!]));
  const losses: number[] = [];
  for (let i = 0; i < steps; i++) {
    const { loss } = await made.run([{ ...feeds, seed: tensorOf("int32", [], [i]) }], 1e-2, i + 1);
    losses.push(loss);
  }
  await made.dispose();
  return losses;
};
