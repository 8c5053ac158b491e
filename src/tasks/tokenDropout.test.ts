import { expect, test } from "vitest";
import { tensor } from "../ir/tensor.ts";
import { marked, marks } from "../tokenizer/bpe/marked.ts";
import { trainBpe } from "../tokenizer/index.ts";
import { ConfigError } from "../util/errors.ts";
import { recordDefaults } from "./records.ts";
import { tokenDropout } from "./tokenDropout.ts";

const learned = trainBpe(["some words of a text"], { vocab: 280, specialTokens: marks.bert.tokens });
const tokenizer = marked(learned, marks.bert);
const { cls, sep, pad, mask } = tokenizer.specials;
const width = 500;
const text = Array.from({ length: 400 }, (_, i) => 40 + (i % 200));
const row = [cls!, ...text, sep!, ...new Array<number>(width - text.length - 2).fill(pad!)];
const feeds = {
  inputIds: tensor("int32", [1, width], Int32Array.from(row)),
  labels: tensor("int32", [1], Int32Array.of(1)),
};
const at = (rate: number, index: number, seed = 1): number[] => {
  const hide = tokenDropout({ tokenizer, seed, records: { ...recordDefaults, tokenDropout: rate } })!;
  const { inputIds, labels } = hide(feeds, index);
  expect(labels).toBe(feeds.labels);
  return Array.from(inputIds!.data as Int32Array);
};

test("hides a share of a text's tokens, never a special one, by the seed and the batch's number", () => {
  const hidden = at(0.2, 3);
  const changed = hidden.flatMap((id, i) => (id === row[i] ? [] : [[i, id]]));
  expect(changed.every(([i, id]) => i! > 0 && i! <= text.length && id === mask)).toBe(true);
  expect(changed.length).toBeGreaterThan(50);
  expect(changed.length).toBeLessThan(110);
  expect(at(0.2, 3)).toEqual(hidden);
  expect(at(0.2, 4)).not.toEqual(hidden);
  expect(at(0.2, 3, 2)).not.toEqual(hidden);
  expect(Array.from(feeds.inputIds.data as Int32Array)).toEqual(row);
});

test("there is none unless told, and none without a mask token", () => {
  expect(tokenDropout({ tokenizer, seed: 1, records: recordDefaults })).toBeUndefined();
  const plain = trainBpe(["some words of a text"], { vocab: 280 });
  const given = { tokenizer: plain, seed: 1, records: { ...recordDefaults, tokenDropout: 0.1 } };
  expect(() => tokenDropout(given)).toThrow(ConfigError);
});
