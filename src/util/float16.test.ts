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
  expect(all.filter((bits) => !Object.is(out[bits], half(bits)))).toHaveLength(0);
});

test("every bfloat16 widens to the float32 whose upper half it is", () => {
  const out = widened(widenBfloat16, all);
  const view = new DataView(new ArrayBuffer(4));
  const wrong = all.filter((bits) => {
    view.setUint16(2, bits, true);
    return !Object.is(out[bits], view.getFloat32(0, true));
  });
  expect(wrong).toHaveLength(0);
});

test("what was widened narrows back, and NaN stays NaN", () => {
  for (const [widen, narrow, infinity] of [
    [widenFloat16, narrowFloat16, 0x7c00],
    [widenBfloat16, narrowBfloat16, 0x7f80],
  ] as const) {
    const back = narrowed(narrow, widened(widen, all));
    const wrong = all.filter((bits) =>
      (bits & 0x7fff) > infinity ? (back[bits]! & 0x7fff) <= infinity : back[bits] !== bits,
    );
    expect(wrong).toHaveLength(0);
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
  const wrong = values.filter((value, i) => {
    const found = bits[i]! & 0x7fff;
    if (found === 0x7c00) return Math.abs(value) < 65520;
    const x = Math.min(Math.abs(value), 65504);
    const error = Math.abs(half(found) - x);
    const near = [found - 1, found + 1].filter((each) => each >= 0 && each < 0x7c00);
    return near.some((each) => error > Math.abs(half(each) - x));
  });
  expect(wrong).toHaveLength(0);
  const brain = Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 3.4028234663852886e38, -0);
  expect([...narrowed(narrowBfloat16, brain)]).toEqual([0x3f80, 0x3f82, 0x7f80, 0x8000]);
});
