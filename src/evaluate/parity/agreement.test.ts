import { describe, expect, test } from "vitest";
import { asFloat32, tally } from "./agreement.ts";

const compare = (a: readonly number[], b: readonly number[], width = 2) => {
  const sums = tally();
  sums.rows(Float32Array.from(a), Float32Array.from(b), width);
  return sums.result(1);
};

describe("a tally", () => {
  test("of equal numbers has no difference and the cosine 1", () => {
    const found = compare([1, 2, 3, -4], [1, 2, 3, -4]);
    expect(found).toEqual({
      maxLogitDiff: 0,
      scale: 4,
      cosine: expect.closeTo(1, 12),
      topTokenAgreement: 1,
      rows: 2,
      prompts: 1,
      tokens: 0,
    });
  });

  test("has the largest difference, the angle, and the rows whose largest is elsewhere", () => {
    const found = compare([1, 0, 0, 1], [1, 0, 1, 0]);
    expect(found).toMatchObject({ maxLogitDiff: 1, topTokenAgreement: 0.5, cosine: expect.closeTo(0.5, 12) });
  });

  test("lets no number that is not finite get lost", () => {
    expect(compare([1, 2], [1, Number.NaN])).toMatchObject({ maxLogitDiff: Number.NaN, cosine: Number.NaN });
    const first = compare([1, 2, 3, 4], [Number.NaN, 2, 3, 4]);
    expect(first.maxLogitDiff).toBeNaN();
    expect(compare([1, 2], [1, Number.POSITIVE_INFINITY]).maxLogitDiff).toBe(Number.POSITIVE_INFINITY);
  });

  test("finds another number of numbers infinitely different", () => {
    expect(compare([1, 2, 3, 4], [1, 2]).maxLogitDiff).not.toBeLessThan(1e9);
  });

  test("of sentence vectors has the mean of their cosines, whatever their length", () => {
    const sums = tally();
    sums.vectors(Float32Array.of(1, 0, 0, 2), Float32Array.of(5, 0, 1, 1), 2);
    const found = sums.result(2);
    expect(found.sentenceCosine).toBeCloseTo((1 + Math.SQRT1_2) / 2, 7);
    expect(found).toMatchObject({ maxLogitDiff: 4, cosine: 1, rows: 0 });
    sums.vectors(Float32Array.of(1, 0), Float32Array.of(1), 2);
    expect(sums.result(3).sentenceCosine).toBeNaN();
  });

  test("of labels has the cosine of their shares, so that near 0 little is little", () => {
    const [x, y] = [Float32Array.of(0.1, 0, 2, -2), Float32Array.of(0, 0.1, 2, -2)];
    const found = (labels: boolean) => {
      const sums = tally();
      sums.rows(x.subarray(0, 2), y.subarray(0, 2), 2, { labels });
      return sums.result(1);
    };
    expect(found(false).cosine).toBe(0);
    expect(found(true)).toMatchObject({ topTokenAgreement: 0, maxLogitDiff: x[0] });
    expect(found(true).cosine).toBeCloseTo((2 * 0.475 * 0.525) / (0.475 ** 2 + 0.525 ** 2), 4);
    const far = tally();
    far.rows(x.subarray(2), Float32Array.of(-2, 2), 2, { labels: true });
    expect(far.result(1).cosine).toBeLessThan(0.1);
    const broken = tally();
    broken.rows(x, Float32Array.of(0, Number.NaN, 2, -2), 2, { labels: true });
    expect(broken.result(1).cosine).toBeNaN();
  });

  test("leaves out rows that do not count", () => {
    const sums = tally();
    sums.rows(Float32Array.of(1, 0, 0, 1), Float32Array.of(1, 0, 9, 0), 2, { counts: (row) => row === 0 });
    expect(sums.result(1)).toMatchObject({ maxLogitDiff: 0, topTokenAgreement: 1, scale: 1 });
  });

  test("of features has no likeliest token, beside logits none of theirs", () => {
    const [x, y] = [Float32Array.of(1, 0, 0, 1), Float32Array.of(0, 1, 1, 0)];
    const sums = tally();
    sums.rows(x, y, 2, { logits: false });
    expect(sums.result(1)).toMatchObject({ rows: 0, cosine: 0 });
    expect(sums.result(1)).not.toHaveProperty("topTokenAgreement");
    sums.rows(x, x, 2);
    expect(sums.result(1)).toMatchObject({ rows: 2, topTokenAgreement: 1 });
  });

  test("counts continuations that begin alike, and those that are alike throughout", () => {
    const sums = tally();
    sums.continuation([1, 2, 3], [1, 2, 3]);
    sums.continuation([1, 2, 3], [1, 9, 3]);
    sums.continuation([1, 2, 3], [4, 2, 3]);
    sums.continuation([1, 2, 3], [1, 2]);
    expect(sums.result(4)).toMatchObject({ firstTokenAgreement: 0.75, greedyAgreement: 0.25, tokens: 3 });
  });
});

test("float16 is read from its bits", () => {
  const bits = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000, 0x3555);
  expect([...asFloat32(bits)]).toEqual([
    1,
    -2,
    2 ** -24,
    65504,
    Number.POSITIVE_INFINITY,
    -0,
    0.333251953125,
  ]);
  expect(asFloat32(Uint16Array.of(0x7e00))[0]).toBeNaN();
});
