import { expect, test } from "vitest";
import { promptsOf } from "./judge.ts";

const EOS = 0;

/** Held-out documents of these lengths, whose tokens count up. */
const heldOut = (...lengths: number[]) => {
  let next = 1;
  const validation = Int32Array.from(
    lengths.flatMap((length, i) => [...(i > 0 ? [EOS] : []), ...Array.from({ length }, () => next++)]),
  );
  return {
    material: { kind: "text", train: validation, validation },
    tokenizer: { eos: EOS },
  } as unknown as Parameters<typeof promptsOf>[0];
};

test("prompts are the starts of held-out texts", () => {
  expect(promptsOf(heldOut(20, 20, 20), 2, 4)).toEqual([
    [1, 2, 3, 4],
    [21, 22, 23, 24],
  ]);
});

test("few texts give passages all along them, each once", () => {
  const prompts = promptsOf(heldOut(60, 40), 6, 8);
  expect(prompts.map(([first]) => first)).toEqual([1, 61, 19, 38, 56, 74]);
  expect(prompts.every(({ length }) => length === 8)).toBe(true);
  expect(promptsOf(heldOut(9), 10, 8)).toEqual([[1, 2, 3, 4, 5, 6, 7, 8]]);
});

test("less text than a prompt is one prompt", () => {
  expect(promptsOf(heldOut(5), 10, 8)).toEqual([[1, 2, 3, 4, 5]]);
});
