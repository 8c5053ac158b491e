/**
 * Which matrices 4 bits cost too much: measured, a group at a time, by what becomes of the model's outputs on
 * a few texts. The others stand 4 bits together, for costs of groups add up nearly. (Outliers differ from
 * model to model, so no list of names holds: of SmolLM2-135M the value and down projections are the worst, of
 * MiniLM-L6 the value and the first feed-forward projections of the last layer.)
 */
import { compile } from "../engine/compile.ts";
import type { Engine, Session } from "../engine/engine.ts";
import { type Tensor, tensor } from "../ir/tensor.ts";
import { packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import type { Weight } from "../nn/param.ts";
import { flatten, type Tree } from "../util/tree.ts";
import { int4Rounded } from "./int4.ts";
import { matrixOf } from "./matrix.ts";
import { cosine, groupName, type Ids, type Interruptible, probeOf } from "./probe.ts";

/** What all groups of 4 bits together may take from the cosine of the outputs. */
const BUDGET = 0.007;

/** Matrices of one kind in a third of the layers, which are rounded together. */
export interface MatrixGroup {
  readonly paths: string[];
  /** Numbers in them. */
  params: number;
  /** What 4 bits of them take from the cosine of the outputs. */
  cost: number;
}

/** The matrices of a model by kind and third of the layers, before anything is known of their cost. */
export const groupsOf = (model: Model): MatrixGroup[] => {
  const weights = flatten<Weight>(model.weights as Tree<Weight>);
  const { layers } = model.arch.cache(model.config);
  const groups = new Map<string, MatrixGroup>();
  for (const [path, info] of packable(model.arch.linears(model.config))) {
    const w = weights.get(path)!;
    const name = groupName(info, layers);
    const group = groups.get(name) ?? { paths: [], params: 0, cost: 0 };
    group.paths.push(path);
    group.params += w.shape.reduce((a, b) => a * b, 1);
    groups.set(name, group);
  }
  return [...groups.values()];
};

const measure = async (
  session: Session,
  feeds: Readonly<Record<string, Tensor>>,
  model: Model,
  groups: MatrixGroup[],
  { signal }: Interruptible,
) => {
  const known = packable(model.arch.linears(model.config));
  const run = async (changed: Record<string, Tensor>): Promise<Float32Array> =>
    (await session.run({ ...feeds, ...changed })).out!.data as Float32Array;
  const whole = await run({});
  for (const group of groups) {
    signal?.throwIfAborted();
    const changed = group.paths.map((path) => {
      const w = feeds[`w.${path}`]!;
      const rounded = int4Rounded(matrixOf(path, w, known.get(path)!.layout));
      return [`w.${path}`, tensor("float32", w.shape, rounded)] as const;
    });
    group.cost = 1 - cosine(whole, await run(Object.fromEntries(changed)));
  }
};

/**
 * What 4 bits cost each group of a dense model's matrices, on texts given as token ids; the cheapest for a
 * param first.
 */
export const groupCosts = async (
  engine: Engine,
  model: Model,
  texts: Ids,
  options: Interruptible = {},
): Promise<MatrixGroup[]> => {
  const { program, feeds } = probeOf(model, texts);
  const groups = groupsOf(model);
  const session = await compile(engine, program);
  try {
    await measure(session, feeds, model, groups, options);
  } finally {
    await session.dispose();
  }
  return groups.sort((a, b) => a.cost / a.params - b.cost / b.params);
};

/** Names of the matrices that keep 8 bits where costs of 4 bits add up to no more than the budget. */
export const wideUnderBudget = (groups: readonly MatrixGroup[]): string[] => {
  let left = BUDGET;
  const wide: string[] = [];
  for (const group of groups) {
    if (group.cost <= left) left -= group.cost;
    else wide.push(...group.paths);
  }
  return wide.sort();
};

/**
 * Names of the matrices of a dense `model` that should keep 8 bits where the others take 4, on texts given as
 * token ids. Groups take 4 bits in the order of their cost for a param, while the sum stays in the budget.
 */
export const wideMatrices = async (engine: Engine, model: Model, texts: Ids): Promise<string[]> =>
  wideUnderBudget(await groupCosts(engine, model, texts));
