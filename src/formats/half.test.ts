import { expect, test } from "vitest";
import { fromHalves, HALF_MAX, HALF_MIN_NORMAL, halfBits, halfValue, toHalves } from "./half.ts";

test("every float16 comes back from its number", () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 65536; bits++) {
    const hasNoValue = (bits & 0x7c00) === 0x7c00 && (bits & 1023) !== 0;
    const value = halfValue(bits);
    if (hasNoValue ? !Number.isNaN(value) : halfBits(value) !== bits) wrong.push(bits);
  }
  expect(wrong).toEqual([]);
});

test("a number becomes the nearest float16, of two the even one", () => {
  const wrong: number[] = [];
  for (let bits = 0; bits < 0x7bff; bits++) {
    const [low, high] = [halfValue(bits), halfValue(bits + 1)];
    const middle = (low + high) / 2;
    const step = (high - low) / 1000;
    const good =
      halfBits(middle) === (bits % 2 === 0 ? bits : bits + 1) &&
      halfBits(middle - step) === bits &&
      halfBits(middle + step) === bits + 1 &&
      halfBits(-middle - step) === 0x8000 + bits + 1;
    if (!good) wrong.push(bits);
  }
  expect(wrong).toEqual([]);
});

test("the range ends where the format's does", () => {
  expect(halfValue(0x7bff)).toBe(HALF_MAX);
  expect(halfValue(0x0400)).toBe(HALF_MIN_NORMAL);
  expect(halfBits(65519.99)).toBe(0x7bff);
  expect(halfBits(65520)).toBe(0x7c00);
  expect(halfBits(-1e38)).toBe(0xfc00);
  expect(halfBits(2 ** -25)).toBe(0);
  expect(halfBits(1.001 * 2 ** -25)).toBe(1);
  expect(halfBits(-0)).toBe(0x8000);
  expect(halfBits(Number.NEGATIVE_INFINITY)).toBe(0xfc00);
  expect(halfValue(halfBits(Number.NaN))).toBeNaN();
});

test("an array becomes what each of its numbers does", () => {
  const words = Uint32Array.from({ length: 1 << 17 }, (_, i) => Math.imul(i, 0x8001) >>> 0);
  const values = new Float32Array(words.buffer).filter((x) => !Number.isNaN(x));
  expect(toHalves(values)).toEqual(Uint16Array.from(values, halfBits));
  const edges = Float32Array.of(65519, 65520, 2 ** -14, 2 ** -14 * 0.9999, 1 + 2 ** -11, 1 + 3 * 2 ** -11);
  expect(toHalves(edges)).toEqual(Uint16Array.from(edges, halfBits));
});

test("arrays go both ways", () => {
  const values = Float32Array.of(0, 1, -2.5, 65504, 2 ** -24);
  expect(fromHalves(toHalves(values))).toEqual(values);
});
