import { expect, test } from "vitest";
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from "./float16.ts";
import { rng } from "./rng.ts";

const all = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** By the definition of binary16, in doubles. */
const half = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 31;
  const mantissa = bits & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? mantissa * 2 ** -24 : (1 + mantissa / 1024) * 2 ** (exponent - 15));
};

const widened = (widen: typeof widenFloat16, bits: Uint16Array): Float32Array => {
  const out = new Float32Array(bits.length);
  widen(bits, out);
  return out;
};
const narrowed = (narrow: typeof narrowFloat16, values: Float32Array): Uint16Array => {
  const out = new Uint16Array(values.length);
  narrow(values, out);
  return out;
};

test("every float16 widens to the number that it is", () => {
  const out = widened(widenFloat16, all);
  for (const bits of all) expect(Object.is(out[bits], half(bits)), `0x${bits.toString(16)}`).toBe(true);
});

test("every bfloat16 widens to the float32 whose upper half it is", () => {
  const out = widened(widenBfloat16, all);
  const view = new DataView(new ArrayBuffer(4));
  for (const bits of all) {
    view.setUint16(2, bits, true);
    expect(Object.is(out[bits], view.getFloat32(0, true)), `0x${bits.toString(16)}`).toBe(true);
  }
});

test("what was widened narrows back, and NaN stays NaN", () => {
  for (const [widen, narrow, infinity] of [
    [widenFloat16, narrowFloat16, 0x7c00],
    [widenBfloat16, narrowBfloat16, 0x7f80],
  ] as const) {
    const back = narrowed(narrow, widened(widen, all));
    for (const bits of all) {
      if ((bits & 0x7fff) > infinity) expect(back[bits]! & 0x7fff).toBeGreaterThan(infinity);
      else expect(back[bits]).toBe(bits);
    }
  }
});

test("narrowing goes to the nearest, ties to the even one", () => {
  const random = rng(1, "narrow");
  const values = Float32Array.from({ length: 50_000 }, (_, i) =>
    i % 2 === 0 ? random.normal() * 2 ** (random.int(50) - 30) : half(random.int(0x7bff)) + 2 ** -26,
  );
  const ties = Float32Array.of(1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 3 * 2 ** -25, 65519, 65520, -65520);
  expect([...narrowed(narrowFloat16, ties)]).toEqual([0x3c00, 0x3c02, 0, 2, 0x7bff, 0x7c00, 0xfc00]);
  const bits = narrowed(narrowFloat16, values);
  for (const [i, value] of values.entries()) {
    const x = Math.min(Math.abs(value), 65504);
    const found = bits[i]! & 0x7fff;
    if (found === 0x7c00) {
      expect(Math.abs(value)).toBeGreaterThanOrEqual(65520);
      continue;
    }
    const error = Math.abs(half(found) - x);
    for (const near of [found - 1, found + 1]) {
      if (near >= 0 && near < 0x7c00) expect(error).toBeLessThanOrEqual(Math.abs(half(near) - x));
    }
  }
  const brain = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4028234663852886e38, -0);
  expect([...narrowed(narrowBfloat16, brain)]).toEqual([0x3f80, 0x3f82, 0x7f80, 0x8000]);
});
