import { describe, expect, test } from "vitest";
import { IGNORE } from "../../nn/loss.ts";
import { charTokenizer, trainBpe } from "../../tokenizer/index.ts";
import { DataError } from "../../util/errors.ts";
import { labelled, shownTokens } from "./encode.ts";
import { completionTokens, learntTokens } from "./tokens.ts";

const text = "<u>what is it\n\n<a>it is a fox é\n\n";
const bpe = trainBpe([text.repeat(20)], { vocab: 300 });
const char = charTokenizer([text]);

describe.each([
  ["bpe", bpe],
  ["char", char],
] as const)("%s", (_, tokenizer) => {
  test("the tokens of a span are learnt, and no others", () => {
    const start = text.indexOf("it is a fox");
    const { ids, learnt } = learntTokens(tokenizer, text, [{ start, end: text.length - 2 }]);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.decode(ids.filter((__, t) => learnt[t] === 1))).toBe("it is a fox é");
  });

  test("a completion ends with the token that ends texts", () => {
    const { ids, learnt } = completionTokens(tokenizer, "what is ", "it");
    expect(ids.at(-1)).toBe(tokenizer.eos);
    expect(learnt.at(-1)).toBe(1);
    expect(tokenizer.decode(ids.filter((__, t) => learnt[t] === 1))).toBe("it");
  });
});

test("a token that reaches over the beginning of a span is taken apart, as at the end of a prompt", () => {
  expect(bpe.encode("what").length).toBe(1);
  const { ids, learnt } = learntTokens(bpe, "what", [{ start: 2, end: 4 }]);
  expect(bpe.decode(ids)).toBe("what");
  expect(bpe.decode(ids.filter((_, t) => learnt[t] === 1))).toBe("at");
});

describe("labels", () => {
  const row = { id: "f:1", fields: {} };
  const made = { ids: [5, 6, 7, 8, 9], learnt: [0, 0, 1, 1, 0] };
  const how = { context: 10, tooLong: "truncate" } as const;

  test("each says what comes next; what stands behind the last is left out", () => {
    const { ids, labels, cut } = labelled(made, row, how);
    expect([Array.from(ids), Array.from(labels), cut]).toEqual([[5, 6, 7], [IGNORE, 7, 8], false]);
  });

  test("too long: cut and told, or refused, or nothing is left to learn", () => {
    expect(labelled(made, row, { ...how, context: 2 })).toMatchObject({ cut: true });
    expect(() => labelled(made, row, { context: 2, tooLong: "refuse" })).toThrow(/f:1: has 3 tokens/);
    expect(() => labelled(made, row, { ...how, context: 1 })).toThrow(/f:1: the first 1 of its 3 tokens/);
    expect(() => labelled({ ids: [1, 2], learnt: [0, 0] }, row, how)).toThrow(
      /f:1: no token of it is learnt/,
    );
    expect(() => labelled(new DataError("refuses"), row, how)).toThrow(/f:1: refuses/);
  });

  test("are shown between brackets", () => {
    const start = text.indexOf("it is a");
    const tokens = learntTokens(char, text, [{ start, end: text.length - 2 }]);
    expect(shownTokens(labelled(tokens, row, { ...how, context: 100 }), char)).toBe(
      "<u>what is it\\n\\n<a>[[it is a fox é]]",
    );
  });
});
