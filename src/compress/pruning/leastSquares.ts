/**
 * A matrix fitted by least squares, so that its product comes to what it lacks. A wide matrix has more
 * numbers than a calibration text can tell: what is added to the moments' diagonal (ridge regression), and
 * the part of the change that is made, are those that help most on rows that were held out.
 */
import type { Tensor } from "../../ir/tensor.ts";
import { rng } from "../../util/rng.ts";
import type { Cross } from "../calibration/sums.ts";
import { dampedFactor, solveFactored } from "../rounding/cholesky.ts";
import type { SecondMoments } from "../rounding/moments.ts";

/** Sums over rows: of inputs, and with what the product without its bias lacks. */
export interface FitSums {
  readonly moments: SecondMoments;
  readonly cross: Cross;
}

/** What a matrix is fitted by. */
export interface FitOptions extends FitSums {
  /** The same of rows that say how much of a fit holds; the matrix is fitted to them in the end too. */
  readonly heldOut?: FitSums;
  /**
   * Share of the mean of the moments' diagonal that is added to it; what helps most on rows that are held out
   * unless told, and as much as the mean where there are none.
   */
  readonly damping?: number | undefined;
  /** Whether a bias is fitted too. */
  readonly biased: boolean;
  /** The axis of the matrix's inputs. */
  readonly inputAxis: 0 | 1;
}

/** Fitted numbers: the matrix as it lies, its bias [N] (empty without), and the damping that it took. */
export interface Fit {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly damping: number;
  /** The part of the change that was made, from 0 to 1. */
  readonly share: number;
}

/** Second moments [K, K] of inputs, and their products with targets [K, N]. */
interface System {
  readonly k: number;
  readonly n: number;
  readonly h: Float64Array;
  readonly c: Float64Array;
}

/** The system about the means, where a bias takes those. */
const systemOf = ({ moments: { k, gram }, cross }: FitSums, biased: boolean): System => {
  const { count, inputs, targets, products } = cross;
  const [h, c] = [gram.slice(), products.slice()];
  const n = targets.length;
  if (!biased) return { k, n, h, c };
  for (let i = 0; i < k; i++) {
    const mean = inputs[i]! / count;
    for (let m = 0; m < k; m++) h[i * k + m]! -= mean * inputs[m]!;
    for (let j = 0; j < n; j++) c[i * n + j]! -= mean * targets[j]!;
  }
  return { k, n, h, c };
};

/** Random sums of targets that stand for all of them where a damping is chosen. */
const SKETCH = 64;

/**
 * The system of that many sums of the targets, each with a random sign: errors keep their sizes on average.
 */
const sketched = (of: System): System => {
  const { k, n, c } = of;
  if (n <= SKETCH) return of;
  const random = rng(1, "sketch");
  const signs = Float64Array.from({ length: n * SKETCH }, () => (random.uniform() < 0.5 ? 1 : -1));
  const sums = new Float64Array(k * SKETCH);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < n; j++) {
      const value = c[i * n + j]!;
      for (let s = 0; s < SKETCH; s++) sums[i * SKETCH + s]! += value * signs[j * SKETCH + s]!;
    }
  }
  return { ...of, n: SKETCH, c: sums };
};

/** The sum of d H d, over the columns of d [K, N]. */
const quadratic = ({ h, k, n }: System, d: Float64Array): number => {
  const row = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < k; i++) {
    row.fill(0);
    for (let m = 0; m < k; m++) {
      const factor = h[i * k + m]!;
      for (let j = 0, at = m * n; j < n; j++, at++) row[j]! += factor * d[at]!;
    }
    for (let j = 0; j < n; j++) total += d[i * n + j]! * row[j]!;
  }
  return total;
};

/** (H + damping)^-1 C, and the damping that it took where H is singular. */
const solved = ({ h, c, k, n }: System, asked: number): { d: Float64Array; damping: number } => {
  const { factor, damping } = dampedFactor(h, k, asked);
  const d = c.slice();
  solveFactored(factor, d, { k, n });
  return { d, damping };
};

const meanDiagonal = ({ h, k }: System): number => {
  let mean = 0;
  for (let i = 0; i < k; i++) mean += h[i * k + i]! / k;
  return mean;
};

/** Dampings that are tried, from the strongest on. */
const DAMPINGS: readonly number[] = Array.from({ length: 7 }, (_, i) => 10 ** (1 - i));

/**
 * A damping, the part of the change that helps most beside it, and what of the held-out error that leaves.
 */
interface Choice {
  readonly damping: number;
  readonly share: number;
  /** The change of the sum of squares on held-out rows: below 0 is better. */
  readonly change: number;
}

const judged = (own: System, apart: System, asked: number): Choice => {
  const { d, damping } = solved(own, asked);
  const along = d.reduce((sum, v, i) => sum + v * apart.c[i]!, 0);
  if (!(along > 0)) return { damping, share: 0, change: 0 };
  const square = quadratic(apart, d);
  const share = Math.min(1, along / square);
  return { damping, share, change: share * (share * square - 2 * along) };
};

/**
 * The choice that helps most on held-out rows: dampings are tried until one helps less than that before it.
 */
const chosen = (own: System, apart: System, dampings: readonly number[]): Choice => {
  let best: Choice | undefined;
  for (const damping of dampings) {
    const found = judged(own, apart, damping);
    if (best !== undefined && found.change >= best.change) return best;
    best = found;
  }
  return best!;
};

const both = (a: Float64Array, b: Float64Array): Float64Array => a.map((v, i) => v + b[i]!);

/** Sums over the rows of both. */
const joined = (a: FitSums, b: FitSums): FitSums => {
  const [m, o] = [a.moments, b.moments];
  const moments = {
    ...{ k: m.k, count: m.count + o.count, gram: both(m.gram, o.gram) },
    ...{ squares: both(m.squares, o.squares), absolutes: both(m.absolutes, o.absolutes) },
  };
  const [x, y] = [a.cross, b.cross];
  const cross = {
    ...{ count: x.count + y.count, inputs: both(x.inputs, y.inputs) },
    ...{ targets: both(x.targets, y.targets), products: both(x.products, y.products) },
  };
  return { moments, cross };
};

/** What is fitted to, and how: all rows, with the damping that was chosen, as much as it was of some. */
const settled = ({ heldOut, damping, biased, ...own }: Omit<FitOptions, "inputAxis">) => {
  if (heldOut === undefined) return { sums: own, damping: damping ?? 1, share: 1 };
  const [mine, apart] = [own, heldOut].map((sums) => sketched(systemOf(sums, biased))) as [System, System];
  const { share, ...best } = chosen(mine, apart, damping === undefined ? DAMPINGS : [damping]);
  const sums = joined(own, heldOut);
  if (damping !== undefined) return { sums, damping, share };
  const more = meanDiagonal(systemOf(sums, biased)) / meanDiagonal(mine);
  return { sums, damping: best.damping / Math.max(more, 1e-12), share };
};

/**
 * W + s (H + damping I)^-1 X^T R for a matrix [K, N] or [N, K] as it lies, R what its product X W lacks, and
 * of a biased one the mean of R - X (W' - W); s is the share of that which holds on rows that were held out,
 * else 1. Where H is singular the damping grows until it is not. Throws Error where moments are not finite.
 */
export const fitted = (w: Tensor, options: FitOptions): Fit => {
  const { biased, inputAxis } = options;
  const { sums, share, damping: asked } = settled(options);
  const { k, n, ...system } = systemOf(sums, biased);
  const { cross } = sums;
  const { d, damping } = solved({ ...system, k, n }, asked);
  const at = (i: number, j: number): number => (inputAxis === 0 ? i * n + j : j * k + i);
  const data = w.data as Float32Array;
  const weight = new Float32Array(k * n);
  const bias = Float64Array.from(biased ? cross.targets : [], (sum) => sum / cross.count);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < n; j++) {
      const change = share * d[i * n + j]!;
      weight[at(i, j)] = data[at(i, j)]! + change;
      if (biased) bias[j]! -= (cross.inputs[i]! / cross.count) * change;
    }
  }
  return { weight, bias: Float32Array.from(bias), damping, share };
};
