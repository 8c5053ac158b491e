import { describe, expect, test } from "vitest";
import type { Tensor } from "../../ir/tensor.ts";
import { bert, bertConfig } from "../../models/encoders/bert.ts";
import { marked, marks } from "../../tokenizer/bpe/marked.ts";
import { trainBpe } from "../../tokenizer/index.ts";
import type { LessonOptions } from "../task.ts";
import { sentencesBy } from "./sentences.ts";
import { textLesson } from "./texts.ts";

const lines = [
  "The fox runs. A dog sleeps!",
  "Where is it?",
  "no end here",
  'He said: "Go on." 3.5 and more',
];
const tokenizer = marked(trainBpe(lines, { vocab: 300, specialTokens: marks.bert.tokens }), marks.bert);
const written = (ids: ArrayLike<number>): string => tokenizer.decode(Array.from(ids));

describe("sentences", () => {
  const cut = sentencesBy(tokenizer);
  const cutText = (ids: readonly number[], begins: boolean, ends: boolean) =>
    cut({ ids, begins, ends }).map(({ start, end }) => written(ids.slice(start, end)));
  const found = (text: string, begins = true, ends = true) =>
    cutText(Array.from(tokenizer.encode(text)), begins, ends);

  test("end at their marks and at lines, and have no line end", () => {
    expect(found(lines.join("\n\n"))).toEqual([
      "The fox runs.",
      " A dog sleeps!",
      "Where is it?",
      "no end here",
      'He said: "Go on."',
      " 3.5 and more",
    ]);
  });

  test("of which an end is not seen are left out", () => {
    expect(found("fox runs. A dog sleeps! Where is", false, false)).toEqual([" A dog sleeps!"]);
    expect(found("no end here", false, true)).toEqual([]);
    expect(found("")).toEqual([]);
  });
});

test("batches are of sentences, in narrow rows, and of longer texts in turns", () => {
  const config = bertConfig({
    ...{ vocab_size: tokenizer.vocabSize, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2 },
    ...{ intermediate_size: 32, max_position_embeddings: 64, pad_token_id: tokenizer.specials.pad! },
  });
  const model: LessonOptions["model"] = { arch: bert, config };
  const text = Array.from({ length: 40 }, () => `${lines[0]} ${lines[1]} Some more words stand here.`).join(
    "\n",
  );
  const ids = Uint32Array.from(tokenizer.encode(text));
  const material = { kind: "text" as const, train: ids, validation: ids };
  const options = { model, tokenizer, batch: 4, context: 64, seed: 1, heldOutTokens: 1024 };
  const lesson = textLesson(material, options);
  expect(lesson.widths).toEqual([32, 64]);
  const rows = (index: number): string[] => {
    const { inputIds, attentionMask } = lesson.source(index) as Readonly<Record<string, Tensor>>;
    const [count, width] = inputIds!.shape as [number, number];
    expect([count, width]).toEqual([4, index % 3 === 0 ? 64 : 32]);
    return Array.from({ length: count }, (_, i) => {
      const own = inputIds!.data.slice(i * width, (i + 1) * width);
      const long = attentionMask!.data.slice(i * width, (i + 1) * width).indexOf(0 as never);
      return written((long < 0 ? own : own.slice(0, long)).slice(1, -1) as Int32Array);
    });
  };
  for (const row of rows(1)) {
    expect(row.trim()).toMatch(/^(The fox runs\.|A dog sleeps!|Where is it\?|Some more words stand here\.)$/);
  }
  for (const row of rows(0)) expect(row.trim()).toMatch(/^(The fox|A dog|Where is|Some more)/);
  expect(rows(0).some((row) => (row.match(/[.!?]/g) ?? []).length > 1)).toBe(true);
  expect(rows(1)).toEqual(rows(1));
});
