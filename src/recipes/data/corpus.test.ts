import { expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { type Corpus, trainingSource } from "./corpus.ts";

test("windows that were packed for another context are refused, even where they divide", () => {
  const tokens = {
    length: 130,
    subarray: (start: number, end: number) => new Uint32Array(end - start),
    pieces: () => ({ starts: [0], used: 65 }),
  };
  const corpus = {
    train: { tokens },
    packed: { tokens, window: 65, documentMask: true },
  } as unknown as Corpus;
  expect(trainingSource(corpus, 2, 64, 1)(0)).toHaveProperty("inputIds");
  expect(() => trainingSource(corpus, 2, 12, 1)).toThrow(ConfigError);
  expect(() => trainingSource(corpus, 2, 12, 1)).toThrow(/"model.n_positions": is 12, .* packed for 64/);
});
