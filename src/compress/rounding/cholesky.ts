/** Symmetric systems by their triangular factor, which GPTQ walks along. Matrices are by rows, float64. */

/** The sum of a[i] b[i] from `from` on, in four parts that do not wait for each other. */
const dot = (a: Float64Array, b: Float64Array, from: number): number => {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = from;
  for (const end = a.length - 3; i < end; i += 4) {
    s0 += a[i]! * b[i]!;
    s1 += a[i + 1]! * b[i + 1]!;
    s2 += a[i + 2]! * b[i + 2]!;
    s3 += a[i + 3]! * b[i + 3]!;
  }
  for (; i < a.length; i++) s0 += a[i]! * b[i]!;
  return s0 + s1 + (s2 + s3);
};

/**
 * V, upper triangular with h = V V^T, in place of h. False where h is not positive definite; h is of no use
 * then.
 */
const factor = (h: Float64Array, k: number): boolean => {
  for (let j = k - 1; j >= 0; j--) {
    const own = h.subarray(j * k, (j + 1) * k);
    const pivot = own[j]! - dot(own, own, j + 1);
    if (!(pivot > 0) || !Number.isFinite(pivot)) return false;
    const root = Math.sqrt(pivot);
    own[j] = root;
    for (let i = 0; i < j; i++) {
      const row = h.subarray(i * k, (i + 1) * k);
      row[j] = (row[j]! - dot(row, own, j + 1)) / root;
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
 * V, upper triangular, with V V^T a symmetric h [K, K] plus `damping` times the mean of its diagonal. Where h
 * is not positive definite the damping grows tenfold until it is; `damping` is what it took. Throws Error
 * where nothing helps: h is not finite.
 */
export const dampedFactor = (
  h: Float64Array,
  k: number,
  damping: number,
): { readonly factor: Float64Array; readonly damping: number } => {
  let mean = 0;
  for (let i = 0; i < k; i++) mean += h[i * k + i]! / k;
  for (let share = damping; share <= 1e6; share = Math.max(share * 10, 1e-8)) {
    const damped = h.slice();
    for (let i = 0; i < k; i++) damped[i * k + i]! += share * mean;
    if (factor(damped, k)) return { factor: damped, damping: share };
  }
  throw new Error("second moments are not finite");
};

/**
 * U, upper triangular with (h + damping)^-1 = U^T U, for a symmetric h [K, K]; damped as `dampedFactor` says.
 * (With h = V V^T it is V^-1, so neither h^-1 nor a second factor is made.) Throws Error as that does.
 */
export const inverseFactor = (
  h: Float64Array,
  k: number,
  damping: number,
): { readonly factor: Float64Array; readonly damping: number } => {
  const { factor: v, damping: took } = dampedFactor(h, k, damping);
  return { factor: invertUpper(v, k), damping: took };
};

/** Rows `to` less multiples of others, all of a band of columns. */
interface Band {
  readonly b: Float64Array;
  readonly n: number;
  readonly from: number;
  readonly to: number;
}

/** Takes `factorOf(m)` times row m off row i, for m from `first` to `end`: four rows at a time. */
const eliminate = (
  { b, n, from, to }: Band,
  i: number,
  { first, end, factorOf }: { first: number; end: number; factorOf: (m: number) => number },
): void => {
  const own = i * n;
  let m = first;
  for (; m + 3 < end; m += 4) {
    const f0 = factorOf(m);
    const f1 = factorOf(m + 1);
    const f2 = factorOf(m + 2);
    const f3 = factorOf(m + 3);
    const at = m * n;
    for (let j = from; j < to; j++) {
      b[own + j]! -=
        f0 * b[at + j]! + f1 * b[at + n + j]! + f2 * b[at + 2 * n + j]! + f3 * b[at + 3 * n + j]!;
    }
  }
  for (; m < end; m++) {
    const f = factorOf(m);
    for (let j = from; j < to; j++) b[own + j]! -= f * b[m * n + j]!;
  }
};

/** Columns that are solved for together, so that they stay in the cache. */
const BAND = 64;

/** (V V^T)^-1 b for an upper triangular V [K, K], as `dampedFactor` gives it, and b [K, N], in place of b. */
export const solveFactored = (
  v: Float64Array,
  b: Float64Array,
  { k, n }: { readonly k: number; readonly n: number },
): void => {
  for (let from = 0; from < n; from += BAND) {
    const band = { b, n, from, to: Math.min(n, from + BAND) };
    const divide = (i: number): void => {
      const inverse = 1 / v[i * k + i]!;
      for (let j = from; j < band.to; j++) b[i * n + j]! *= inverse;
    };
    for (let i = k - 1; i >= 0; i--) {
      eliminate(band, i, { first: i + 1, end: k, factorOf: (m) => v[i * k + m]! });
      divide(i);
    }
    for (let i = 0; i < k; i++) {
      eliminate(band, i, { first: 0, end: i, factorOf: (m) => v[m * k + i]! });
      divide(i);
    }
  }
};
