/**
 * Which share of each matrix becomes 0 where all together lose a share: less of those that it costs more.
 * What zeros take from a product is told by its inputs, as Wanda counts; what a product's loss costs the
 * model is measured, for each kind of matrix in each third of the layers. Numbers go by both together,
 * across all matrices. (OWL, https://arxiv.org/abs/2310.05175, looks at the outliers of layers instead; as
 * there no matrix goes far from the share.)
 */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { inputMoments } from "../calibration/inputMoments.ts";
import { byColumn, type Matrix } from "../matrix.ts";
import { cosine, probeOf } from "../probe.ts";
import { laidLike } from "../rounding/codes.ts";
import { groupsOf } from "../sensitivity.ts";

/** How far a matrix's share may be from that of all. */
const FAR = 0.1;

/** Shares of a matrix's loss are counted in this many steps a power of ten, from 1e-16 of all of it on. */
const [STEPS, LEAST] = [16, -16];
const BINS = STEPS * -LEAST + 1;

/** How much of a product's outputs each number of a matrix makes up, as counts by powers of ten. */
interface Losses {
  readonly matrix: Matrix;
  readonly squares: Float64Array;
  /** The sum of w^2 times the mean square of what it multiplies. */
  readonly total: number;
  /** Numbers of the matrix by their part of the total, the least first. */
  readonly counts: Float64Array;
  /** Their parts together. */
  readonly parts: Float64Array;
}

const binOf = (part: number): number =>
  part > 0 ? Math.max(0, Math.min(BINS - 1, Math.ceil(STEPS * (Math.log10(part) - LEAST)))) : 0;

const lossesOf = (matrix: Matrix, squares: Float64Array): Losses => {
  const values = byColumn(matrix);
  const { k } = matrix;
  const total = values.reduce((sum, v, i) => sum + v * v * squares[i % k]!, 0);
  const [counts, parts] = [new Float64Array(BINS), new Float64Array(BINS)];
  for (let i = 0; i < values.length; i++) {
    const part = (values[i]! * values[i]! * squares[i % k]!) / Math.max(total, Number.MIN_VALUE);
    const bin = binOf(part);
    counts[bin]!++;
    parts[bin]! += part;
  }
  return { matrix, squares, total, counts, parts };
};

/** The share of a matrix's numbers that make up less than a part of the total, and that part together. */
const below = ({ counts, parts, matrix }: Losses, part: number): readonly [share: number, lost: number] => {
  const last = Math.floor(STEPS * (Math.log10(Math.max(part, 1e-300)) - LEAST));
  let [count, lost] = [0, 0];
  for (let bin = 0; bin <= Math.min(last, BINS - 1); bin++) {
    count += counts[bin]!;
    lost += parts[bin]!;
  }
  return [count / (matrix.n * matrix.k), lost];
};

/** The least part of a total below which `enough` of something lies, by halving powers of ten. */
const partWhere = (enough: (part: number) => boolean): number => {
  let [low, high] = [-60, 30];
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2;
    if (enough(10 ** middle)) high = middle;
    else low = middle;
  }
  return 10 ** high;
};

/** The matrix without the numbers that make up less than a part of the total. */
const without = ({ matrix, squares, total }: Losses, part: number): Float32Array => {
  const { k } = matrix;
  return byColumn(matrix).map((v, i) => (v * v * squares[i % k]! <= part * total ? 0 : v));
};

const shapeOf = ({ n, k, stepK }: Matrix): number[] => (stepK === 1 ? [n, k] : [k, n]);

/** What a lost part of a product costs the model, by path: measured at `share` of each group. */
const costs = async (
  engine: Engine,
  model: Model,
  losses: ReadonlyMap<string, Losses>,
  { share, batches }: AllocateOptions,
): Promise<ReadonlyMap<string, number>> => {
  const texts = batches.flatMap(({ shape, data }) => {
    const [rows, length] = shape as readonly [number, number];
    const ids = data as Int32Array;
    return Array.from({ length: rows }, (_, r) => Array.from(ids.subarray(r * length, (r + 1) * length)));
  });
  const { program, feeds } = probeOf(model, texts);
  const session = await compile(engine, program);
  const run = async (changed: Readonly<Record<string, Tensor>>): Promise<Float32Array> =>
    (await session.run({ ...feeds, ...changed })).out!.data as Float32Array;
  const found = new Map<string, number>();
  try {
    const whole = await run({});
    for (const { paths } of groupsOf(model)) {
      const own = paths.filter((path) => losses.has(path));
      if (own.length === 0) continue;
      let lost = 0;
      const changed = own.map((path) => {
        const each = losses.get(path)!;
        const part = partWhere((p) => below(each, p)[0] >= share);
        lost += below(each, part)[1] / own.length;
        const values = laidLike(each.matrix, without(each, part));
        return [`w.${path}`, tensor("float32", shapeOf(each.matrix), values)] as const;
      });
      const cost = (1 - cosine(whole, await run(Object.fromEntries(changed)))) / own.length;
      for (const path of own) found.set(path, Math.max(cost, 1e-9) / Math.max(lost, 1e-9));
    }
  } finally {
    await session.dispose();
  }
  return found;
};

/** What is divided among matrices, and the text that shows what they read. */
export interface AllocateOptions {
  /** Of all numbers together. */
  readonly share: number;
  /** Token ids [B, T] int32 of one shape. */
  readonly batches: readonly Tensor[];
  readonly signal?: AbortSignal | undefined;
}

/** The share of each of `matrices` of a dense model. Throws as `inputMoments`. */
export const allocated = async (
  engine: Engine,
  model: Model,
  matrices: ReadonlyMap<string, Matrix>,
  options: AllocateOptions,
): Promise<ReadonlyMap<string, number>> => {
  const { share, batches, signal } = options;
  const inputs = await inputMoments(engine, model, batches, { signal });
  const losses = new Map(
    Array.from(matrices).flatMap(([path, matrix]) => {
      const moments = inputs.get(path);
      return moments === undefined ? [] : [[path, lossesOf(matrix, moments.squares)] as const];
    }),
  );
  const cost = await costs(engine, model, losses, options);
  const size = ({ n, k }: Matrix): number => n * k;
  const all = Array.from(losses.values()).reduce((sum, { matrix }) => sum + size(matrix), 0);
  const [least, most] = [Math.max(0, share - FAR), Math.min(1, share + FAR)];
  const shareAt = (path: string, each: Losses, price: number): number =>
    Math.max(least, Math.min(most, below(each, price / cost.get(path)!)[0]));
  const price = partWhere((p) => {
    let zeros = 0;
    for (const [path, each] of losses) zeros += shareAt(path, each, p) * size(each.matrix);
    return zeros >= share * all;
  });
  return new Map(Array.from(losses, ([path, each]) => [path, shareAt(path, each, price)]));
};
