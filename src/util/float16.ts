/**
 * The two 16-bit float formats, as bits in a Uint16Array: float16 (IEEE 754 binary16) and bfloat16 (the
 * upper half of a float32). Widening is exact, and goes through three small tables (van der Zijp 2008,
 * http://www.fox-toolkit.org/ftp/fasthalffloatconversion.pdf); narrowing rounds to nearest, ties to even.
 */

/** Float32 bits of a float16's ten mantissa bits: first those of subnormals, normalized, then the others. */
const mantissas = Uint32Array.from({ length: 2048 }, (_, i) => {
  if (i === 0) return 0;
  if (i >= 1024) return 0x38000000 + ((i - 1024) << 13);
  const shift = Math.clz32(i) - 21;
  return ((113 - shift) << 23) | (((i << shift) & 0x3ff) << 13);
});

/** What the sign and the exponent add to them. */
const exponents = Uint32Array.from({ length: 64 }, (_, i) => {
  const exponent = i & 31;
  const sign = i < 32 ? 0 : 0x80000000;
  return sign + (exponent === 31 ? 0x47800000 : exponent << 23);
});

/** Which half of `mantissas` the sign and the exponent need. */
const offsets = Uint16Array.from({ length: 64 }, (_, i) => ((i & 31) === 0 ? 0 : 1024));

const bits32 = (out: Float32Array): Uint32Array =>
  new Uint32Array(out.buffer as ArrayBuffer, out.byteOffset, out.length);

/** Writes the float16 numbers `bits` to `out` as float32, exactly; a NaN keeps its payload. */
export const widenFloat16 = (bits: Uint16Array, out: Float32Array): void => {
  const wide = bits32(out);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i]!;
    const head = half >>> 10;
    wide[i] = mantissas[offsets[head]! + (half & 0x3ff)]! + exponents[head]!;
  }
};

/** What one step of the mantissa is worth, by the exponent. */
const steps = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(1, exponent) - 25));

/** The number of one float16's bits. */
export const float16Number = (bits: number): number => {
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? mantissa : mantissa + 1024) * steps[exponent]!;
};

/** Writes the bfloat16 numbers `bits` to `out` as float32, exactly. */
export const widenBfloat16 = (bits: Uint16Array, out: Float32Array): void => {
  const wide = bits32(out);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16;
};

/** Bits of a float16 of a float32's bits. */
const narrow16 = (bits: number): number => {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  // 65520 is halfway between the largest float16 and what would be the next.
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size >= 0x38800000) return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  const shift = 126 - (size >>> 23);
  if (shift > 24) return sign;
  const mantissa = (size & 0x7fffff) | 0x800000;
  const kept = mantissa >>> shift;
  const rest = mantissa & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0));
};

/** Writes `values` to `out` as float16 bits; beyond 65504 comes infinity. */
export const narrowFloat16 = (values: Float32Array, out: Uint16Array): void => {
  const wide = bits32(values);
  for (let i = 0; i < wide.length; i++) out[i] = narrow16(wide[i]!);
};

/** Writes `values` to `out` as bfloat16 bits. */
export const narrowBfloat16 = (values: Float32Array, out: Uint16Array): void => {
  const wide = bits32(values);
  for (let i = 0; i < wide.length; i++) {
    const bits = wide[i]!;
    const nan = (bits & 0x7fffffff) > 0x7f800000;
    out[i] = nan ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
  }
};

/** The largest finite float16. */
export const HALF_MAX = 65504;
/** The smallest float16 that keeps all eleven bits. */
export const HALF_MIN_NORMAL = 2 ** -14;

/** Numbers as float16 bits, in an array of their own. */
export const toHalves = (values: Float32Array): Uint16Array => {
  const halves = new Uint16Array(values.length);
  narrowFloat16(values, halves);
  return halves;
};

/** float16 bits as numbers, in an array of their own. */
export const fromHalves = (halves: Uint16Array): Float32Array => {
  const values = new Float32Array(halves.length);
  widenFloat16(halves, values);
  return values;
};
