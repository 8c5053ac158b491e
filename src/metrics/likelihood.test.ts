import { expect, test } from "vitest";
import { DataError } from "../util/errors.ts";
import { bitsPerByte, loss, perplexity } from "./likelihood.ts";

const sizes = [
  { tokens: 1, bytes: 3 },
  { tokens: 3, bytes: 13 },
];

test("totals over totals, however texts were cut", () => {
  const nats = [4 * Math.LN2, 0];
  expect(loss.measure(nats, sizes).value).toBeCloseTo(Math.LN2, 12);
  expect(perplexity.measure(nats, sizes).value).toBeCloseTo(2, 12);
  expect(bitsPerByte.measure(nats, sizes).value).toBeCloseTo(4 / 16, 12);
});

test("the interval of the perplexity is that of the loss", () => {
  const nats = Array.from({ length: 30 }, (_, i) => 1 + (i % 7));
  const ones = nats.map(() => ({ tokens: 1, bytes: 4 }));
  const [l, p] = [loss.measure(nats, ones), perplexity.measure(nats, ones)];
  expect(p.value).toBeCloseTo(Math.exp(l.value), 10);
  expect(Math.log(p.low)).toBeCloseTo(l.low, 1);
  expect(Math.log(p.high)).toBeCloseTo(l.high, 1);
});

test("a text without tokens is refused", () => {
  expect(() => loss.measure([1], [{ tokens: 0, bytes: 3 }])).toThrow("text 1 has 0 tokens");
  expect(() => bitsPerByte.measure([1, 1], [sizes[0]!, { tokens: 2, bytes: 0 }])).toThrow(DataError);
});
