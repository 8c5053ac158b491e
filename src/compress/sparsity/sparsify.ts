/**
 * Matrices of which a part is 0. ONNX Runtime multiplies by zeros as by any number: what is gained is the
 * size of files that are compressed, not speed or memory.
 */
import type { Engine } from "../../engine/engine.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { isInner, type LinearInfo, packable } from "../../models/linears.ts";
import type { Model } from "../../models/model.ts";
import { withTensors } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { apartOf } from "../calibration/batches.ts";
import { besideDense } from "../calibration/besideDense.ts";
import type { Target } from "../calibration/sums.ts";
import { type Stop, walk, walkable } from "../calibration/walk.ts";
import { byColumn, type Matrix, matrixOf } from "../matrix.ts";
import { derived } from "../pass.ts";
import { denseMatrices } from "../probe.ts";
import { requireDense } from "../pruning/chooseUnits.ts";
import { laidLike, type Rows } from "../rounding/codes.ts";
import type { Moments, SecondMoments } from "../rounding/moments.ts";
import type { Site } from "../sites.ts";
import { admm } from "./admm.ts";
import { allocated } from "./allocate.ts";
import { magnitude } from "./magnitude.ts";
import { nearDense } from "./nearDense.ts";
import { checkPattern, type Pattern } from "./pattern.ts";
import { productsBy, type Times } from "./products.ts";
import { sparseGpt } from "./sparseGpt.ts";
import { wanda } from "./wanda.ts";

/** A method that makes numbers of a matrix 0. */
export interface SparsityMethod {
  /** What it reads of what products read. */
  readonly reads: "nothing" | "squares" | "second moments";
  prune(rows: Rows, pattern: Pattern, read: Read): Pruned | Promise<Pruned>;
}

/** What a method may look at, and what computes large products for it. */
interface Read {
  readonly moments?: Moments | SecondMoments | undefined;
  readonly times: Times;
}

interface Pruned {
  readonly values: Float32Array;
  readonly damping?: number;
}

/** All methods; SparseGPT is the recipe's default. */
export const sparsityMethods = {
  magnitude: { reads: "nothing", prune: (rows, pattern) => ({ values: magnitude(rows, pattern) }) },
  wanda: {
    reads: "squares",
    prune: (rows, pattern, { moments }) => ({ values: wanda(rows, pattern, moments!) }),
  },
  sparsegpt: {
    reads: "second moments",
    prune: (rows, pattern, { moments }) => sparseGpt(rows, pattern, moments as SecondMoments),
  },
  admm: {
    reads: "second moments",
    prune: async (rows, pattern, { moments, times }) => ({
      values: await admm(rows, pattern, { moments: moments as SecondMoments, times }),
    }),
  },
} as const satisfies Readonly<Record<string, SparsityMethod>>;

/** The name of a method. */
export type SparsityName = keyof typeof sparsityMethods;

/** Which numbers become 0. */
export interface SparsifyOptions {
  readonly method: SparsityName;
  readonly pattern: Pattern;
  /** Of a share: whether matrices have shares of their own, by what zeros cost; all alike unless told. */
  readonly allocate?: boolean;
  /**
   * Whether what stays is kept near what the dense model computes, of methods that read what layers read; it
   * is unless told. Without, numbers are those of the method's authors.
   */
  readonly restore?: boolean;
  /** Token ids [B, T] int32 of one shape; methods that read what layers read need some. */
  readonly batches?: readonly Tensor[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told after each site of a walk. */
  readonly onSite?: (done: number, of: number) => void;
}

/** A model with zeros in its inner matrices. */
export interface Sparse {
  readonly model: Model;
  /** Matrices that were pruned. */
  readonly matrices: number;
  /** Matrices whose second moments were singular. */
  readonly notes: readonly string[];
}

const rowsOf = (matrix: Matrix): Rows => ({ n: matrix.n, k: matrix.k, values: byColumn(matrix) });

/** The matrices in layers. Throws ConfigError for packed ones, NaN and groups that do not divide. */
const matricesIn = (model: Model, pattern: Pattern): Map<string, Matrix> => {
  requireDense(model.weights);
  const known = packable(model.arch.linears(model.config));
  const inLayers = ([path]: readonly [string, Tensor]): boolean => {
    const info: LinearInfo = known.get(path)!;
    return info.layer !== undefined && isInner(info);
  };
  return new Map(
    Object.entries(denseMatrices(model))
      .filter(inLayers)
      .map(([path, w]) => {
        const matrix = matrixOf(path, w, known.get(path)!.layout);
        checkPattern(path, matrix.k, pattern);
        return [path, matrix] as const;
      }),
  );
};

const isSecond = (moments: Moments | SecondMoments | undefined): moments is SecondMoments =>
  moments !== undefined && "gram" in moments;

const shapeOf = ({ n, k, stepK }: Matrix): number[] => (stepK === 1 ? [n, k] : [k, n]);

/** What is pruned, and how. */
interface Work {
  readonly method: SparsityMethod;
  readonly matrices: ReadonlyMap<string, Matrix>;
  readonly patternAt: (path: string) => Pattern;
}

/** What is walked: the model alone, or beside itself, with what each site is to be brought near to. */
const wayOf = (model: Model, batches: readonly Tensor[], beside: boolean) => {
  const { way, target } = beside
    ? besideDense(model, batches)
    : { way: walkable(model, batches), target: (): Target | undefined => undefined };
  const uses = new Map<string, number>();
  for (const path of way.sites.flatMap(({ paths }) => paths)) uses.set(path, (uses.get(path) ?? 0) + 1);
  // Of a matrix that several products read one alone does not tell what is lacking.
  const isSingle = ({ paths }: Site): boolean => paths.every((path) => uses.get(path) === 1);
  return { way, target: (site: Site) => (isSingle(site) ? target(site) : undefined) };
};

/** Prunes each matrix by what it reads of pruned ones. Throws as `sparsified`. */
const prunedInTurn = async (
  engine: Engine,
  model: Model,
  { method, matrices, patternAt }: Work,
  { method: name, batches, signal, onSite, restore = true }: SparsifyOptions,
) => {
  const made = new Map<string, Tensor>();
  const notes: string[] = [];
  const { times, dispose } = productsBy(engine);
  const near = nearDense(engine);
  // Where what stays was fitted, by second moments, another size would only add to the squared error.
  const sizes = restore && method.reads === "squares";
  const prune = async (path: string, rows: Rows, moments?: Moments | SecondMoments): Promise<void> => {
    const matrix = matrices.get(path)!;
    const { values, damping = 0 } = await method.prune(rows, patternAt(path), { moments, times });
    const sized = sizes && isSecond(moments) ? await near.after(rows, values, moments) : values;
    made.set(path, tensor("float32", shapeOf(matrix), laidLike(matrix, sized)));
    if (damping > 0.011)
      notes.push(`${path}: second moments are singular, damped by ${damping.toPrecision(2)}`);
  };
  const visit = async (stop: Stop): Promise<ReadonlyMap<string, Tensor>> => {
    const own = stop.site.paths.filter((path) => matrices.has(path) && !made.has(path));
    const plain = own.map((path) => rowsOf(matrices.get(path)!));
    const { rows, moments } = restore ? await near.before(plain, stop) : { rows: plain, ...stop };
    for (const [i, path] of own.entries()) await prune(path, rows[i]!, moments);
    onSite?.(stop.index + 1, stop.count);
    return new Map(own.map((path) => [path, made.get(path)!]));
  };
  try {
    if (method.reads === "nothing") {
      for (const [path, matrix] of matrices) await prune(path, rowsOf(matrix));
    } else {
      if (batches === undefined || batches.length === 0) throw noText(name);
      const { way, target } = wayOf(model, batches, restore);
      const sites = way.sites.filter(({ paths }) => paths.some((path) => matrices.has(path)));
      const gram = restore || method.reads === "second moments";
      const apart = restore ? { heldOut: apartOf(batches.length) } : {};
      await walk(engine, { ...way, sites }, { gram, signal, target, visit, ...apart });
    }
  } finally {
    await dispose();
    await near.dispose();
  }
  return { made, notes };
};

/**
 * Prunes the matrices in a dense model's layers, each by what it reads of pruned ones. Throws ConfigError
 * where a method needs text and there is none, for packed weights, and as `walk`.
 */
export const sparsified = async (engine: Engine, model: Model, options: SparsifyOptions): Promise<Sparse> => {
  const { method: name, pattern, allocate = false, restore = true } = options;
  const method: SparsityMethod = sparsityMethods[name];
  const matrices = matricesIn(model, pattern);
  const shares = allocate ? await sharesOf(engine, model, matrices, options) : undefined;
  const patternAt = (path: string): Pattern => {
    const share = shares?.get(path);
    return share === undefined ? pattern : { share };
  };
  const { made, notes } = await prunedInTurn(engine, model, { method, matrices, patternAt }, options);
  const said = { ...(allocate ? { allocate } : {}), ...(restore ? {} : { restore }) };
  const pass = { name: "sparsify", options: { method: name, ...pattern, ...said } };
  const weights = withTensors(model.weights, made);
  return { model: derived(model, pass, { weights }), matrices: made.size, notes };
};

/** Shares of matrices. Throws ConfigError for patterns that are no share, and where there is no text. */
const sharesOf = (
  engine: Engine,
  model: Model,
  matrices: ReadonlyMap<string, Matrix>,
  { method, pattern, batches, signal }: SparsifyOptions,
): Promise<ReadonlyMap<string, number>> => {
  if (!("share" in pattern)) {
    throw new ConfigError("divides a share among matrices, and so many of each few are alike in all", {
      field: "prune.allocate",
      hint: "leave --allocate out, or give a share: --sparsity 0.5",
    });
  }
  if (batches === undefined || batches.length === 0) throw noText(method);
  return allocated(engine, model, matrices, { ...pattern, batches, signal });
};

const noText = (name: SparsityName): ConfigError =>
  new ConfigError(`${name} looks at what layers read, and there is no text to show them`, {
    field: "prune.method",
    hint: "name text with --data, or choose --method magnitude",
  });
