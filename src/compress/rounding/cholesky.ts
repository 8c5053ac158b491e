/** The triangular factor that GPTQ walks along. Matrices are square, by rows, float64. */

/**
 * V, upper triangular with h = V V^T, in place of h. False where h is not positive definite; h is of no use
 * then.
 */
const factor = (h: Float64Array, k: number): boolean => {
  for (let j = k - 1; j >= 0; j--) {
    const own = h.subarray(j * k, (j + 1) * k);
    let pivot = own[j]!;
    for (let m = j + 1; m < k; m++) pivot -= own[m]! * own[m]!;
    if (!(pivot > 0) || !Number.isFinite(pivot)) return false;
    const root = Math.sqrt(pivot);
    own[j] = root;
    for (let i = 0; i < j; i++) {
      const row = h.subarray(i * k, (i + 1) * k);
      let sum = row[j]!;
      for (let m = j + 1; m < k; m++) sum -= row[m]! * own[m]!;
      row[j] = sum / root;
    }
  }
  return true;
};

/** The inverse of an upper triangular matrix. */
const invertUpper = (v: Float64Array, k: number): Float64Array => {
  const inverse = new Float64Array(k * k);
  const rest = new Float64Array(k);
  for (let i = 0; i < k; i++) {
    rest.fill(0);
    rest[i] = 1;
    for (let m = i; m < k; m++) {
      const u = rest[m]! / v[m * k + m]!;
      inverse[i * k + m] = u;
      if (u === 0) continue;
      for (let j = m + 1, at = m * k + m + 1; j < k; j++, at++) rest[j]! -= u * v[at]!;
    }
  }
  return inverse;
};

/**
 * U, upper triangular with h^-1 = U^T U, for a symmetric h [K, K] plus `damping` times the mean of its
 * diagonal. (With h = V V^T it is V^-1, so neither h^-1 nor a second factor is made.) Where h is not
 * positive definite the damping grows tenfold until it is; `damping` is what it took. Throws Error where
 * nothing helps: h is not finite.
 */
export const inverseFactor = (
  h: Float64Array,
  k: number,
  damping: number,
): { readonly factor: Float64Array; readonly damping: number } => {
  let mean = 0;
  for (let i = 0; i < k; i++) mean += h[i * k + i]! / k;
  for (let share = damping; share <= 1e6; share = Math.max(share * 10, 1e-8)) {
    const damped = h.slice();
    for (let i = 0; i < k; i++) damped[i * k + i]! += share * mean;
    if (factor(damped, k)) return { factor: invertUpper(damped, k), damping: share };
  }
  throw new Error("second moments are not finite");
};
