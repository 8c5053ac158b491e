/**
 * How the products with 8-bit weights meet their inputs, found on a few texts. In trained models a few
 * channels are far stronger than the rest, for every token (https://arxiv.org/abs/2402.17762): of what a
 * product of SmolLM2-135M reads, 16 of 576 hold up to nine tenths of the energy. They stand apart, and with
 * them gone most products bear inputs of 8 bits; which do is measured, as in sensitivity.ts. Where many
 * tokens are read at once, as encoders do, what finds a row's scale takes a good part of the product's own
 * time: there steps are fixed beforehand (inputSteps.ts) where that costs little.
 */
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { constant, input, type Value } from "../ir/op.ts";
import { keep, type Program, rewriteProgram } from "../ir/program.ts";
import { type Tensor, tensorOf } from "../ir/tensor.ts";
import { headOf } from "../models/head.ts";
import { type LinearInfo, packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { kinds } from "../nn/kinds/index.ts";
import { add, div, mul, sub } from "../ops/elementwise.ts";
import { digitRounded, type Int8Form } from "../ops/int8.ts";
import { type InputSteps, stepRounded } from "../ops/int8Steps.ts";
import { mean, reduceMax } from "../ops/reduce.ts";
import { reshape, transpose } from "../ops/structure.ts";
import { optimize } from "../rewrite/index.ts";
import { inputSteps } from "./inputSteps.ts";
import { int8Parts, SMALL } from "./int8.ts";
import { matrixOf } from "./matrix.ts";
import { cosine, groupName, type Ids, type Interruptible, type Probe, probeOf } from "./probe.ts";
import { matrixRead, type Site, sitesOf } from "./sites.ts";

/**
 * What all inputs of one digit together may take from the cosine of the outputs: little of a decoder's
 * logits, where small differences decide which token is the likeliest and texts go on from it; more of
 * features, which are compared by direction, and of what encoders say.
 */
const BUDGET = { logits: 1e-5, features: 3e-4 } as const;

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
  /** What the cosine of the outputs loses where its products find a scale for each row of inputs. */
  cost: number;
  /** The same where steps are fixed beforehand, weights rounded along with them. */
  fixedCost: number;
}

const groupsOf = (sites: readonly Site[], model: Model): Group[] => {
  const known = packable(model.arch.linears(model.config));
  const { layers } = model.arch.cache(model.config);
  const groups = new Map<string, Group>();
  for (const [i, { paths, params }] of sites.entries()) {
    const name = groupName(known.get(paths[0]!)!, layers);
    const group = groups.get(name) ?? { sites: [], params: 0, cost: 0, fixedCost: Number.POSITIVE_INFINITY };
    group.sites.push(i);
    group.params += params;
    groups.set(name, group);
  }
  return [...groups.values()];
};

/** A site with what its products may read. */
interface Place extends Site {
  readonly strong: readonly number[];
  readonly fixed: InputSteps | undefined;
}

/** x, or where `on` is 1 what a product of one digit reads, where `fixed` is 1 what one by steps does. */
const switched = (x: Value, place: Place, [on, fixed]: readonly [Value, Value]): Value => {
  const k = x.shape.at(-1) as number;
  const mask = Array.from({ length: k }, (_, i) => (place.strong.includes(i) ? 1 : 0));
  const apart = mul(x, constant(tensorOf("float32", [k], mask)));
  const read = add(digitRounded(x, place.strong), apart);
  const one = add(x, mul(sub(read, x), on));
  return place.fixed === undefined ? one : add(one, mul(sub(stepRounded(x, place.fixed), x), fixed));
};

const SWITCHES = ["on", "fixed"] as const;

/**
 * The program in which each group's products read one digit where its input `on.I` is 1, and codes of steps
 * where `fixed.I` is.
 */
const switchable = (program: Program, places: readonly Place[], groups: readonly Group[]): Program => {
  const switches = groups.map((_, g) => {
    const [on, fixed] = SWITCHES.map((name) => input(`${name}.${g}`, { dtype: "float32", shape: [] }));
    return [on!, fixed!] as const;
  });
  const groupAt = new Map(groups.flatMap(({ sites: own }, g) => own.map((i) => [i, g] as const)));
  const siteAt = new Map(places.map(({ x }, i) => [x, i]));
  const rewritten = rewriteProgram(program, (node, inputs) => {
    const i = matrixRead(node) === undefined ? undefined : siteAt.get(node.inputs[0]!);
    if (i === undefined) return undefined;
    const [x, ...rest] = inputs as [Value, ...Value[]];
    return keep(node, [switched(x, places[i]!, switches[groupAt.get(i)!]!), ...rest]);
  });
  const named = switches.flatMap((both, g) => both.map((v, i) => [`${SWITCHES[i]}.${g}`, v] as const));
  const inputs = { ...(program.inputs as object), ...Object.fromEntries(named) } as Program["inputs"];
  return { ...rewritten, inputs };
};

/** The matrices of a group as 8 bits by steps have them, as inputs of the probe. */
const roundedBySteps = (
  { sites }: Group,
  places: readonly Place[],
  { feeds, layouts }: Pick<Probe, "feeds"> & { readonly layouts: ReadonlyMap<string, LinearInfo> },
): Record<string, Tensor> => {
  const changed = sites.flatMap((i) => {
    const { paths, fixed } = places[i]!;
    return paths.map((path) => {
      const w = feeds[`w.${path}`]!;
      const { layout } = layouts.get(path)!;
      const form = { digits: 1, strong: [], ...fixed! } as const;
      const parts = int8Parts(matrixOf(path, w, layout), form);
      const { dtype, shape } = w;
      return [`w.${path}`, kinds.int8.dense({ dtype, shape, layout, kind: kinds.int8, parts, attrs: form })];
    });
  });
  return Object.fromEntries(changed);
};

const measure = async (
  engine: Engine,
  { program, feeds }: Probe,
  groups: readonly Group[],
  { signal, bySteps }: Interruptible & { readonly bySteps: (group: Group) => Record<string, Tensor> },
) => {
  const session = await compile(engine, program);
  const run = async (on: string, changed: Record<string, Tensor> = {}): Promise<Float32Array> => {
    const given = groups.flatMap((_, g) =>
      SWITCHES.map((name): [string, Tensor] => {
        return [`${name}.${g}`, tensorOf("float32", [], [on === `${name}.${g}` ? 1 : 0])];
      }),
    );
    const fed = Object.entries({ ...feeds, ...Object.fromEntries(given), ...changed });
    const read = fed.filter(([name]) => session.inputNames.includes(name));
    return (await session.run(Object.fromEntries(read))).out!.data as Float32Array;
  };
  try {
    const whole = await run("");
    for (const [g, group] of groups.entries()) {
      signal?.throwIfAborted();
      group.cost = 1 - cosine(whole, await run(`on.${g}`));
      if (session.inputNames.includes(`fixed.${g}`))
        group.fixedCost = 1 - cosine(whole, await run(`fixed.${g}`, bySteps(group)));
    }
  } finally {
    await session.dispose();
  }
};

/** Groups in the order of cost for a param, as far as they fit in `budget`. */
const within = (groups: readonly Group[], budget: number, costOf: (group: Group) => number): Set<Group> => {
  let left = budget;
  const found = new Set<Group>();
  for (const group of groups.toSorted((a, b) => costOf(a) / a.params - costOf(b) / b.params)) {
    const cost = Math.max(0, costOf(group));
    if (cost > left) continue;
    left -= cost;
    found.add(group);
  }
  return found;
};

/** What is known of each site: its strong inputs and, where steps may be fixed, those. */
const placesOf = async (
  engine: Engine,
  model: Model,
  { program, feeds }: Probe,
  texts: Ids,
): Promise<readonly Place[]> => {
  const sites = sitesOf(program);
  if (sites.length === 0) return [];
  const strong = await strongOf(engine, { program, feeds }, sites);
  const steps = model.arch.kind === "encoder" ? await inputSteps(engine, model, texts) : undefined;
  return sites.map((site, i) => ({ ...site, strong: strong[i]!, fixed: steps?.get(site.paths[0]!) }));
};

/** The sites whose products read one digit within the budget, and those of them whose steps are fixed. */
const chosen = (groups: readonly Group[], budget: number, isEncoder: boolean) => {
  const least = ({ cost, fixedCost }: Group): number => Math.min(cost, fixedCost);
  const one = within(groups, budget, least);
  const able = [...one].filter(({ fixedCost }) => Number.isFinite(fixedCost));
  const spent = [...one].reduce((sum, group) => sum + Math.max(0, least(group)), 0);
  const left = isEncoder ? budget - spent : 0;
  const fixed = within(able, left, (group) => group.fixedCost - least(group));
  const sitesIn = (found: Set<Group>) => new Set([...found].flatMap(({ sites }) => sites));
  return { one: sitesIn(one), fixed: sitesIn(fixed) };
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
  const places = await placesOf(engine, model, { program, feeds }, texts);
  // A table that is looked up alone: nothing is multiplied by.
  if (places.length === 0) return new Map();
  const groups = groupsOf(places, model);
  const layouts = packable(model.arch.linears(model.config));
  const bySteps = (group: Group) => roundedBySteps(group, places, { feeds, layouts });
  const probe = { program: switchable(program, places, groups), feeds };
  await measure(engine, probe, groups, { ...options, bySteps });
  const isEncoder = model.arch.kind === "encoder";
  const reads = isEncoder || headOf(model.arch, model.config) === "features" ? "features" : "logits";
  const { one, fixed } = chosen(groups, BUDGET[reads], isEncoder);
  const forms = new Map<string, Int8Form>();
  const seen = new Map<string, number>();
  for (const [i, { paths, params, strong, fixed: steps }] of places.entries()) {
    const found: Int8Form = fixed.has(i)
      ? { digits: 1, strong: [], ...steps! }
      : { digits: one.has(i) ? 1 : 2, strong };
    for (const path of paths) {
      seen.set(path, (seen.get(path) ?? 0) + 1);
      forms.set(path, params < SMALL ? { digits: 0, strong: [] } : found);
    }
  }
  for (const [path, count] of seen) if (count > 1) forms.delete(path);
  return forms;
};
