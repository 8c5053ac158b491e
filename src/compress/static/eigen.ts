/**
 * Eigenvalues and eigenvectors of a symmetric matrix: Householder's reflections make it tridiagonal, implicit
 * QL does the rest (Golub and Van Loan, Matrix Computations, 8.3; as EISPACK's tred2 and tql2).
 */

/** A tridiagonal matrix: its diagonal, what stands beside it, and the rows of what turned it so, [n, n]. */
interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** Element i stands at (i, i + 1). */
  readonly beside: Float64Array;
  readonly turned: Float64Array;
}

/** The unit vector of the reflection that leaves nothing of column k below its first element under k. */
const reflector = (m: Float64Array, n: number, k: number): Float64Array | undefined => {
  const v = new Float64Array(n);
  let size = 0;
  for (let i = k + 1; i < n; i++) {
    v[i] = m[i * n + k]!;
    size += v[i]! ** 2;
  }
  const first = v[k + 1]!;
  if (size - first * first <= 1e-300) return undefined;
  v[k + 1] = first + (first < 0 ? -1 : 1) * Math.sqrt(size);
  const length = Math.sqrt(size - first * first + v[k + 1]! ** 2);
  return v.map((x) => x / length);
};

/** m - 2 v w^T - 2 w v^T with w = m v - (v^T m v) v: both sides reflected. */
const reflect = (m: Float64Array, n: number, k: number, v: Float64Array): void => {
  const w = new Float64Array(n);
  let along = 0;
  for (let i = k; i < n; i++) {
    let sum = 0;
    for (let j = k + 1; j < n; j++) sum += m[i * n + j]! * v[j]!;
    w[i] = sum;
    along += sum * v[i]!;
  }
  for (let i = k; i < n; i++) w[i]! -= along * v[i]!;
  for (let i = k; i < n; i++) {
    const [a, b] = [2 * v[i]!, 2 * w[i]!];
    for (let j = k; j < n; j++) m[i * n + j]! -= a * w[j]! + b * v[j]!;
  }
};

const tridiagonal = (symmetric: Float64Array, n: number): Tridiagonal => {
  const m = symmetric.slice();
  const reflectors: Float64Array[] = [];
  for (let k = 0; k < n - 2; k++) {
    const v = reflector(m, n, k);
    if (v === undefined) continue;
    reflect(m, n, k, v);
    reflectors.push(v);
  }
  const turned = new Float64Array(n * n);
  for (let i = 0; i < n; i++) turned[i * n + i] = 1;
  for (const v of reflectors.reverse()) {
    for (let row = 0; row < n; row++) {
      let along = 0;
      for (let j = 0; j < n; j++) along += turned[row * n + j]! * v[j]!;
      for (let j = 0; j < n; j++) turned[row * n + j]! -= 2 * along * v[j]!;
    }
  }
  return {
    diagonal: Float64Array.from({ length: n }, (_, i) => m[i * n + i]!),
    beside: Float64Array.from({ length: n }, (_, i) => (i + 1 < n ? m[i * n + i + 1]! : 0)),
    turned,
  };
};

/** Rows i and i + 1 turned by an angle of cosine c and sine s. */
const rotate = (rows: Float64Array, n: number, i: number, c: number, s: number): void => {
  for (let k = 0; k < n; k++) {
    const [a, b] = [rows[i * n + k]!, rows[(i + 1) * n + k]!];
    rows[i * n + k] = c * a - s * b;
    rows[(i + 1) * n + k] = s * a + c * b;
  }
};

/** One implicit QL step on elements l to m. */
const step = ({ diagonal: d, beside: e, turned }: Tridiagonal, l: number, m: number): void => {
  const n = d.length;
  const start = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let g = d[m]! - d[l]! + e[l]! / (start + (start < 0 ? -1 : 1) * Math.hypot(start, 1));
  let [s, c, p] = [1, 1, 0];
  for (let i = m - 1; i >= l; i--) {
    const [f, b] = [s * e[i]!, c * e[i]!];
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[m] = 0;
      return;
    }
    [s, c] = [f / r, g / r];
    g = d[i + 1]! - p;
    const q = (d[i]! - g) * s + 2 * c * b;
    p = s * q;
    d[i + 1] = g + p;
    g = c * q - b;
    rotate(turned, n, i, c, s);
  }
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
};

/** Where the tridiagonal matrix falls apart from l on. */
const endOf = ({ diagonal: d, beside: e }: Tridiagonal, l: number): number => {
  let m = l;
  while (m < d.length - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
  return m;
};

/** Steps for an eigenvalue beyond which nothing is gained: two are usual. */
const MOST = 60;

/**
 * Eigenvalues of a symmetric matrix [n, n], the largest first, and eigenvectors of length 1 [n, n], one a
 * row.
 */
export const eigen = (
  symmetric: Float64Array,
  n: number,
): { readonly values: Float64Array; readonly vectors: Float64Array } => {
  const t = tridiagonal(symmetric, n);
  for (let l = 0; l < n; l++) {
    for (let tries = 0; tries < MOST; tries++) {
      const m = endOf(t, l);
      if (m === l) break;
      step(t, l, m);
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => t.diagonal[b]! - t.diagonal[a]!);
  const vectors = new Float64Array(n * n);
  order.forEach((from, i) => {
    vectors.set(t.turned.subarray(from * n, (from + 1) * n), i * n);
  });
  return { values: Float64Array.from(order, (i) => t.diagonal[i]!), vectors };
};
