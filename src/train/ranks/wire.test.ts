import { expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { codecs, wires } from "./wire.ts";

/** What comes out of a wire, written between other numbers. */
const through = (wire: (typeof wires)[number], values: Float32Array): Float32Array => {
  const { pack, unpack, sizeOf } = codecs[wire];
  const bits = pack(values);
  expect(bits).toHaveLength(sizeOf(values.length));
  const room = new Float32Array(bits.length + 3);
  new Uint32Array(room.buffer).set(new Uint32Array(bits.buffer, bits.byteOffset, bits.length), 2);
  const out = new Float32Array(values.length);
  unpack(room.subarray(2, 2 + bits.length), out);
  return out;
};

const errors = { float32: 0, float16: 2 ** -11, int8: 0.5 / 127 };

test("each wire is as exact as its bits, at any size and any magnitude", () => {
  const r = rng(1, "wire");
  for (const size of [0, 1, 255, 256, 257, 1001]) {
    for (const magnitude of [1e-30, 1e-9, 1, 1e9]) {
      const values = Float32Array.from({ length: size }, () => (r.uniform() - 0.5) * magnitude);
      for (const wire of wires) {
        const out = through(wire, values);
        for (const [i, value] of values.entries()) {
          expect(Math.abs(out[i]! - value) / magnitude).toBeLessThanOrEqual(errors[wire] * 0.5 + 1e-9);
        }
      }
    }
  }
});

test("a block with a number that is not finite has none that is, and other blocks stay", () => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const wire of ["float16", "int8"] as const) {
      const values = new Float32Array(600).fill(2);
      values[300] = bad;
      const out = through(wire, values);
      expect(out[0]).toBe(2);
      expect(out[599]).toBe(2);
      expect(out[300]).toBeNaN();
      expect(out[256]).toBeNaN();
    }
  }
});

test("bits that travel: a half and a quarter of float32, and a factor for each 256", () => {
  expect(codecs.float16.sizeOf(1024)).toBe(512 + 4);
  expect(codecs.int8.sizeOf(1024)).toBe(256 + 4);
});
