/**
 * How the products with 8-bit weights meet their inputs, found on a few texts. In trained models a few
 * channels are far stronger than the rest, for every token (https://arxiv.org/abs/2402.17762): of what a
 * product of SmolLM2-135M reads, 16 of 576 hold up to nine tenths of the energy. They stand apart, and with
 * them gone most products bear inputs of 8 bits; which do is measured, as in sensitivity.ts.
 */
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { constant, input, type Value } from "../ir/op.ts";
import { keep, type Program, rewriteProgram } from "../ir/program.ts";
import { type Tensor, tensorOf } from "../ir/tensor.ts";
import { headOf } from "../models/head.ts";
import { packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { add, div, mul, sub } from "../ops/elementwise.ts";
import { digitRounded, type Int8Form } from "../ops/int8.ts";
import { mean, reduceMax } from "../ops/reduce.ts";
import { reshape, transpose } from "../ops/structure.ts";
import { optimize } from "../rewrite/index.ts";
import { SMALL } from "./int8.ts";
import { cosine, groupName, type Ids, type Interruptible, type Probe, probeOf } from "./probe.ts";
import { matrixRead, type Site, sitesOf } from "./sites.ts";

/**
 * What all inputs of one digit together may take from the cosine of the outputs: little of logits, where
 * small differences decide which token is the likeliest; more of features, which are compared by direction.
 */
const BUDGET = { logits: 1e-5, features: 5e-4 } as const;

/** How many of `k` inputs stand apart: so few that their product costs little. */
const strongCount = (k: number): number => Math.floor(Math.min(Math.max(16, k / 32), k / 8));

/** How strong each input is at most: its square as a share of the row's mean square, x [..., K] -> [K, 1]. */
const strength = (x: Value): Value => {
  const k = x.shape.at(-1) as number;
  const squares = mul(x, x);
  const share = div(squares, add(mean(squares, [x.shape.length - 1], true), 1e-30));
  const rows = (x.shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1);
  return reduceMax(transpose(reshape(share, [rows, k]), [1, 0]));
};

/** The strong inputs of each site, ascending. */
const strongOf = async (engine: Engine, { program, feeds }: Probe, sites: readonly Site[]) => {
  const outputs = Object.fromEntries(sites.map(({ x }, i) => [`s${i}`, strength(x)]));
  const session = await compile(engine, { ...program, outputs });
  try {
    const found = await session.run(feeds);
    return sites.map((_, i) => {
      const values = found[`s${i}`]!.data as Float32Array;
      const order = Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
      return order.slice(0, strongCount(values.length)).sort((a, b) => a - b);
    });
  } finally {
    await session.dispose();
  }
};

interface Group {
  readonly sites: number[];
  params: number;
  cost: number;
}

const groupsOf = (sites: readonly Site[], model: Model): Group[] => {
  const known = packable(model.arch.linears(model.config));
  const { layers } = model.arch.cache(model.config);
  const groups = new Map<string, Group>();
  for (const [i, { paths, params }] of sites.entries()) {
    const name = groupName(known.get(paths[0]!)!, layers);
    const group = groups.get(name) ?? { sites: [], params: 0, cost: 0 };
    group.sites.push(i);
    group.params += params;
    groups.set(name, group);
  }
  return [...groups.values()];
};

/** x, or where `on` is 1 what a product of one digit reads. */
const switched = (x: Value, strong: readonly number[], on: Value): Value => {
  const k = x.shape.at(-1) as number;
  const mask = Array.from({ length: k }, (_, i) => (strong.includes(i) ? 1 : 0));
  const apart = mul(x, constant(tensorOf("float32", [k], mask)));
  const read = add(digitRounded(x, strong), apart);
  return add(x, mul(sub(read, x), on));
};

/** The program in which each group's products read one digit where its input `on.I` is 1. */
const switchable = (
  program: Program,
  sites: readonly Site[],
  strong: readonly (readonly number[])[],
  groups: readonly Group[],
): Program => {
  const switches = groups.map((_, g) => input(`on.${g}`, { dtype: "float32", shape: [] }));
  const groupAt = new Map(groups.flatMap(({ sites: own }, g) => own.map((i) => [i, g] as const)));
  const siteAt = new Map(sites.map(({ x }, i) => [x, i]));
  const rewritten = rewriteProgram(program, (node, inputs) => {
    const i = matrixRead(node) === undefined ? undefined : siteAt.get(node.inputs[0]!);
    if (i === undefined) return undefined;
    const [x, ...rest] = inputs as [Value, ...Value[]];
    return keep(node, [switched(x, strong[i]!, switches[groupAt.get(i)!]!), ...rest]);
  });
  const named = Object.fromEntries(switches.map((s, g) => [`on.${g}`, s]));
  return { ...rewritten, inputs: { ...(program.inputs as object), ...named } as Program["inputs"] };
};

const measure = async (
  engine: Engine,
  { program, feeds }: Probe,
  groups: readonly Group[],
  { signal }: Interruptible,
) => {
  const session = await compile(engine, program);
  const run = async (on: number): Promise<Float32Array> => {
    const given = groups.map((_, g): [string, Tensor] => [
      `on.${g}`,
      tensorOf("float32", [], [g === on ? 1 : 0]),
    ]);
    return (await session.run({ ...feeds, ...Object.fromEntries(given) })).out!.data as Float32Array;
  };
  try {
    const whole = await run(-1);
    for (const [g, group] of groups.entries()) {
      signal?.throwIfAborted();
      group.cost = 1 - cosine(whole, await run(g));
    }
  } finally {
    await session.dispose();
  }
};

/** The sites whose products read one digit: groups in the order of cost for a param, within `budget`. */
const singles = (groups: readonly Group[], budget: number): Set<number> => {
  let left = budget;
  const found = new Set<number>();
  for (const { cost, sites } of groups.toSorted((a, b) => a.cost / a.params - b.cost / b.params)) {
    if (cost > left) continue;
    left -= cost;
    for (const i of sites) found.add(i);
  }
  return found;
};

/**
 * The form of each matrix of a dense `model` as 8 bits, by its path, on texts given as token ids. A matrix
 * that several inputs go through is not among them.
 */
export const int8Forms = async (
  engine: Engine,
  model: Model,
  texts: Ids,
  options: Interruptible = {},
): Promise<ReadonlyMap<string, Int8Form>> => {
  const { program: traced, feeds } = probeOf(model, texts);
  const program = optimize(traced);
  const sites = sitesOf(program);
  // A table that is looked up alone: nothing is multiplied by.
  if (sites.length === 0) return new Map();
  const strong = await strongOf(engine, { program, feeds }, sites);
  const groups = groupsOf(sites, model);
  await measure(engine, { program: switchable(program, sites, strong, groups), feeds }, groups, options);
  const reads = headOf(model.arch, model.config) === "features" ? "features" : "logits";
  const one = singles(groups, BUDGET[reads]);
  const forms = new Map<string, Int8Form>();
  const seen = new Map<string, number>();
  for (const [i, { paths, params }] of sites.entries()) {
    for (const path of paths) {
      seen.set(path, (seen.get(path) ?? 0) + 1);
      const form: Int8Form = { digits: one.has(i) ? 1 : 2, strong: strong[i]! };
      forms.set(path, params < SMALL ? { digits: 0, strong: [] } : form);
    }
  }
  for (const [path, count] of seen) if (count > 1) forms.delete(path);
  return forms;
};
