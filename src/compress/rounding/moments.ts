/** What a product reads, summed over the rows of calibration. */

/** Inputs of a run, within which it is known what goes together. */
export const RUN = 32;

/** Sums over rows x [K]. */
export interface Moments {
  /** Inputs. */
  readonly k: number;
  /** Rows that were summed. */
  readonly count: number;
  /** Sums of x^2, [K]. */
  readonly squares: Float64Array;
  /** Sums of |x|, [K]. */
  readonly absolutes: Float64Array;
  /** Sums of x_i x_j of inputs of one run, [runs, RUN, RUN]; those behind the last input are 0. */
  readonly near?: Float64Array;
}

/** The same with the sum of x x^T, [K, K]. */
export interface SecondMoments extends Moments {
  readonly gram: Float64Array;
}

/** What inputs of one run have in common, of all that inputs have, [runs, RUN, RUN]. */
export const nearOf = ({ k, gram }: Pick<SecondMoments, "k" | "gram">): Float64Array => {
  const near = new Float64Array(Math.ceil(k / RUN) * RUN * RUN);
  for (let i = 0; i < k; i++) {
    const from = i - (i % RUN);
    const own = gram.subarray(i * k + from, i * k + Math.min(k, from + RUN));
    near.set(own, i * RUN);
  }
  return near;
};

/** The moments of rows [count, K]. */
export const momentsOf = (rows: ArrayLike<number>, k: number): SecondMoments => {
  const count = rows.length / k;
  const gram = new Float64Array(k * k);
  const absolutes = new Float64Array(k);
  for (let r = 0; r < count; r++) {
    for (let i = 0; i < k; i++) {
      const x = rows[r * k + i]!;
      absolutes[i]! += Math.abs(x);
      for (let m = 0; m < k; m++) gram[i * k + m]! += x * rows[r * k + m]!;
    }
  }
  const squares = Float64Array.from({ length: k }, (_, i) => gram[i * k + i]!);
  return { k, count, squares, absolutes, gram };
};
