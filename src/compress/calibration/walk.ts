/**
 * Calibration: a model is run on texts from one product to the next, and what each reads is summed. The
 * program is cut where products read: what a later part needs of an earlier one is kept for all batches, so
 * every part runs once, and a matrix that is replaced on the way is read by all that comes behind it.
 */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import { isConstant, isInput, type Node, type Value } from "../../ir/op.ts";
import { type Program, toposort } from "../../ir/program.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { optimize } from "../../rewrite/index.ts";
import { denseMatrices, matrixProgram } from "../probe.ts";
import type { Moments, SecondMoments } from "../rounding/moments.ts";
import { type Site, sitesOf } from "../sites.ts";
import { partOf } from "./part.ts";
import { type Cross, crossOf, crossTotals, sumsOf, type Target, totals } from "./sums.ts";

/** Where a walk is, and what was found there. */
export interface Stop {
  readonly site: Site;
  /** With `gram` where the walk was asked for second moments. */
  readonly moments: Moments | SecondMoments;
  /** Where the site has a target. */
  readonly cross?: Cross;
  /** The same of batches that were held out, where there are some. */
  readonly heldOut?: { readonly moments: Moments | SecondMoments; readonly cross?: Cross };
  /** How many sites there are, and the number of this one. */
  readonly index: number;
  readonly count: number;
}

/** A model that can be walked: its matrices, and its program with them as inputs `w.PATH`. */
export interface Walkable {
  readonly matrices: Readonly<Record<string, Tensor>>;
  readonly program: Program;
  readonly sites: readonly Site[];
  /** Token ids [B, T] int32, all of one shape. */
  readonly batches: readonly Tensor[];
}

/** How a model is walked. */
export interface WalkOptions {
  /** Whether x x^T is summed, not its diagonal alone. */
  readonly gram: boolean;
  /** What a site's product is to come to, made of the program's values. */
  target?(site: Site): Target | undefined;
  /** Whether a batch is summed apart. */
  heldOut?(batch: number): boolean;
  /** Called at each site in order; matrices that it returns, by path, are read from there on. */
  visit(stop: Stop): Promise<ReadonlyMap<string, Tensor> | undefined>;
  readonly signal?: AbortSignal | undefined;
  /** Of a survey: told after each batch. */
  readonly onBatch?: (done: number, of: number) => void;
}

/** A model of dense matrices, to be walked on token ids [B, T] int32, all of one shape. */
export const walkable = (model: Model, batches: readonly Tensor[]): Walkable => {
  const matrices = denseMatrices(model);
  const program = optimize(matrixProgram(model, batches[0]!, matrices));
  return { matrices, program, sites: sitesOf(program), batches };
};

/** Values that are computed, not given. */
const isMade = ({ node }: Value): boolean => !isConstant(node) && !isInput(node);

/** What nodes that are not `done` read of those that are. */
const needed = (nodes: readonly Node[], done: ReadonlySet<Node>): Set<Value> =>
  new Set(
    nodes
      .filter((node) => !done.has(node))
      .flatMap(({ inputs }) => inputs)
      .filter((v) => done.has(v.node) && isMade(v)),
  );

/** Values of a program for each batch. */
export type Held = ReadonlyMap<Value, readonly Tensor[]>;

interface Part {
  readonly program: Program;
  /** Kept values of earlier parts, for each batch. */
  readonly held: Held;
  /** Values that later parts read, outputs `fresh.I`. */
  readonly fresh: readonly Value[];
  readonly site: Site;
  /** Names of outputs `cross.NAME`. */
  readonly crossed: readonly string[];
}

/** Sums of a part over the batches that are added. */
const partSums = ({ site, crossed }: Part, gram: boolean) => {
  const sums = totals(site, gram);
  const pairs = crossTotals(
    crossed,
    (site.x.shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1),
  );
  let count = 0;
  return {
    add: (out: Readonly<Record<string, Tensor>>): void => {
      sums.add(out);
      pairs.add(out);
      count++;
    },
    count: () => count,
    found: () => ({ moments: sums.moments(), ...pairs.cross() }),
  };
};

/** Runs one part on all batches: the sums of its site, and what later parts need of it. */
const runPart = async (
  engine: Engine,
  part: Part,
  {
    batches,
    gram,
    signal,
    ...how
  }: Pick<WalkOptions, "gram" | "signal" | "heldOut"> & Pick<Walkable, "batches">,
) => {
  const { program, held, fresh } = part;
  const session = await compile(engine, program);
  const [learnt, apart] = [partSums(part, gram), partSums(part, gram)];
  const made: Tensor[][] = fresh.map(() => []);
  try {
    for (const [b, ids] of batches.entries()) {
      signal?.throwIfAborted();
      const given = [...held.values()].map((tensors, i) => [`held.${i}`, tensors[b]!] as const);
      const feeds = Object.entries({ ids, ...Object.fromEntries(given) });
      const used = feeds.filter(([name]) => session.inputNames.includes(name));
      const out = await session.run(Object.fromEntries(used));
      (how.heldOut?.(b) === true ? apart : learnt).add(out);
      for (const [i] of fresh.entries()) made[i]!.push(out[`fresh.${i}`]!);
    }
  } finally {
    await session.dispose();
  }
  const heldOut = apart.count() > 0 ? { heldOut: apart.found() } : {};
  return { found: { ...learnt.found(), ...heldOut }, made };
};

/** The moments of one site on batches of the values that are held. Throws as `walk`. */
export const momentsAt = async (
  engine: Engine,
  { program: whole, batches, matrices }: Walkable,
  { site, held, ...how }: { readonly site: Site; readonly held: Held } & Pick<WalkOptions, "gram" | "signal">,
): Promise<Moments | SecondMoments> => {
  const program = partOf(whole, { sums: sumsOf(site.x, how.gram) }, held.keys(), matrices);
  const part = { program, held, fresh: [], site, crossed: [] };
  return (await runPart(engine, part, { batches, ...how })).found.moments;
};

/** Walks along a model's sites. Throws DataError naming a site whose inputs are not finite. */
export const walk = async (engine: Engine, model: Walkable, options: WalkOptions): Promise<void> => {
  const { program: whole, sites, batches } = model;
  const { gram, visit, signal, heldOut } = options;
  const matrices = { ...model.matrices };
  const targets = sites.map((site) => options.target?.(site));
  const readAt = (index: number): Value[] => {
    const target = targets[index];
    const { x } = sites[index]!;
    return [x, ...(target === undefined ? [] : [target.value, target.weight ?? x])];
  };
  const all = toposort(sites.flatMap((_, index) => readAt(index)));
  const done = new Set<Node>();
  let held: Held = new Map();
  for (const [index, site] of sites.entries()) {
    for (const node of toposort(readAt(index))) done.add(node);
    const after = index === sites.length - 1 ? new Set<Value>() : needed(all, done);
    const fresh = [...after].filter((v) => !held.has(v));
    const cross = crossOf(site.x, targets[index]);
    const outputs = {
      sums: sumsOf(site.x, gram, targets[index]?.weight),
      cross,
      fresh: Object.fromEntries(fresh.map((v, i) => [String(i), v])),
    };
    const program = partOf(whole, outputs, held.keys(), matrices);
    const { found, made } = await runPart(
      engine,
      { program, held, fresh, site, crossed: Object.keys(cross) },
      { batches, gram, signal, ...(heldOut === undefined ? {} : { heldOut }) },
    );
    held = new Map([...after].map((v) => [v, held.get(v) ?? made[fresh.indexOf(v)]!]));
    const replaced = await visit({ site, ...found, index, count: sites.length });
    for (const [path, tensor] of replaced ?? []) matrices[path] = tensor;
  }
};

/** The same where nothing is replaced and no second moments are asked for: one run for all sites. */
export const survey = async (engine: Engine, model: Walkable, options: WalkOptions): Promise<void> => {
  const { program: whole, sites, batches, matrices } = model;
  // A table that is looked up alone: nothing is multiplied by.
  if (sites.length === 0) return;
  const sums = Object.fromEntries(sites.map(({ x }, i) => [String(i), sumsOf(x, false)]));
  const session = await compile(engine, partOf(whole, { sums }, [], matrices));
  const found = sites.map((site) => totals(site, false));
  try {
    for (const [b, ids] of batches.entries()) {
      options.signal?.throwIfAborted();
      const out = await session.run({ ids });
      for (const [i, { add }] of found.entries()) {
        add({ "sums.absolutes": out[`sums.${i}.absolutes`]!, "sums.near": out[`sums.${i}.near`]! });
      }
      options.onBatch?.(b + 1, batches.length);
    }
  } finally {
    await session.dispose();
  }
  for (const [index, site] of sites.entries()) {
    await options.visit({ site, moments: found[index]!.moments(), index, count: sites.length });
  }
};
