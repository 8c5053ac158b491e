/** What a product reads, summed over the rows of calibration. */

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
}

/** The same with the sum of x x^T, [K, K]. */
export interface SecondMoments extends Moments {
  readonly gram: Float64Array;
}

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
