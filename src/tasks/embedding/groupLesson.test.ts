/** Records of each shape become lessons: what is read of them, how batches are made, what judges them. */
import { describe, expect, test } from "vitest";
import { taskCases } from "../../../test/cases/tasks.ts";
import type { Fields } from "../../data/records/fields.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { DataError } from "../../util/errors.ts";
import { columnsOf, type Examples, type RecordOptions, type Row, recordDefaults } from "../records.ts";
import type { Lesson } from "../task.ts";
import { groupLesson } from "./groupLesson.ts";
import { fits, kindOfColumns, read } from "./groupRecords.ts";

const { tokenizer, model } = taskCases.embedding;

const rowsOf = (records: readonly Fields[]): Row[] =>
  records.map((fields, i) => ({ id: `file.jsonl:${i + 1}`, fields }));

const examplesOf = async (records: readonly Fields[], options: RecordOptions = recordDefaults) => {
  const rows = rowsOf(records);
  const { examples } = await read(rows, { options }).encode(rows, { tokenizer, context: 32 });
  return examples;
};

const lessonOf = async (
  records: readonly Fields[],
  more: Partial<RecordOptions> = {},
  held = records,
): Promise<Lesson> => {
  const options = { ...recordDefaults, ...more };
  const material: Examples = {
    kind: "examples",
    train: await examplesOf(records, options),
    validation: await examplesOf(held, options),
  };
  const given = { model, tokenizer, batch: 4, context: 32, seed: 1, heldOutTokens: 1000, records: options };
  return groupLesson(material, given);
};

const texts = Array.from({ length: 24 }, (_, i) => `the fox number ${i} runs`);
const pairs = texts.map((anchor, i) => ({ anchor, positive: `a dog of ${i}` }));

describe("columns", () => {
  const kindOf = (record: Fields, more: Partial<RecordOptions> = {}) =>
    kindOfColumns(columnsOf(rowsOf([record])), { ...recordDefaults, ...more });

  test("say what examples are", () => {
    expect(kindOf({ anchor: "a", positive: "b" })).toBe("pairs");
    expect(kindOf({ Query: "a", Answer: "b", id: 3 })).toBe("pairs");
    expect(kindOf({ anchor: "a", positive: "b", negative_1: "c", negative_2: "d" })).toBe("triplets");
    expect(kindOf({ query: "a", positive: "b", negatives: ["c"] })).toBe("triplets");
    expect(kindOf({ sentence1: "a", sentence2: "b", score: 1 })).toBe("scored");
    expect(kindOf({ text: "a", label: "b" })).toBe("classes");
    expect(kindOf({ left: "a", right: "b" })).toBeUndefined();
    expect(kindOf({ left: "a", right: "b" }, { field: "left", pairField: "right" })).toBe("pairs");
    const named = { field: "left", pairField: "right", labelFields: ["near"] };
    expect(kindOf({ left: "a", right: "b", near: 1 }, named)).toBe("scored");
  });

  test("with a label alone suit classes of texts better", () => {
    const of = (record: Fields) => fits(columnsOf(rowsOf([record])), recordDefaults);
    expect(of({ text: "a", label: "b" })).toBeLessThan(of({ sentence1: "a", sentence2: "b", score: 1 }));
    expect(of({ anchor: "a", positive: "b" })).toBe(1);
  });
});

describe("a lesson of pairs", () => {
  test("has the texts of an example behind one another, and tells where there is none", async () => {
    const lesson = await lessonOf(pairs.slice(0, 6));
    const { inputIds, present } = lesson.source(0) as Readonly<Record<string, Tensor>>;
    expect(inputIds!.shape[0]).toBe(8);
    expect(present!.shape).toEqual([4, 2]);
    const last = lesson.heldOut.windows.at(-1)!;
    expect(Array.from(last.present!.data as Float32Array)).toEqual([1, 1, 1, 1, 0, 0, 0, 0]);
    expect(lesson.epoch).toBe(2);
  });

  test("keeps equal texts apart, and counts records that come again", async () => {
    const lesson = await lessonOf([...pairs, pairs[3]!, pairs[3]!]);
    expect(lesson.notes!.join("\n")).toMatch(/2 records are there before/);
    for (let i = 0; i < lesson.epoch!; i++) {
      const { inputIds } = lesson.source(i) as Readonly<Record<string, Tensor>>;
      const width = inputIds!.shape[1] as number;
      const rows = Array.from({ length: 8 }, (_, r) =>
        inputIds!.data.slice(r * width, (r + 1) * width).join(),
      );
      const real = rows.filter((row) => row.split(",").some((id) => Number(id) !== tokenizer.specials.pad));
      expect(new Set(real).size).toBe(real.length);
    }
  });

  test("of texts that are all one is refused", async () => {
    const same = pairs.map(({ positive }) => ({ anchor: "the fox", positive }));
    await expect(lessonOf(same, {}, pairs)).rejects.toThrow(/a text in common, "the fox" \(\d+ of \d+\)/);
  });

  test("is judged by the place at which anchors find their texts", async () => {
    const lesson = await lessonOf(pairs.slice(0, 4));
    const said = (own: (g: number, b: number) => readonly number[]) => {
      const all = Array.from({ length: 8 }, (_, row) => own(row % 2, Math.floor(row / 2))).flat();
      return [{ vectors: tensor("float32", [8, 2], Float32Array.from(all)) }];
    };
    const turn = (b: number) => [Math.cos(b), Math.sin(b)];
    expect(lesson.judge!.figure(said((_, b) => turn(b)))).toBe(1);
    // Where all vectors are one, nothing is found.
    expect(lesson.judge!.figure(said(() => [1, 0]))).toBe(1 / 4);
  });
});

describe("other lessons", () => {
  test("scores and classes are what the loss reads", async () => {
    const scored = texts
      .slice(1)
      .map((text, i) => ({ sentence1: texts[i]!, sentence2: text, score: i / 10 }));
    const feeds = (await lessonOf(scored)).source(0) as Readonly<Record<string, Tensor>>;
    expect(feeds.scores!.shape).toEqual([4]);
    expect((await lessonOf(scored)).judge!.name).toBe("Spearman");
    const classes = texts.map((text, i) => ({ text, label: `kind ${i % 3}` }));
    const own = (await lessonOf(classes)).source(0) as Readonly<Record<string, Tensor>>;
    expect(own.classes!.shape).toEqual([4]);
    expect(new Set(Array.from(own.classes!.data as Int32Array)).size).toBeLessThanOrEqual(2);
  });

  test("triplets may lack some negatives", async () => {
    const triplets = pairs.map((pair, i) => ({ ...pair, negatives: i % 2 ? [`cat ${i}`, `cow ${i}`] : [] }));
    const lesson = await lessonOf(triplets);
    const { present } = lesson.source(0) as Readonly<Record<string, Tensor>>;
    expect(present!.shape).toEqual([4, 4]);
    expect(lesson.objective.name).toBe("in-batch-negatives");
    expect((await lessonOf(triplets, { loss: "triplet-margin" })).objective.name).toBe("triplet-margin");
  });

  test("widths and losses that do not suit are refused", async () => {
    expect((await lessonOf(pairs, { dims: [8] })).objective.name).toBe("in-batch-negatives, 32 and 8 wide");
    await expect(lessonOf(pairs, { dims: [64] })).rejects.toThrow(/64 is no width/);
    await expect(lessonOf(pairs, { loss: "cosent" })).rejects.toThrow(/no loss of pairs/);
  });
});

describe("records that are no examples", () => {
  test.each([
    ["anchor", { anchor: "", positive: "b" }],
    ["positive", { anchor: "a", positive: null }],
    ["score", { sentence1: "a", sentence2: "b", score: "near" }],
    ["score", { sentence1: "a", sentence2: "b", score: Number.NaN }],
    ["label", { text: "a", label: " " }],
  ] as const)("name file, line and the field %s", async (field, record) => {
    try {
      await examplesOf([record]);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(DataError);
      expect((error as DataError).details).toMatchObject({ file: "file.jsonl:1", field });
    }
  });
});
