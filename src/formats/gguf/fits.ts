/**
 * Grids of few bits for a handful of numbers, each of which counts by a weight: a scale, or a scale and an
 * offset, of least squares under the codes that several first guesses give (as in llama.cpp's k-quants,
 * https://github.com/ggml-org/llama.cpp/pull/1684). Under fixed codes the best grid and its error follow from
 * sums, so a guess takes one pass over the numbers.
 */

/** Some numbers, and the weight of each. */
export interface Numbers {
  readonly values: Float64Array;
  readonly weights: Float64Array;
}

/** x = scale q - least, least >= 0. */
export interface RangeFit {
  readonly scale: number;
  readonly least: number;
}

/** Added and taken off again it leaves the nearest whole number, which is quicker than Math.round. */
const ROUNDING = 1.5 * 2 ** 52;

/** Below this all numbers are taken for 0. */
const TINY = 1e-15;

/** The number of largest magnitude, the first of equals. */
const extremeOf = ({ values }: Numbers): number => {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i]!) > Math.abs(most)) most = values[i]!;
  return most;
};

/**
 * The scale of x = scale q, q from -half to half - 1. The number of largest magnitude is on the side that has
 * one code more, so that scales may be negative.
 */
export const fitScale = (numbers: Numbers, half: number): number => {
  const { values, weights } = numbers;
  const most = extremeOf(numbers);
  if (Math.abs(most) < TINY) return 0;
  let scale = 0;
  let explained = 0;
  for (let guess = -9; guess <= 9; guess++) {
    const inverse = -(half + 0.1 * guess) / most;
    let along = 0;
    let square = 0;
    for (let i = 0; i < weights.length; i++) {
      const x = values[i]!;
      let q = inverse * x + ROUNDING - ROUNDING;
      if (q < -half) q = -half;
      else if (q >= half) q = half - 1;
      const weighted = weights[i]! * q;
      along += weighted * x;
      square += weighted * q;
    }
    if (!(along * along > explained * square)) continue;
    explained = (along * along) / square;
    scale = along / square;
  }
  return scale;
};

/** A grid, and what it takes off the weighted square of the numbers. */
interface RangeFound extends RangeFit {
  readonly explained: number;
}

/** How numbers become codes: round(inverse (x - offset)), from 0 to `most`. */
interface Guess {
  readonly inverse: number;
  readonly offset: number;
  readonly most: number;
}

/** Sums of weights, and of weighted numbers. */
interface Totals {
  readonly w: number;
  readonly wx: number;
}

/** Scale and offset of least squares under the codes of a guess. */
const rangeUnder = (
  { values, weights }: Numbers,
  { inverse, offset, most }: Guess,
  { w, wx }: Totals,
): RangeFound => {
  let wq = 0;
  let wqq = 0;
  let wqx = 0;
  for (let i = 0; i < weights.length; i++) {
    const x = values[i]!;
    let q = inverse * (x - offset) + ROUNDING - ROUNDING;
    if (q < 0) q = 0;
    else if (q > most) q = most;
    const weighted = weights[i]! * q;
    wq += weighted;
    wqq += weighted * q;
    wqx += weighted * x;
  }
  const determinant = w * wqq - wq * wq;
  const low = determinant > 0 ? (wqq * wx - wq * wqx) / determinant : 0;
  if (determinant > 0 && low <= 0) {
    const scale = (w * wqx - wx * wq) / determinant;
    return { scale, least: -low, explained: scale * wqx + low * wx };
  }
  const scale = wqq > 0 ? wqx / wqq : 0;
  return { scale, least: 0, explained: scale * wqx };
};

/** What is taken off a range at its first guess and put on at its last, in steps; and the guesses. */
const [SHORTEST, GUESSES] = [0.9, 18];
/** The same around the best of them, from its own offset. */
const [NEARER, AGAIN] = [0.5, 6];

/** The grid x = scale q - least, q from 0 to `most`. */
export const fitRange = (numbers: Numbers, most: number): RangeFit => {
  const { values, weights } = numbers;
  let low = 0;
  let high = values[0]!;
  let w = 0;
  let wx = 0;
  for (let i = 0; i < weights.length; i++) {
    const x = values[i]!;
    if (x < low) low = x;
    if (x > high) high = x;
    w += weights[i]!;
    wx += weights[i]! * x;
  }
  if (!(high > low)) return { scale: 0, least: -low };
  const totals = { w, wx };
  let best = { scale: (high - low) / most, least: -low, explained: Number.NEGATIVE_INFINITY };
  const attempt = (inverse: number, offset: number): void => {
    const found = rangeUnder(numbers, { inverse, offset, most }, totals);
    if (found.scale > 0 && found.explained > best.explained) best = found;
  };
  for (let guess = 0; guess <= GUESSES; guess++) {
    attempt((most + SHORTEST * ((2 * guess) / GUESSES - 1)) / (high - low), low);
  }
  const { scale, least } = best;
  for (let guess = 0; guess <= AGAIN; guess++) {
    attempt((1 + (NEARER * ((2 * guess) / AGAIN - 1)) / most) / scale, -least);
  }
  return best;
};

/** The unit of numbers >= 0 that become its multiples from 0 to `most`. */
export const fitUnit = (numbers: Numbers, most: number): number => {
  const { values, weights } = numbers;
  const largest = extremeOf(numbers);
  if (largest < TINY) return 0;
  let [unit, least] = [0, Number.POSITIVE_INFINITY];
  for (let guess = -4; guess <= 4; guess++) {
    const inverse = (most + 0.1 * guess) / largest;
    let [along, square, total] = [0, 0, 0];
    for (let i = 0; i < weights.length; i++) {
      const x = values[i]!;
      const q = Math.min(most, inverse * x + ROUNDING - ROUNDING);
      along += weights[i]! * q * x;
      square += weights[i]! * q * q;
      total += weights[i]! * x * x;
    }
    const error = square > 0 ? total - (along * along) / square : total;
    if (error < least) [unit, least] = [square > 0 ? along / square : 1 / inverse, error];
  }
  return unit;
};
