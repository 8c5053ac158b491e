/**
 * Rounding in turn: each matrix by what it reads of those that were rounded before it, and towards what the
 * dense model computes on the same text. Tables that tokens are looked up in come first, since everything
 * reads them; one that gives the logits too is rounded by what the dense model's head reads.
 */
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { type LinearInfo, packable } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { byColumn, type Matrix } from "../matrix.ts";
import { type Codes, type Rows, roundedTensor } from "../rounding/codes.ts";
import { type InputFactor, inputFactor } from "../rounding/gptq.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import type { Site } from "../sites.ts";
import { apartOf } from "./batches.ts";
import { besideDense, knownAt } from "./besideDense.ts";
import { keptSize } from "./keptSize.ts";
import { towardsDense } from "./towardsDense.ts";
import { type Stop, survey, type Walkable, walk, walkable } from "./walk.ts";

/** What a matrix is rounded by. */
export interface Read {
  readonly moments: SecondMoments;
  readonly factor: InputFactor;
}

/** How matrices are rounded in turn. */
export interface TurnOptions {
  /** The matrices that are rounded, by path. */
  readonly matrices: ReadonlyMap<string, Matrix>;
  /** Token ids [B, T] int32 of one shape. */
  readonly batches: readonly Tensor[];
  readonly signal?: AbortSignal | undefined;
  /** Told after each site. */
  readonly onSite?: ((done: number, of: number) => void) | undefined;
  /** Rounds a matrix, without `read` where no single product reads it. */
  round(path: string, rows: Rows, read?: Read): Codes;
  /** Told what a matrix has become. */
  keep(path: string, codes: Codes): void;
}

/**
 * Damping of tables that give the logits too: what the head's inputs say of a table's errors is not all, for
 * in the rows that are looked up every number counts alike. (With 0.01, as layers have it, a GPT-2 with 4
 * bits a channel lost two fifths more.)
 */
const TABLE_DAMPING = 0.1;

const rowsOf = (matrix: Matrix): Rows => ({ n: matrix.n, k: matrix.k, values: byColumn(matrix) });

/** Paths of tables and of matrices in turn: those of `matrices` that one product reads. */
const partsOf = (model: Model, sites: readonly Site[], matrices: TurnOptions["matrices"]) => {
  const infos: ReadonlyMap<string, LinearInfo> = packable(model.arch.linears(model.config));
  const uses = new Map<string, number>();
  for (const path of sites.flatMap(({ paths }) => paths)) uses.set(path, (uses.get(path) ?? 0) + 1);
  const single = [...matrices.keys()].filter((path) => uses.get(path) === 1);
  const isTable = (path: string): boolean => infos.get(path)?.role === "embedding";
  return {
    tables: new Set(single.filter(isTable)),
    layers: new Set(single.filter((path) => !isTable(path))),
  };
};

/** What is rounded so far, and how. */
interface Turn extends TurnOptions {
  readonly engine: Engine;
  readonly model: Model;
  readonly tables: ReadonlySet<string>;
  readonly layers: ReadonlySet<string>;
  readonly rounded: Map<string, Tensor>;
  readonly size: ReturnType<typeof keptSize>;
}

const settle = async (turn: Turn, path: string, rows: Rows, read?: Read): Promise<void> => {
  const plain = turn.round(path, rows, read);
  const codes = read === undefined ? plain : await turn.size.of(rows, plain, read.moments);
  turn.rounded.set(path, roundedTensor(turn.matrices.get(path)!, codes));
  turn.keep(path, codes);
};

const reading = (sites: readonly Site[], paths: ReadonlySet<string>): Site[] =>
  sites.filter((site) => site.paths.some((path) => paths.has(path)));

/** What is told of a walk behind `before` sites of `of`. */
const told = ({ onSite }: TurnOptions, before: number, of: number) => {
  return ({ index }: Stop): void => onSite?.(before + index + 1, of);
};

/** Rounds tables that give the logits too, by what the dense model's head reads. */
const roundTables = async (turn: Turn, dense: Walkable, tell: (stop: Stop) => void): Promise<void> => {
  const { engine, matrices, tables, signal } = turn;
  const visit = async (stop: Stop): Promise<undefined> => {
    const moments = stop.moments as SecondMoments;
    const read = { moments, factor: inputFactor(moments, { damping: TABLE_DAMPING }) };
    for (const path of stop.site.paths) {
      if (tables.has(path)) await settle(turn, path, rowsOf(matrices.get(path)!), read);
    }
    tell(stop);
  };
  try {
    await walk(engine, dense, { gram: true, signal, visit });
  } catch (error) {
    // The first layer that reads what is not finite is named, not the head, which reads it last.
    await survey(engine, walkable(turn.model, dense.batches), {
      gram: false,
      signal,
      visit: async () => undefined,
    });
    throw error;
  }
};

/** Rounds matrices in layers, in order. */
const roundLayers = async (turn: Turn, tell: (stop: Stop) => void): Promise<void> => {
  const { engine, model, batches, matrices, layers, rounded, signal } = turn;
  const { way, target } = besideDense(model, batches);
  const towards = towardsDense(engine);
  const visit = async (stop: Stop): Promise<Map<string, Tensor>> => {
    const { moments, cross, parts } = knownAt(stop);
    const read = { moments, factor: inputFactor(moments) };
    const own = stop.site.paths.filter((path) => layers.has(path));
    const plain = own.map((path) => rowsOf(matrices.get(path)!));
    const rows = cross === undefined ? plain : await towards.of(plain, { ...read, cross, parts });
    for (const [i, path] of own.entries()) await settle(turn, path, rows[i]!, read);
    tell(stop);
    return new Map(own.map((path) => [path, rounded.get(path)!]));
  };
  try {
    const from = { ...way.matrices, ...Object.fromEntries(rounded) };
    const walked = { ...way, matrices: from, sites: reading(way.sites, layers) };
    const heldOut = apartOf(batches.length);
    await walk(engine, walked, { gram: true, signal, target, visit, heldOut });
  } finally {
    await towards.dispose();
  }
};

/** Rounds a model's matrices in turn. Throws as `walk`. */
export const roundInTurn = async (engine: Engine, model: Model, options: TurnOptions): Promise<void> => {
  const { matrices, batches } = options;
  const dense = walkable(model, batches);
  const { tables, layers } = partsOf(model, dense.sites, matrices);
  const heads = reading(dense.sites, tables);
  const count = heads.length + reading(dense.sites, layers).length;
  const size = keptSize(engine);
  const turn: Turn = { ...options, engine, model, tables, layers, rounded: new Map(), size };
  try {
    for (const [path, matrix] of matrices) {
      if (!tables.has(path) && !layers.has(path)) await settle(turn, path, rowsOf(matrix));
    }
    if (heads.length > 0) await roundTables(turn, { ...dense, sites: heads }, told(options, 0, count));
    await roundLayers(turn, told(options, heads.length, count));
  } finally {
    await size.dispose();
  }
};
