import { expect, test } from "vitest";
import golden from "../../../../test/golden/linear.json" with { type: "json" };
import { bert, bertConfig } from "../../../models/encoders/bert.ts";
import type { Model } from "../../../models/model.ts";
import { initialize, tensorsOf } from "../../../nn/param.ts";
import { marked, marks } from "../../../tokenizer/bpe/marked.ts";
import { trainBpe } from "../../../tokenizer/index.ts";
import { ConfigError } from "../../../util/errors.ts";
import { recordDefaults } from "../../records.ts";
import { begun, linearlyTaughtIf } from "./asked.ts";
import { linearTexts } from "./linearTexts.ts";

const { two, three, unseen } = golden;

test.each([
  ["two labels", two, 2],
  ["three labels", three, 3],
] as const)("log-odds of unseen texts equal scikit-learn's: %s", (_, { texts, labels, odds }, classes) => {
  const linear = linearTexts(texts, labels, classes);
  unseen.forEach((text, i) => {
    const said = linear.score(text);
    expect(said).toHaveLength(odds.length);
    said.forEach((value, k) => {
      expect(value).toBeCloseTo(odds[k]![i]!, 2);
    });
  });
});

const learnt = trainBpe(two.texts, { vocab: 330, specialTokens: marks.bert.tokens });
const tokenizer = marked(learnt, marks.bert);
const train = two.texts.map((text, i) => {
  const { ids } = tokenizer.encodeInputs(text, {});
  return { length: ids.length, parts: { ids, labels: [two.labels[i]!] }, unit: i };
});
const config = bertConfig({
  ...{ architectures: ["BertForSequenceClassification"], vocab_size: tokenizer.vocabSize, hidden_size: 16 },
  ...{ num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32, max_position_embeddings: 32 },
  ...{ id2label: { 0: "bad", 1: "good" }, label2id: { bad: 0, good: 1 } },
});
const model = { arch: bert, config, weights: initialize(bert.params(config), 1), history: [] };
const examples = { kind: "examples", train, validation: [] } as const;
const asked = { tokenizer, seed: 3, records: { ...recordDefaults, linearStart: true } };

test("embeddings begin along one direction with what the linear model says of each token", () => {
  const path = "bert.embeddings.word_embeddings.weight";
  const table = (of: Model["weights"]) => new Map(tensorsOf(of)).get(path)!.data as Float32Array;
  const [before, after] = [table(model.weights), table(begun(model, examples, asked).weights)];
  const moved = (id: number): number[] =>
    Array.from({ length: 16 }, (_, c) => after[id * 16 + c]! - before[id * 16 + c]!);
  const idOf = (text: string): number => tokenizer.encode(text)[0]!;
  const [warm, dull] = [moved(idOf(" warm")), moved(idOf(" dull"))];
  const dot = (a: number[], b: number[]): number => a.reduce((sum, x, c) => sum + x * b[c]!, 0);
  expect(dot(warm, dull) / Math.sqrt(dot(warm, warm) * dot(dull, dull))).toBeCloseTo(-1, 3);
  expect(moved(tokenizer.specials.mask!)).toEqual(new Array<number>(16).fill(0));
  expect(table(begun(model, examples, asked).weights)).toEqual(after);
  expect(begun(model, examples, { ...asked, records: recordDefaults })).toBe(model);
});

test("several labels at once are refused by name", () => {
  const several = { ...model, config: { ...config, problem_type: "multi_label_classification" as const } };
  expect(() => begun(several, examples, asked)).toThrow(ConfigError);
});

test("made-up texts stand behind the labelled ones, with what the linear model says of them", () => {
  const how = { tokenizer, seed: 3, context: 12, records: { ...recordDefaults, linearTeacher: 3 } };
  const { train: taught } = linearlyTaughtIf(examples, model, how);
  expect(taught).toHaveLength(4 * train.length);
  expect(linearlyTaughtIf(examples, model, how).train).toEqual(taught);
  train.forEach(({ parts }, i) => {
    const { teacher, ids } = taught[i]!.parts;
    expect(ids).toEqual(parts.ids);
    expect(teacher![parts.labels[0]!]! - teacher![1 - parts.labels[0]!]!).toBeGreaterThan(10);
  });
  const known = linearTexts(two.texts, two.labels, 2);
  const words = new Set(two.texts.flatMap((text) => text.split(" ")));
  for (const { parts, length } of taught.slice(train.length)) {
    expect(length).toBeLessThanOrEqual(12);
    const [no, yes] = Array.from(parts.teacher!);
    expect(parts.labels![0]).toBe(Number(yes! > no!));
    if (length === 12) continue;
    const text = tokenizer.decode(Uint32Array.from(parts.ids!));
    expect(yes! - no!).toBeCloseTo(known.score(text)[0]!, 5);
    expect(text.split(" ").every((word) => words.has(word))).toBe(true);
  }
});

test("made-up texts do not go with pairs or with weighted classes", () => {
  const [first] = train as [(typeof train)[0]];
  const pair = { ...first, parts: { ...first.parts, types: [0, 1] } };
  const how = { tokenizer, seed: 3, context: 12, records: { ...recordDefaults, linearTeacher: 3 } };
  const weighted = { ...how, records: { ...how.records, classWeights: "balanced" as const } };
  expect(() => linearlyTaughtIf({ ...examples, train: [pair] }, model, how)).toThrow(/are pairs/);
  expect(() => linearlyTaughtIf(examples, model, weighted)).toThrow(/targets of its own/);
});
