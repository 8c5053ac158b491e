/** Sequence-to-sequence models with weights of sines, what they compute, and the reference's cases (golden/seq2seq.py). */
import { readFileSync } from "node:fs";
import { beforeAll, expect } from "vitest";
import { compile } from "../../src/engine/compile.ts";
import type { Engine, Feeds } from "../../src/engine/engine.ts";
import { type Program, trace } from "../../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf, zeros } from "../../src/ir/tensor.ts";
import { architectures } from "../../src/models/index.ts";
import type { Model, Seq2SeqArchitecture } from "../../src/models/model.ts";
import { asConstants, type ParamSpec } from "../../src/nn/param.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { flatten, mapTree, type Tree } from "../../src/util/tree.ts";

interface GoldenCase {
  readonly config: { readonly vocab_size: number };
  readonly logits: readonly number[];
  readonly loss: number;
  readonly gradNorms: Readonly<Record<string, number>>;
  readonly losses: readonly number[];
  readonly greedy: readonly (readonly number[])[];
  readonly beams: readonly (readonly number[])[];
}

export interface Golden {
  readonly ids: readonly (readonly number[])[];
  readonly mask: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
  readonly buckets?: readonly { options: [number, number, boolean]; buckets: readonly number[] }[];
  readonly cases: Readonly<Record<string, GoldenCase>>;
}

export let engine: Engine;

beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

export const goldenOf = (file: string): Golden =>
  JSON.parse(readFileSync(new URL(`../golden/${file}`, import.meta.url), "utf8")) as Golden;

export const archOf = (name: string): Seq2SeqArchitecture => architectures[name] as Seq2SeqArchitecture;

export const specsOf = (name: string, config: unknown): Tree<ParamSpec> =>
  archOf(name).params(archOf(name).parse(config)) as Tree<ParamSpec>;

/** See golden/seq2seq.py. */
const sineWeights = (specs: Tree<ParamSpec>): Tree<Tensor> => {
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  return mapTree<ParamSpec, Tensor>(specs, ({ dtype, shape }, path) => {
    const t = zeros({ dtype, shape });
    const [i, one] = [order.indexOf(path), path.includes("norm") && path.endsWith("weight") ? 1 : 0];
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.3 * Math.sin(0.37 * j + 0.017 * j * j + 1.3 * i) + one;
    });
    return t;
  });
};

export const sineModel = (name: string, config: unknown): Model => {
  const arch = archOf(name);
  return { arch, config: arch.parse(config), weights: sineWeights(specsOf(name, config)), history: [] };
};

export const worst = (got: ArrayLike<number>, want: ArrayLike<number>): number => {
  expect(got.length).toBe(want.length);
  let most = 0;
  for (let i = 0; i < want.length; i++) most = Math.max(most, Math.abs(got[i]! - want[i]!));
  return most;
};

export const typesOf = (feeds: Feeds): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(feeds).map(([k, { dtype, shape }]) => [k, { dtype, shape }]));

export const run = async (program: Program, feeds: Feeds): Promise<Record<string, Tensor>> => {
  const session = await compile(engine, program);
  const out = await session.run(feeds);
  await session.dispose();
  return out;
};

/** Logits [B, U, V] of the full forward; with dropout where a seed is given. */
export const fullLogits = async (model: Model, feeds: Feeds, dropoutSeed?: number): Promise<Float32Array> => {
  const { labels: _, ...read } = feeds;
  const seeded = {
    ...read,
    ...(dropoutSeed === undefined ? {} : { seed: tensorOf("int32", [], [dropoutSeed]) }),
  };
  const program = trace(typesOf(seeded), ({ seed, ...inputs }) => {
    const all = { ...inputs, ...(seed === undefined ? {} : { dropoutSeed: seed }) } as never;
    return { logits: model.arch.forward(asConstants(model.weights), all, model.config).logits };
  });
  return (await run(program, seeded)).logits!.data as Float32Array;
};

/** The sources of a golden without their padding. */
export const sourcesOf = ({ ids, mask }: Golden): number[][] =>
  ids.map((row, b) => row.filter((_, t) => mask[b]![t] === 1));
