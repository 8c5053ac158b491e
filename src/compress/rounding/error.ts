/** What rounding does to a product, by what it reads. */
import type { Rows } from "./codes.ts";
import type { SecondMoments } from "./moments.ts";

/** Sum over outputs of the squared errors of single numbers, each counted by its input's mean square. */
export const weightedError = (
  { n, k, values }: Rows,
  after: ArrayLike<number>,
  squares?: ArrayLike<number>,
): number => {
  let sum = 0;
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < k; i++) {
      const error = after[j * k + i]! - values[j * k + i]!;
      sum += (squares === undefined ? 1 : squares[i]!) * error * error;
    }
  }
  return sum;
};

/** Mean squared error of a product's outputs: of D = `after` - `rows`, tr(D H D^T) / (count * N). */
export const outputError = (
  { n, k, values }: Rows,
  after: ArrayLike<number>,
  { gram, count }: SecondMoments,
): number => {
  let sum = 0;
  const error = new Float64Array(k);
  for (let j = 0; j < n; j++) {
    for (let i = 0; i < k; i++) error[i] = after[j * k + i]! - values[j * k + i]!;
    for (let i = 0; i < k; i++) {
      const own = error[i]!;
      if (own === 0) continue;
      let along = 0;
      for (let m = 0, at = i * k; m < i; m++, at++) along += gram[at]! * error[m]!;
      sum += own * (2 * along + gram[i * k + i]! * own);
    }
  }
  return sum / (count * n);
};
