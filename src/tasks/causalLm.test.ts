import { expect, test } from "vitest";
import { ConfigError } from "../util/errors.ts";
import { windowSource } from "./causalLm.ts";

test("windows that were packed for another context are refused, even where they divide", () => {
  const tokens = {
    length: 130,
    subarray: (start: number, end: number) => new Uint32Array(end - start),
    pieces: () => ({ starts: [0], used: 65 }),
  };
  const text = { train: tokens, packed: { tokens, window: 65, documentMask: true } };
  const source = (context: number) => windowSource(text, { batch: 2, context, seed: 1 });
  expect(source(64)(0)).toHaveProperty("inputIds");
  expect(() => source(12)).toThrow(ConfigError);
  expect(() => source(12)).toThrow(/"model.n_positions": is 12, .* packed for 64/);
});
