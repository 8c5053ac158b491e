/** Principal components of rows of numbers. */
import { eigen } from "./eigen.ts";

/** Which rows and components count. */
export interface PrincipalOptions {
  /** Rows that the mean and the components are of; all unless told. The others become 0. */
  readonly counts?: (row: number) => boolean;
  /** Strongest components that are left out; none unless told. */
  readonly skip?: number;
}

/** Rows of numbers, [rows, width]. */
export interface Rows {
  readonly data: Float32Array;
  readonly rows: number;
  readonly width: number;
}

/**
 * The rows' coordinates along their `dims` principal components behind those that are skipped, as
 * scikit-learn's PCA has them but for signs: [rows, width] -> [rows, dims].
 */
export const principal = (
  { data, rows, width }: Rows,
  dims: number,
  { counts = () => true, skip = 0 }: PrincipalOptions = {},
): Float32Array => {
  const used = Array.from({ length: rows }, (_, i) => i).filter(counts);
  const mean = new Float64Array(width);
  for (const i of used) for (let c = 0; c < width; c++) mean[c]! += data[i * width + c]! / used.length;
  const covariance = new Float64Array(width * width);
  const row = new Float64Array(width);
  const centred = (i: number): Float64Array => {
    for (let c = 0; c < width; c++) row[c] = data[i * width + c]! - mean[c]!;
    return row;
  };
  for (const i of used) {
    const x = centred(i);
    for (let a = 0; a < width; a++) {
      const [at, own] = [a * width, x[a]!];
      for (let b = a; b < width; b++) covariance[at + b]! += own * x[b]!;
    }
  }
  for (let a = 0; a < width; a++)
    for (let b = 0; b < a; b++) covariance[a * width + b] = covariance[b * width + a]!;
  const { vectors } = eigen(covariance, width);
  const out = new Float32Array(rows * dims);
  for (const i of used) {
    const x = centred(i);
    for (let d = 0; d < dims; d++) {
      let sum = 0;
      for (let c = 0; c < width; c++) sum += vectors[(skip + d) * width + c]! * x[c]!;
      out[i * dims + d] = sum;
    }
  }
  return out;
};
