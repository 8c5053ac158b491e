/** float16 numbers as their bits (IEEE 754 binary16). */

/** The largest finite float16. */
export const HALF_MAX = 65504;
/** The smallest float16 that keeps all eleven bits. */
export const HALF_MIN_NORMAL = 2 ** -14;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The bits of the float16 nearest to x, of two equally near the even one; infinite beyond the range. */
export const halfBits = (x: number): number => {
  float[0] = x;
  const all = bits[0]!;
  const sign = (all >>> 16) & 0x8000;
  const magnitude = all & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude < 0x33000000) return sign;
  const exponent = (magnitude >>> 23) - 112;
  const shift = exponent > 0 ? 13 : 14 - exponent;
  const significand = exponent > 0 ? magnitude - 0x38000000 : (magnitude & 0x7fffff) | 0x800000;
  const kept = significand >>> shift;
  const rest = significand - kept * 2 ** shift;
  const middle = 2 ** (shift - 1);
  return sign | (kept + (rest > middle || (rest === middle && kept % 2 === 1) ? 1 : 0));
};

/** The number that float16 bits stand for. */
export const halfValue = (half: number): number => {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction > 0 ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
};

/** Numbers as float16 bits. */
export const toHalves = (values: Float32Array): Uint16Array => {
  const halves = new Uint16Array(values.length);
  const all = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < halves.length; i++) {
    const word = all[i]!;
    const magnitude = word & 0x7fffffff;
    // Normal numbers, which almost all are, round by an addition whose carry may reach the exponent.
    halves[i] =
      magnitude >= 0x38800000 && magnitude < 0x47800000
        ? ((word >>> 16) & 0x8000) | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
        : halfBits(values[i]!);
  }
  return halves;
};

/** float16 bits as numbers. */
export const fromHalves = (halves: Uint16Array): Float32Array => Float32Array.from(halves, halfValue);
