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
import { abs, mul } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { reshape, sum } from "../../ops/structure.ts";
import { optimize } from "../../rewrite/index.ts";
import { DataError } from "../../util/errors.ts";
import { denseMatrices, matrixProgram } from "../probe.ts";
import type { Moments, SecondMoments } from "../rounding/moments.ts";
import { type Site, sitesOf } from "../sites.ts";
import { partOf } from "./part.ts";

/** Sums over the rows x [K] of a site and y [N] of what its product is to come to. */
export interface Cross {
  /** Sum of x, [K]. */
  readonly inputs: Float64Array;
  /** Sum of y, [N]. */
  readonly targets: Float64Array;
  /** Sum of x y^T, [K, N]. */
  readonly products: Float64Array;
}

/** Where a walk is, and what was found there. */
export interface Stop {
  readonly site: Site;
  /** With `gram` where the walk was asked for second moments. */
  readonly moments: Moments | SecondMoments;
  /** Where the site has a target. */
  readonly cross?: Cross;
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
  /** What a site's product is to come to, [..., N], made of the program's values. */
  target?(site: Site): Value | undefined;
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

/** [..., K] -> [rows, K]. */
const asRows = (x: Value): Value =>
  reshape(x, [(x.shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1), x.shape.at(-1)!]);

/** What is summed of x [..., K] and a target [..., N]. */
const crossOf = (x: Value, target: Value | undefined): Record<string, Value> => {
  if (target === undefined) return {};
  const [rows, y] = [asRows(x), asRows(target)];
  return { inputs: sum(rows, [0]), targets: sum(y, [0]), products: matmul(rows, y, { transA: true }) };
};

/** What is summed of x [..., K]. */
const sumsOf = (x: Value, gram: boolean): Record<string, Value> => {
  const rows = asRows(x);
  return {
    absolutes: sum(abs(rows), [0]),
    ...(gram ? { gram: matmul(rows, rows, { transA: true }) } : { squares: sum(mul(rows, rows), [0]) }),
  };
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

const addTo = (total: Float64Array, values: ArrayLike<number>): void => {
  for (let i = 0; i < total.length; i++) total[i]! += values[i]!;
};

/** Sums of one site over batches. */
const totals = (site: Site, gram: boolean) => {
  const k = site.x.shape.at(-1) as number;
  const rows = (site.x.shape.slice(0, -1) as number[]).reduce((a, b) => a * b, 1);
  const absolutes = new Float64Array(k);
  const squares = new Float64Array(gram ? k * k : k);
  let count = 0;
  return {
    add: (out: Readonly<Record<string, Tensor>>): void => {
      addTo(absolutes, out["sums.absolutes"]!.data as Float32Array);
      addTo(squares, out[gram ? "sums.gram" : "sums.squares"]!.data as Float32Array);
      count += rows;
    },
    moments: (): Moments | SecondMoments => {
      if (!absolutes.every(Number.isFinite)) {
        throw new DataError("reads numbers that are not finite on the calibration text", {
          tensor: site.paths[0]!,
          hint: "look at the weights of this layer and those before it",
        });
      }
      if (!gram) return { k, count, squares, absolutes };
      const diagonal = Float64Array.from({ length: k }, (_, i) => squares[i * k + i]!);
      return { k, count, squares: diagonal, absolutes, gram: squares };
    },
  };
};

/** Sums of a site and its target over batches. */
const crossTotals = (names: readonly string[]) => {
  const sums = new Map<string, Float64Array>();
  return {
    add: (out: Readonly<Record<string, Tensor>>): void => {
      for (const name of names) {
        const values = out[`cross.${name}`]!.data as Float32Array;
        const total = sums.get(name) ?? new Float64Array(values.length);
        addTo(total, values);
        sums.set(name, total);
      }
    },
    cross: (): { cross?: Cross } => {
      const [inputs, targets, products] = ["inputs", "targets", "products"].map((name) => sums.get(name));
      if (inputs === undefined || targets === undefined || products === undefined) return {};
      return { cross: { inputs, targets, products } };
    },
  };
};

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

/** Runs one part on all batches: the sums of its site, and what later parts need of it. */
const runPart = async (
  engine: Engine,
  { program, held, fresh, site, crossed }: Part,
  { batches, gram, signal }: Pick<WalkOptions, "gram" | "signal"> & Pick<Walkable, "batches">,
) => {
  const session = await compile(engine, program);
  const sums = totals(site, gram);
  const pairs = crossTotals(crossed);
  const made: Tensor[][] = fresh.map(() => []);
  try {
    for (const [b, ids] of batches.entries()) {
      signal?.throwIfAborted();
      const given = [...held.values()].map((tensors, i) => [`held.${i}`, tensors[b]!] as const);
      const feeds = Object.entries({ ids, ...Object.fromEntries(given) });
      const used = feeds.filter(([name]) => session.inputNames.includes(name));
      const out = await session.run(Object.fromEntries(used));
      sums.add(out);
      pairs.add(out);
      for (const [i] of fresh.entries()) made[i]!.push(out[`fresh.${i}`]!);
    }
  } finally {
    await session.dispose();
  }
  return { found: { moments: sums.moments(), ...pairs.cross() }, made };
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
  const { gram, visit, signal } = options;
  const matrices = { ...model.matrices };
  const targets = sites.map((site) => options.target?.(site));
  const readAt = (index: number): Value[] => {
    const target = targets[index];
    return target === undefined ? [sites[index]!.x] : [sites[index]!.x, target];
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
      sums: sumsOf(site.x, gram),
      cross,
      fresh: Object.fromEntries(fresh.map((v, i) => [String(i), v])),
    };
    const program = partOf(whole, outputs, held.keys(), matrices);
    const { found, made } = await runPart(
      engine,
      { program, held, fresh, site, crossed: Object.keys(cross) },
      { batches, gram, signal },
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
        add({ "sums.absolutes": out[`sums.${i}.absolutes`]!, "sums.squares": out[`sums.${i}.squares`]! });
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
