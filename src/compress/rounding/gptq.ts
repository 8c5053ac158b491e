/**
 * GPTQ (Frantar et al. 2022, https://arxiv.org/abs/2210.17323; https://github.com/IST-DASLab/gptq): inputs
 * are rounded one after the other, and what each loses is made up for by those that are left, as the second
 * moments of what the product reads say. Order by the moments' diagonal ("act order"), with grids that are
 * chosen beforehand ("static groups"), so that blocks stay blocks of neighbours. Grids are those of scale
 * search unless told; theirs are those of rounding to nearest.
 */
import { inverseFactor } from "./cholesky.ts";
import {
  type Codes,
  emptyCodes,
  type Grid,
  type GridOptions,
  gridsOf,
  nearestCode,
  type Rows,
} from "./codes.ts";
import type { SecondMoments } from "./moments.ts";
import { rangeGrid } from "./nearest.ts";
import { searchedGrids } from "./scaleSearch.ts";

/** How GPTQ rounds. */
export interface GptqOptions extends GridOptions {
  /** Share of the diagonal's mean that is added to it; 0.01 unless told. */
  readonly damping?: number;
  /** Whether inputs are taken from the strongest on; they are unless told. */
  readonly actOrder?: boolean;
  /** Whether grids span a block's numbers ("range") or are searched for, which they are unless told. */
  readonly grids?: "range" | "search";
  /** What `inputFactor` makes of the same moments, where it is known; damping and order are its own then. */
  readonly factor?: InputFactor;
}

/** What inputs tell of each other: the damped moments' inverse is `factor`^T `factor`. */
export interface InputFactor {
  /** Inputs in the order that they are rounded in. */
  readonly order: Uint32Array;
  /** Upper triangular, [K, K], in that order. */
  readonly factor: Float64Array;
  /** The damping that was asked for, and what it took. */
  readonly asked: number;
  readonly damping: number;
}

/** Codes, with the damping that the second moments took: more than was asked where they are singular. */
export interface GptqCodes extends Codes {
  readonly damping: number;
}

/** Outputs that are walked along together: a row of the factor is read once for all of them. */
const TOGETHER = 16;

/** Inputs in the order that they are rounded in. */
const orderOf = ({ k, squares }: SecondMoments, actOrder: boolean): Uint32Array => {
  const order = Uint32Array.from({ length: k }, (_, i) => i);
  return actOrder ? order.sort((a, b) => squares[b]! - squares[a]! || a - b) : order;
};

/** The moments in another order of inputs. Inputs that are always 0 stand alone: nothing depends on them. */
const ordered = ({ k, gram }: SecondMoments, order: Uint32Array): Float64Array => {
  const h = new Float64Array(k * k);
  for (let i = 0; i < k; i++) {
    const row = order[i]! * k;
    for (let m = 0; m < k; m++) h[i * k + m] = gram[row + order[m]!]!;
    if (h[i * k + i] === 0) h[i * k + i] = 1;
  }
  return h;
};

/** The numbers of outputs `from` to `to`, in the order; those of inputs that are always 0 are 0. */
const taken = (
  { k, values }: Rows,
  { squares }: SecondMoments,
  order: Uint32Array,
  [from, to]: [number, number],
) => {
  const w = new Float64Array((to - from) * k);
  for (let j = from; j < to; j++) {
    for (let i = 0; i < k; i++) {
      const input = order[i]!;
      w[(j - from) * k + i] = squares[input] === 0 ? 0 : values[j * k + input]!;
    }
  }
  return w;
};

/** Rounds outputs `from` to `to`. */
const walk = (
  w: Float64Array,
  u: Float64Array,
  { codes, grids, order, from }: { codes: Codes; grids: readonly Grid[]; order: Uint32Array; from: number },
): void => {
  const { k, block, bits, q } = codes;
  const [blocks, most] = [Math.ceil(k / block), 2 ** bits - 1];
  const outputs = w.length / k;
  for (let i = 0; i < k; i++) {
    const input = order[i]!;
    const [b, diagonal] = [Math.floor(input / block), u[i * k + i]!];
    for (let r = 0; r < outputs; r++) {
      const grid = grids[(from + r) * blocks + b]!;
      const value = w[r * k + i]!;
      const code = nearestCode(value, grid, most);
      q[(from + r) * k + input] = code;
      const error = (value - (code - grid.zero) * grid.scale) / diagonal;
      if (error === 0) continue;
      for (let m = i + 1, at = i * k + i + 1, own = r * k + i + 1; m < k; m++, at++, own++) {
        w[own]! -= error * u[at]!;
      }
    }
  }
};

/**
 * The factor that all matrices of the same inputs are rounded by. Throws Error for moments that are not
 * finite.
 */
export const inputFactor = (
  moments: SecondMoments,
  { damping: asked = 0.01, actOrder = true }: Pick<GptqOptions, "damping" | "actOrder"> = {},
): InputFactor => {
  const order = orderOf(moments, actOrder);
  return { order, asked, ...inverseFactor(ordered(moments, order), moments.k, asked) };
};

/** A matrix rounded by GPTQ. Throws Error for moments that are not finite. */
export const gptq = (rows: Rows, moments: SecondMoments, options: GptqOptions): GptqCodes => {
  const { grids: how = "search", factor: known = inputFactor(moments, options) } = options;
  const { n } = rows;
  const grids =
    how === "range"
      ? gridsOf(rows, options, rangeGrid(options))
      : searchedGrids(rows, options, moments.squares);
  const { order, factor, damping } = known;
  const codes = emptyCodes(rows, options, grids);
  for (let from = 0; from < n; from += TOGETHER) {
    const w = taken(rows, moments, order, [from, Math.min(n, from + TOGETHER)]);
    walk(w, factor, { codes, grids, order, from });
  }
  return { ...codes, damping };
};
