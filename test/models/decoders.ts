/** Decoders with weights of sines, what they compute, and the reference's cases (golden/decoders.py). */
import { readFileSync } from "node:fs";
import { beforeAll } from "vitest";
import { grad } from "../../src/autodiff/grad.ts";
import { compile } from "../../src/engine/compile.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { constant } from "../../src/ir/op.ts";
import { type Program, trace } from "../../src/ir/program.ts";
import { scalar, type Tensor, type TensorType, tensorOf, zeros } from "../../src/ir/tensor.ts";
import { architectures } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";
import { countedLabels, crossEntropy, meanLoss, totalsOver } from "../../src/nn/loss.ts";
import { asConstants, type ParamSpec, type Weight } from "../../src/nn/param.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { mul } from "../../src/ops/elementwise.ts";
import { mean } from "../../src/ops/reduce.ts";
import { reshape } from "../../src/ops/structure.ts";
import { languageModelling } from "../../src/tasks/languageModelling.ts";
import type { Objective } from "../../src/tasks/objective.ts";
import { entries, flatten, mapTree, type Tree } from "../../src/util/tree.ts";

export interface Golden {
  readonly cases: Readonly<Record<string, GoldenCase>>;
}

interface GoldenCase {
  readonly config: { readonly vocab_size: number };
  readonly ids: readonly (readonly number[])[];
  readonly mask?: readonly (readonly number[])[];
  readonly positions?: readonly (readonly number[])[];
  /** Absent for features. */
  readonly labels?: readonly number[];
  readonly shape: readonly number[];
  readonly logits: readonly number[];
  readonly loss: number;
  readonly gradNorms: Readonly<Record<string, number>>;
  readonly losses: readonly number[];
}

export const goldenOf = (file: string): Golden =>
  JSON.parse(readFileSync(new URL(`../golden/${file}`, import.meta.url), "utf8")) as Golden;

/** Two rows of eight tokens. */
export const IDS = [0, 1].map((b) => Array.from({ length: 8 }, (_, t) => (7 * t + 3 + 5 * b) % 23));

export let engine: Engine;

beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

export const specsOf = (name: string, config: unknown): Tree<ParamSpec> => {
  const arch = architectures[name]!;
  return arch.params(arch.parse(config)) as Tree<ParamSpec>;
};

/**
 * 0.3 sin(0.37 j + 1.3 i), plus 1 for norm weights: i numbers the sorted names, j the elements; see
 * golden/decoders.py.
 */
const sineWeights = (specs: Tree<ParamSpec>): Tree<Tensor> => {
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  return mapTree<ParamSpec, Tensor>(specs, ({ dtype, shape }, path) => {
    const t = zeros({ dtype, shape });
    const [i, one] = [order.indexOf(path), /norm|ln_/.test(path) && path.endsWith("weight") ? 1 : 0];
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.3 * Math.sin(0.37 * j + 1.3 * i) + one;
    });
    return t;
  });
};

export const sineModel = (name: string, config: unknown): Model => {
  const arch = architectures[name]!;
  return { arch, config: arch.parse(config), weights: sineWeights(specsOf(name, config)), history: [] };
};

export const norm = (t: Tensor): number => Math.sqrt((t.data as Float32Array).reduce((s, x) => s + x * x, 0));

/** Logits [rows, T, V] of the full forward on ids of one length; with dropout where a seed is given. */
export const fullLogits = async (
  model: Model,
  ids: readonly (readonly number[])[],
  dropoutSeed?: number,
): Promise<Tensor> => {
  const shape = [ids.length, ids[0]!.length];
  const spec = {
    ids: { dtype: "int32", shape } as TensorType,
    ...(dropoutSeed === undefined ? {} : { seed: { dtype: "int32", shape: [] } as TensorType }),
  };
  const program = trace(spec, ({ ids: inputIds, seed }) => {
    const inputs = seed === undefined ? { inputIds } : { inputIds, dropoutSeed: seed };
    return { logits: model.arch.forward(asConstants(model.weights), inputs, model.config).logits };
  });
  const session = await compile(engine, program);
  const seeds = dropoutSeed === undefined ? {} : { seed: tensorOf("int32", [], [dropoutSeed]) };
  const out = await session.run({ ids: tensorOf("int32", shape, ids.flat()), ...seeds });
  await session.dispose();
  return out.logits!;
};

export const worst = (got: ArrayLike<number>, want: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < want.length; i++) most = Math.max(most, Math.abs(got[i]! - want[i]!));
  return most;
};

/** The inputs of a golden's forward pass. */
export const inputsOf = ({ ids, mask, positions }: GoldenCase): Record<string, Tensor> => {
  const rows = (values: readonly (readonly number[])[]): Tensor =>
    tensorOf("int32", [ids.length, ids[0]!.length], values.flat());
  return {
    inputIds: rows(ids),
    ...(mask === undefined ? {} : { attentionMask: rows(mask) }),
    ...(positions === undefined ? {} : { positionIds: rows(positions) }),
  };
};

const typesOf = (tensors: Readonly<Record<string, Tensor>>): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));

/** What golden/decoders.py minimises: labels of texts, of tokens, or a weighted mean of features. */
export const objectiveOf = (want: GoldenCase): Objective => ({
  name: "golden",
  inputs: () => {
    const { inputIds: _, ...rest } = typesOf(inputsOf(want));
    const { labels } = want;
    return {
      ...rest,
      ...(labels === undefined ? {} : { labels: { dtype: "int32", shape: [labels.length] } as const }),
    };
  },
  totals: (outputs, { labels }) => {
    if (outputs.head !== undefined) return languageModelling.totals(outputs, { labels: labels! });
    const { logits } = outputs;
    const shape = logits.shape as number[];
    if (labels !== undefined) {
      const n = labels.shape[0] as number;
      const { counts, safe } = countedLabels(labels);
      const losses = crossEntropy(reshape(logits, [n, shape.at(-1)!]), reshape(safe, [n, 1]));
      return totalsOver(losses, reshape(counts, [n, 1]));
    }
    const size = shape.reduce((x, y) => x * y);
    const counts = want.mask?.flat();
    const ramp = Array.from({ length: size }, (_, j) => {
      return counts?.[Math.floor(j / shape[2]!)] === 0 ? 0 : Math.sin(Math.fround(0.7 * j));
    });
    const total = mean(mul(logits, constant(tensorOf("float32", shape, ramp))));
    return { total, count: constant(scalar(1)) };
  },
});

export const labelFeeds = ({ labels }: GoldenCase): Record<string, Tensor> =>
  labels === undefined ? {} : { labels: tensorOf("int32", [labels.length], labels) };

/** Compiles, feeds what the graph reads and disposes. */
const runOnce = async (program: Program, feeds: Readonly<Record<string, Tensor>>) => {
  const session = await compile(engine, program);
  const used = Object.entries(feeds).filter(([name]) => session.inputNames.includes(name));
  const out = await session.run(Object.fromEntries(used));
  await session.dispose();
  return out;
};

/** The logits of a golden's inputs. */
export const goldenLogits = async (model: Model, want: GoldenCase): Promise<Tensor> => {
  const feeds = inputsOf(want);
  const program = trace(typesOf(feeds), (given) => {
    const inputs = { inputIds: given.inputIds!, ...given };
    return { logits: model.arch.forward(asConstants(model.weights), inputs, model.config).logits };
  });
  return (await runOnce(program, feeds)).logits!;
};

/** The step's loss and gradients without an optimizer. */
export const lossAndGradients = async (model: Model, want: GoldenCase): Promise<Record<string, Tensor>> => {
  const types = mapTree<Weight, TensorType>(model.weights, ({ dtype, shape }) => ({ dtype, shape }));
  const feeds = { ...inputsOf(want), ...labelFeeds(want) };
  const program = trace({ params: types, batch: typesOf(feeds) }, (v) => {
    const inputs = { inputIds: v.batch.inputIds!, ...v.batch };
    const outputs = model.arch.forward(v.params, inputs, model.config);
    const loss = meanLoss(objectiveOf(want).totals(outputs, v.batch));
    return { loss, gradients: grad(loss, v.params) };
  });
  const weights = Array.from(entries<Weight>(model.weights), ([path, w]) => [`params.${path}`, w as Tensor]);
  const batch = Object.entries(feeds).map(([name, t]) => [`batch.${name}`, t]);
  return runOnce(program, Object.fromEntries([...weights, ...batch]));
};

/** Largest difference of two results [B, T, ...], or [B, ...], where the mask of the golden counts. */
export const worstCounted = (got: ArrayLike<number>, { logits, mask, shape }: GoldenCase): number => {
  if (mask === undefined || shape.length < 3) return worst(got, logits);
  const counts = mask.flat();
  const width = logits.length / counts.length;
  return logits.reduce((most, x, i) => {
    return counts[Math.floor(i / width)] === 0 ? most : Math.max(most, Math.abs(got[i]! - x));
  }, 0);
};
