/** Instructions, chats and preferences: from records to a model that learnt them. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import type { Tensor } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import type { Model } from "../src/models/model.ts";
import { initialize } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw } from "../src/optim/index.ts";
import { tasks } from "../src/tasks/index.ts";
import { sft } from "../src/tasks/instruct/sft.ts";
import { type Examples, type RecordOptions, type Row, recordDefaults } from "../src/tasks/records.ts";
import type { Lesson, Task } from "../src/tasks/task.ts";
import { renderer } from "../src/template/render.ts";
import { type ChatWriter, supervised } from "../src/template/supervised.ts";
import { trainBpe } from "../src/tokenizer/index.ts";
import type { Snapshot } from "../src/train/checkpoint.ts";
import { type TrainHooks, type TrainOptions, train } from "../src/train/loop.ts";
import { heldOutLoss } from "../src/train/validate.ts";
import { DataError } from "../src/util/errors.ts";
import { entries, type Tree } from "../src/util/tree.ts";

const colours = { sky: "blue", grass: "green", snow: "white", coal: "black", blood: "red", sun: "yellow" };
const things = Object.entries(colours);
const asks = (i: number) => `what colour is the ${things[i % 6]![0]}? (${i})`;
const says = (i: number) => `it is ${things[i % 6]![1]}.`;

const tokenizer = trainBpe([Array.from({ length: 60 }, (_, i) => `${asks(i)} ${says(i)}`).join("\n")], {
  vocab: 320,
  specialTokens: ["<|im_start|>", "<|im_end|>"],
});

const chatml =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
const render = renderer(chatml.replaceAll("\n{%", "{{ '\\n' }}{%").replaceAll("\n{{ m", "{{ '\\n' ~ m"));
const writer: ChatWriter = async (chats) =>
  chats.map(({ messages, wanted }) =>
    supervised(
      (some, prompt) => render({ messages: some, add_generation_prompt: prompt }, { now: new Date(0) }),
      messages,
      { wanted, specials: ["<|im_end|>", "<|im_start|>"] },
    ),
  );

const fresh = (): Model => {
  const config = gpt2Config({
    ...{ vocab_size: tokenizer.vocabSize, n_positions: 64, n_embd: 32, n_layer: 1, n_head: 2 },
  });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
};

const rowsOf = (count: number, fields: (i: number) => Row["fields"]): Row[] =>
  Array.from({ length: count }, (_, i) => ({ id: `rows.jsonl:${i + 1}`, fields: fields(i) }));

const chats = rowsOf(48, (i) => ({
  messages: [
    { role: "user", content: asks(i) },
    { role: "assistant", content: says(i) },
  ],
}));
const preferences = rowsOf(48, (i) => ({
  ...{ prompt: asks(i), chosen: says(i), rejected: `the ${things[i % 6]![0]} has no colour (${i})` },
}));
const judgements = rowsOf(48, (i) => ({
  ...{ prompt: asks(i), completion: i % 2 === 0 ? says(i) : `no colour (${i})`, label: i % 2 === 0 },
}));

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const encoded = async (task: Task, rows: Row[], options: Partial<RecordOptions> = {}): Promise<Examples> => {
  const all = { ...recordDefaults, ...options };
  const reading = task.records!.read(rows, { options: all });
  const { examples } = await reading.encode(rows, { tokenizer, context: 64, writer, ownTemplate: true });
  return { kind: "examples", train: examples.slice(8), validation: examples.slice(0, 8) };
};

const how = (model: Model, records = recordDefaults) => ({
  ...{ model, tokenizer, batch: 8, context: 64, seed: 1, heldOutTokens: 1e6, records },
});

const lessonOf = async (task: Task, rows: Row[], model: Model): Promise<Lesson> => {
  const material = await encoded(task, rows);
  return task.lesson((await task.prepare?.(engine, model, material, how(model))) ?? material, how(model));
};

const tuned = (model: Model, lesson: Lesson, more: Partial<TrainOptions & TrainHooks>) =>
  train(engine, model, lesson.source, {
    ...{ batch: 8, context: lesson.context, widths: lesson.widths!, optimizer: adamw(), seed: 1 },
    ...{ steps: 30, schedule: () => 3e-3, objective: lesson.objective, validation: lesson.heldOut.windows },
    ...more,
  });

const bytes = (model: Model) =>
  Array.from(entries<Tensor>(model.weights as Tree<Tensor>), ([path, { data }]) => [
    path,
    Array.from(data, Number),
  ]);

const numbers = (feeds: Feeds) =>
  Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, Array.from(data, Number)]));

const cases = [
  ["sft", sft, chats],
  ["dpo", tasks.dpo, preferences],
  ["kto", tasks.kto, judgements],
] as const;

describe.each(cases)("%s", (name, task, rows) => {
  test("is found by the columns", () => {
    const columns = Object.keys(rows[0]!.fields).map((column) => ({ name: column, values: [] }));
    const fits = cases.map(([, each]) => each.records!.fits(columns, recordDefaults));
    expect(cases[fits.indexOf(Math.max(...fits))]![0]).toBe(name);
  });

  test("batches are a function of index and seed alone, of the shapes that the objective reads", async () => {
    const model = fresh();
    const [a, b] = [await lessonOf(task, rows, model), await lessonOf(task, rows, model)];
    const batch = await a.source(7);
    expect(numbers(await b.source(7))).toEqual(numbers(batch));
    expect(numbers(await a.source(8))).not.toEqual(numbers(batch));
    const [size, context] = batch.inputIds!.shape as [number, number];
    expect(size).toBe(8);
    for (const [input, type] of Object.entries(a.objective.inputs({ batch: 8, context, vocab: 320 }))) {
      expect([input, batch[input]?.shape]).toEqual([input, type.shape]);
    }
  });

  test("learns; a run that goes on from its checkpoint has the same bits", async () => {
    const model = fresh();
    const lesson = await lessonOf(task, rows, model);
    const first = (await heldOutLoss(engine, model, lesson.heldOut.windows, lesson.objective)).loss;
    const kept: Snapshot[] = [];
    const save = async ({ state, ...rest }: Snapshot) => {
      const copied = Array.from(
        state,
        ([path, t]) => [path, { ...t, data: t.data.slice() } as Tensor] as const,
      );
      kept.push({ ...rest, state: new Map(copied) });
    };
    const load = async () => kept[0]!;
    const whole = await tuned(model, lesson, { checkpoints: { save, load }, checkpointEvery: 13 });
    expect(whole.valLoss!).toBeLessThan(first - 0.05);
    expect(kept[0]!.step).toBe(13);
    // As after a kill: nothing is left but the file.
    const again = await lessonOf(task, rows, fresh());
    const resumed = await tuned(fresh(), again, {
      checkpoints: { save: async () => {}, load },
      resume: true,
    });
    expect(bytes(resumed.model)).toEqual(bytes(whole.model));
  });
});

test("DPO raises the margin of held-out pairs and keeps what was learnt before within 0.1", async () => {
  const { model } = await tuned(fresh(), await lessonOf(sft, chats, fresh()), { steps: 60 });
  const answers = await lessonOf(sft, chats, model);
  const lesson = await lessonOf(tasks.dpo, preferences, model);
  const margins = await tasks.dpo.scorer(engine, lesson.heldOut, model);
  const lossOf = async (m: Model) =>
    (await heldOutLoss(engine, m, answers.heldOut.windows, answers.objective)).loss;
  const mean = (all: Float32Array) => all.reduce((a, b) => a + b, 0) / all.length;
  const before = { margin: mean(await margins(model)), loss: await lossOf(model) };
  const result = await tuned(model, lesson, { steps: 40, schedule: () => 3e-4 });
  const after = { margin: mean(await margins(result.model)), loss: await lossOf(result.model) };
  // The untouched model has not left itself.
  expect(Math.abs(before.margin)).toBeLessThan(1e-3);
  expect(after.margin).toBeGreaterThan(1);
  expect(after.loss).toBeLessThan(before.loss + 0.1);
});

describe("what cannot be learnt is named", () => {
  const broken: Row = { id: "rows.jsonl:99", fields: { messages: [{ role: "user", content: "a" }] } };

  test("by its row, or left out and counted", async () => {
    await expect(encoded(sft, [...chats, broken])).rejects.toThrow(/rows.jsonl:99.*assistant says nothing/);
    const reading = sft.records!.read(chats, { options: recordDefaults });
    const bad: DataError[] = [];
    const onBad = (error: DataError) => void bad.push(error);
    const made = await reading.encode([...chats, broken], { tokenizer, context: 64, writer, onBad });
    expect([made.examples.length, made.rows.length, bad.length]).toEqual([48, 48, 1]);
  });

  test("chats without a template, answers of one kind, an odd batch, no reference", async () => {
    const reading = sft.records!.read(chats, { options: recordDefaults });
    await expect(async () => reading.encode(chats, { tokenizer, context: 64 })).rejects.toThrow(
      /chat_template/,
    );
    const good = judgements.filter(({ fields }) => fields.label === true);
    expect(() => tasks.kto.records!.read(good, { options: recordDefaults })).toThrow(/all answers are good/);
    const material = await encoded(tasks.dpo, preferences);
    expect(() => tasks.dpo.lesson(material, { ...how(fresh()), batch: 3 })).toThrow(/3 is odd/);
    expect(() => tasks.dpo.lesson(material, how(fresh()))).toThrow(DataError);
  });

  test("the first example is shown with what is learnt of it between brackets", async () => {
    const reading = sft.records!.read(chats, { options: recordDefaults });
    const [row] = chats;
    const { examples } = await reading.encode([row!], { tokenizer, context: 64, writer });
    expect(reading.show(row!, examples[0]!, tokenizer)).toBe(
      `<|im_start|>user\\n${asks(0)}<|im_end|>\\n<|im_start|>assistant\\n[[${says(0)}<|im_end|>]]`,
    );
    const whole = sft.records!.read(chats, { options: { ...recordDefaults, turns: "text" } });
    const text = await whole.encode([row!], { tokenizer, context: 64, writer });
    expect(whole.show(row!, text.examples[0]!, tokenizer)).toMatch(/^<\|im_start\|>\[\[user/);
  });
});
