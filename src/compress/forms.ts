/**
 * How the products with 8-bit weights meet their inputs, found on a few texts. In trained models a few
 * channels are far stronger than the rest, for every token (https://arxiv.org/abs/2402.17762): of what a
 * product of SmolLM2-135M reads, 16 of 576 hold up to nine tenths of the energy. They stand apart, and with
 * them gone most products bear inputs of 8 bits; which do is measured, as in sensitivity.ts. Where many
 * tokens are read at once, as encoders do, what finds a row's scale takes a good part of the product's own
 * time: there steps are fixed beforehand (inputSteps.ts) where that costs little, with a few inputs apart
 * where that helps.
 */
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { input, type Value } from "../ir/op.ts";
import { keep, type Program, rewriteProgram } from "../ir/program.ts";
import { type Tensor, tensorOf } from "../ir/tensor.ts";
import { headOf } from "../models/head.ts";
import { type LinearInfo, packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { kinds } from "../nn/kinds/index.ts";
import { add, div, mul, sub } from "../ops/elementwise.ts";
import type { Int8Form } from "../ops/int8.ts";
import { mean, reduceMax } from "../ops/reduce.ts";
import { ROTATION_BLOCK } from "../ops/rotation.ts";
import { reshape, transpose } from "../ops/structure.ts";
import { optimize } from "../rewrite/index.ts";
import { type Option, quickest } from "./choice.ts";
import { inputSteps } from "./inputSteps.ts";
import { int8Parts, SMALL } from "./int8.ts";
import { matrixOf } from "./matrix.ts";
import { cosine, divergence, groupName, type Ids, type Interruptible, type Probe, probeOf } from "./probe.ts";
import { matrixRead, type Site, sitesOf } from "./sites.ts";
import { apartIn, formOf, type Place, readAs, timeOf, WAYS, type Way } from "./ways.ts";

/**
 * What the rounding of all inputs together may take: of features the cosine, which they are compared by, and
 * more of it where much text was seen (`shown`); of logits the cosine and the divergence from the model's own
 * choice of tokens, in nats.
 */
const BUDGET = { features: 3e-4, shown: 4e-4, cosine: 3e-4, nats: 3e-4 } as const;

/** How strong each input is at most: its square as a share of the row's mean square, x [..., K] -> [K, 1]. */
const strength = (x: Value): Value => {
  const k = x.shape.at(-1) as number;
  const squares = mul(x, x);
  const share = div(squares, add(mean(squares, [x.shape.length - 1], true), 1e-30));
  const rows = (x.shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1);
  return reduceMax(transpose(reshape(share, [rows, k]), [1, 0]));
};

/**
 * Strength of a site's strongest input from which on there are strong ones at all. Of SmolLM2-135M it is 150
 * to 570, but for what some layers' attention makes; of normal numbers some 20, behind a GELU 80.
 */
const STRONG = 100;

/** The inputs of each site, the strongest first; none where none is strong. */
const strongestOf = async (engine: Engine, { program, feeds }: Probe, sites: readonly Site[]) => {
  const outputs = Object.fromEntries(sites.map(({ x }, i) => [`s${i}`, strength(x)]));
  const session = await compile(engine, { ...program, outputs });
  try {
    const found = await session.run(feeds);
    return sites.map((_, i) => {
      const values = found[`s${i}`]!.data as Float32Array;
      if (values.every((strongest) => strongest < STRONG)) return [];
      return Array.from(values.keys()).sort((a, b) => values[b]! - values[a]! || a - b);
    });
  } finally {
    await session.dispose();
  }
};

/** Into how many parts layers are grouped: encoders' products differ more, and are measured in less time. */
const PARTS = { decoder: 3, encoder: 6, seq2seq: 3 } as const;

/** Sites whose products are of one kind, in one part of the layers. */
interface Group {
  readonly sites: number[];
  /** What each way takes of the budget. */
  readonly costs: Map<Way, number>;
}

const groupsOf = (sites: readonly Site[], model: Model): Group[] => {
  const known = packable(model.arch.linears(model.config));
  const { layers } = model.arch.cache(model.config);
  const groups = new Map<string, Group>();
  for (const [i, { paths }] of sites.entries()) {
    const name = groupName(known.get(paths[0]!)!, layers, PARTS[model.arch.kind]);
    const group: Group = groups.get(name) ?? { sites: [], costs: new Map() };
    group.sites.push(i);
    groups.set(name, group);
  }
  return [...groups.values()];
};

/** x, or where the switch of a way is 1 what a product reads in that way. */
const switched = (x: Value, place: Place, switches: ReadonlyMap<Way, Value>): Value =>
  place.ways.reduce((v, way) => add(v, mul(sub(readAs(x, place, way), x), switches.get(way)!)), x);

/** The program in which each group's products read in a way where its input `WAY.I` is 1. */
const switchable = (program: Program, places: readonly Place[], groups: readonly Group[]): Program => {
  const switches = groups.map(
    (_, g) => new Map(WAYS.map((way) => [way, input(`${way}.${g}`, { dtype: "float32", shape: [] })])),
  );
  const groupAt = new Map(groups.flatMap(({ sites: own }, g) => own.map((i) => [i, g] as const)));
  const siteAt = new Map(places.map(({ x }, i) => [x, i]));
  const rewritten = rewriteProgram(program, (node, inputs) => {
    const i = matrixRead(node) === undefined ? undefined : siteAt.get(node.inputs[0]!);
    if (i === undefined) return undefined;
    const [x, ...rest] = inputs as [Value, ...Value[]];
    return keep(node, [switched(x, places[i]!, switches[groupAt.get(i)!]!), ...rest]);
  });
  const named = switches.flatMap((own, g) => Array.from(own, ([way, v]) => [`${way}.${g}`, v] as const));
  const inputs = { ...(program.inputs as object), ...Object.fromEntries(named) } as Program["inputs"];
  return { ...rewritten, inputs };
};

/** Whether a way's steps are known beforehand: they are in the weights, too. */
const bySteps = (way: Way): boolean => way === "fixed" || way === "apart";

/** The matrices of a group as 8 bits have them in a way, as inputs of the probe. */
const roundedIn = (
  [{ sites }, way]: readonly [Group, Way],
  places: readonly Place[],
  { feeds, layouts }: Pick<Probe, "feeds"> & { readonly layouts: ReadonlyMap<string, LinearInfo> },
): Record<string, Tensor> => {
  const changed = sites.flatMap((i) => {
    const { paths } = places[i]!;
    return paths.map((path) => {
      const w = feeds[`w.${path}`]!;
      const { layout } = layouts.get(path)!;
      const form = formOf(places[i]!, way);
      const parts = int8Parts(matrixOf(path, w, layout), form);
      const { dtype, shape } = w;
      return [
        `w.${path}`,
        kinds.int8.dense({ dtype, shape, layout, kind: kinds.int8, parts, attrs: { ...form } }),
      ];
    });
  });
  return Object.fromEntries(changed);
};

/** What a change of the outputs takes of the budget, which is 1. */
type CostOf = (whole: Tensor, changed: Tensor) => number;

const measure = async (
  engine: Engine,
  { program, feeds }: Probe,
  groups: readonly Group[],
  { signal, rounded, costOf }: Measuring,
) => {
  const session = await compile(engine, program);
  const run = async (on: string, changed: Record<string, Tensor> = {}): Promise<Tensor> => {
    const given = groups.flatMap((_, g) =>
      WAYS.map((way): [string, Tensor] => {
        return [`${way}.${g}`, tensorOf("float32", [], [on === `${way}.${g}` ? 1 : 0])];
      }),
    );
    const fed = Object.entries({ ...feeds, ...Object.fromEntries(given), ...changed });
    const read = fed.filter(([name]) => session.inputNames.includes(name));
    return (await session.run(Object.fromEntries(read))).out!;
  };
  try {
    const whole = await run("");
    for (const [g, group] of groups.entries()) {
      for (const way of WAYS) {
        signal?.throwIfAborted();
        const name = `${way}.${g}`;
        if (!session.inputNames.includes(name)) continue;
        group.costs.set(way, costOf(whole, await run(name, bySteps(way) ? rounded(group, way) : {})));
      }
      // Weights are rounded in any form: what that costs is no way's.
      if (!group.costs.has("apart")) continue;
      const base = costOf(whole, await run("", rounded(group, "one")));
      for (const [way, cost] of group.costs) if (bySteps(way)) group.costs.set(way, cost - base);
    }
  } finally {
    await session.dispose();
  }
};

interface Measuring extends Interruptible {
  /** A group's matrices as a way has them. */
  rounded(group: Group, way: Way): Record<string, Tensor>;
  readonly costOf: CostOf;
}

/**
 * Tokens that show how far an encoder's inputs go. Fewer do not, and steps are taken with care: with what its
 * weights' rounding costs in the bargain, and only where no input goes so far that it had to stand apart.
 */
const SHOWN = 2048;

/** Whether texts show how far inputs go. */
const isMuch = (texts: Ids): boolean => texts.reduce((sum, { length }) => sum + length, 0) >= SHOWN;

/** How what a model says is held against what it says unchanged. */
const costOn = (model: Model, texts: Ids): CostOf => {
  const isEncoder = model.arch.kind === "encoder";
  const isFeatures = isEncoder || headOf(model.arch, model.config) === "features";
  return (whole, changed) => {
    const [a, b] = [whole.data as Float32Array, changed.data as Float32Array];
    const turned = 1 - cosine(a, b);
    if (isFeatures) return turned / (isEncoder && isMuch(texts) ? BUDGET.shown : BUDGET.features);
    return Math.max(turned / BUDGET.cosine, divergence(a, b, whole.shape.at(-1)!) / BUDGET.nats);
  };
};

/**
 * The ways that products of `k` inputs are tried in. A decoder's head reads one row of a prompt, where time
 * is spent on many: what it would take of the budget serves its layers better.
 */
const waysOf = (
  { kind }: Model["arch"],
  { layer }: LinearInfo,
  { k, much }: { readonly k: number; readonly much: boolean },
): readonly Way[] => {
  if (kind === "encoder") return much ? ["one", "fixed", "apart"] : ["one", "fixed"];
  if (kind === "seq2seq") return ["one"];
  if (layer === undefined) return [];
  return k % ROTATION_BLOCK === 0 ? ["one", "rotated"] : ["one"];
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
  const known = packable(model.arch.linears(model.config));
  const found = await strongestOf(engine, { program, feeds }, sites);
  const steps =
    model.arch.kind === "encoder"
      ? await inputSteps(engine, model, texts, (k) => apartIn(k, "apart"))
      : undefined;
  return sites.map((site, i) => {
    const [first, k] = [site.paths[0]!, site.x.shape.at(-1) as number];
    const ways = waysOf(model.arch, known.get(first)!, { k, much: isMuch(texts) });
    return { ...site, k, order: found[i]!, steps: steps?.get(first), ways };
  });
};

/** The way of each site, the quickest ones whose costs together are within the budget. */
const chosen = (places: readonly Place[], groups: readonly Group[]): ReadonlyMap<number, Way | "two"> => {
  const ways = groups.map(({ costs }) => ["two" as const, ...costs.keys()]);
  const options = groups.map(({ sites, costs }, g) =>
    ways[g]!.map((way): Option => {
      const time = sites.reduce((sum, i) => sum + timeOf(places[i]!, way), 0);
      return { cost: way === "two" ? 0 : costs.get(way)!, time };
    }),
  );
  const found = quickest(options, 1);
  return new Map(groups.flatMap(({ sites }, g) => sites.map((i) => [i, ways[g]![found[g]!]!] as const)));
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
  const rounded: Measuring["rounded"] = (group, way) => roundedIn([group, way], places, { feeds, layouts });
  const probe = { program: switchable(program, places, groups), feeds };
  await measure(engine, probe, groups, { ...options, rounded, costOf: costOn(model, texts) });
  const ways = chosen(places, groups);
  const forms = new Map<string, Int8Form>();
  const seen = new Map<string, number>();
  for (const [i, place] of places.entries()) {
    for (const path of place.paths) {
      seen.set(path, (seen.get(path) ?? 0) + 1);
      forms.set(path, place.params < SMALL ? { digits: 0, strong: [] } : formOf(place, ways.get(i)!));
    }
  }
  for (const [path, count] of seen) if (count > 1) forms.delete(path);
  return forms;
};
