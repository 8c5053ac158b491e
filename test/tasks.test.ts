/** Every task: its batches, its objective, what it refuses. */
import { beforeAll, describe, expect, test } from "vitest";
import { distill } from "../src/compress/distillation/distill.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import type { Tensor } from "../src/ir/tensor.ts";
import { exactly } from "../src/metrics/metric.ts";
import type { Model } from "../src/models/model.ts";
import type { Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw } from "../src/optim/index.ts";
import { notesOf } from "../src/recipes/optimize/notes.ts";
import type { BaseParity } from "../src/search/candidates/candidate.ts";
import { optimize } from "../src/search/candidates/optimize.ts";
import { figuresOf, measuredValue } from "../src/search/figures.ts";
import { maskedLanguageModelling, type TaskName, taskOf, tasks } from "../src/tasks/index.ts";
import { meanOf, saidOf, tokenScores } from "../src/tasks/scores.ts";
import type { LessonOptions, Task } from "../src/tasks/task.ts";
import { train } from "../src/train/loop.ts";
import { heldOutLoss } from "../src/train/validate.ts";
import { widthOf, widthOptions } from "../src/train/width.ts";
import { ConfigError, DataError } from "../src/util/errors.ts";
import { mapTree } from "../src/util/tree.ts";
import { forSpans, taskCases } from "./cases/tasks.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const shape = { batch: 4, context: 16, seed: 1, heldOutTokens: 500 };
const passed = { status: "passed" } as const;

const lessonOf = (name: TaskName, more: Partial<LessonOptions> = {}) => {
  const { model, tokenizer, material } = taskCases[name];
  return tasks[name].lesson(material, { model, tokenizer, ...shape, ...more });
};

const numbers = (feeds: Feeds) =>
  Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, Array.from(data, Number)]));

describe.each(Object.keys(tasks) as TaskName[])("%s", (name) => {
  const { model } = taskCases[name];
  const { vocab_size: vocab } = model.config as { vocab_size: number };

  const task: Task = tasks[name];

  test("is the task of a model with its head, or goes on from one that is", () => {
    expect(taskOf(model).heads).toEqual(task.heads);
    expect(tasks[name].criterion.name).not.toBe("");
  });

  test("batches are a function of index and seed alone, of the shapes that the objective reads", async () => {
    const [a, b] = [lessonOf(name), lessonOf(name)];
    const last = numbers(await a.source(7));
    expect(numbers(await b.source(7))).toEqual(last);
    expect(numbers(await a.source(8))).not.toEqual(last);
    expect(numbers(await lessonOf(name, { seed: 2 }).source(7))).not.toEqual(last);
    for (const feeds of [await a.source(0), ...a.heldOut.windows]) {
      const [rows] = feeds.inputIds!.shape;
      const known = (a.widths ?? [a.context]).map((width) => widthOptions(width));
      const own = a.widths === undefined ? { context: feeds.inputIds!.shape[1]! } : widthOf(feeds);
      expect([rows, known]).toEqual([4, expect.arrayContaining([own])]);
      const all = a.objective.inputs({ batch: 4, ...own, vocab });
      // What a teacher says is put in later.
      const inputs = Object.fromEntries(Object.entries(all).filter(([input]) => !/^teacher/.test(input)));
      for (const [input, type] of Object.entries(inputs)) {
        expect([input, feeds[input]?.shape]).toEqual([input, type.shape]);
      }
    }
  });

  test("ids are the vocabulary's, and labels too where they count", async () => {
    const lesson = lessonOf(name);
    let counted = 0;
    for (const feeds of [await lesson.source(3), ...lesson.heldOut.windows]) {
      const { inputIds, labels } = numbers(feeds);
      expect(inputIds!.every((id) => id >= 0 && id < vocab)).toBe(true);
      expect((labels ?? []).every((id) => id === -100 || (id >= 0 && id < vocab))).toBe(true);
      counted += (labels ?? inputIds!).filter((id) => id !== -100).length;
    }
    expect(counted).toBeGreaterThan(0);
  });

  // What is preferred no teacher says.
  test.skipIf(task.prepare)(
    "is taught: what was cut comes nearer to its teacher, by the task's own figure",
    async () => {
      const lesson = lessonOf(name);
      const { criterion } = tasks[name];
      const score = await tasks[name].scorer(engine, lesson.heldOut, model);
      // Whether labels are right says little of a teacher that has learnt nothing: its outputs do.
      const coarse = ["accuracy", "entity F1"].includes(criterion.name);
      const outputsOf = async (of: Model) => {
        const said = await saidOf(engine, of, lesson.heldOut.windows, ({ logits }) => ({ logits }));
        // The same to all classes changes nothing.
        return said.flatMap(({ logits }) => {
          const width = logits!.shape.at(-1)!;
          const rows = Array.from({ length: logits!.data.length / width }, (_, i) =>
            Array.from(logits!.data.subarray(i * width, (i + 1) * width), Number),
          );
          return rows.flatMap((row) => row.map((x) => x - row.reduce((a, b) => a + b, 0) / width));
        });
      };
      const wanted = await outputsOf(model);
      const apart = async (of: Model) =>
        (await outputsOf(of)).reduce((sum, x, i) => sum + Math.abs(x - wanted[i]!), 0) / wanted.length;
      const figure = async (of: Model) =>
        coarse ? apart(of) : criterion.of(await score(of), { bytes: 1, ...lesson.heldOut });
      const context = { engine, seed: 1, log: () => {} };
      const shaken = {
        ...model,
        weights: mapTree<Weight, Weight>(model.weights, (w) => {
          const t = w as Tensor;
          return { ...t, data: (t.data as Float32Array).map((x, i) => x + 0.2 * Math.sin(i * 1.7)) };
        }),
      };
      const teaching = tasks[name].teaching(lesson, { alpha: 1 }, model);
      const taught = await distill({
        ...{ teacher: model, teaching, source: lesson.source },
        train: {
          ...{ batch: 4, context: lesson.context, steps: 80, seed: 1, clipNorm: 1 },
          optimizer: adamw({ weightDecay: 0 }),
          schedule: () => 3e-3,
          ...(coarse ? {} : { validation: lesson.heldOut.windows }),
          ...(lesson.widths === undefined ? {} : { widths: lesson.widths }),
        },
      }).run(shaken, context);
      const [whole, before, after] = [await figure(model), await figure(shaken), await figure(taught)];
      expect(Math.abs(after - whole)).toBeLessThan(0.7 * Math.abs(before - whole));
    },
  );

  test.skipIf(tasks[name].taught)("is learnt: the held-out loss falls", async () => {
    const { objective, source, heldOut, context, widths } = lessonOf(name);
    const before = await heldOutLoss(engine, model, heldOut.windows, objective);
    const trained = await train(engine, model, source, {
      ...{ objective, batch: 4, context, steps: 60, seed: 1, clipNorm: 1 },
      optimizer: adamw({ weightDecay: 0 }),
      schedule: () => 5e-3,
      validation: heldOut.windows,
      ...(widths === undefined ? {} : { widths }),
    });
    expect(trained.valLoss!).toBeLessThan(0.8 * before.loss);
  });
});

describe("masked language modelling", () => {
  test("every row asks for the same number of tokens, and its places are theirs", async () => {
    const { labels, places } = numbers(await lessonOf("masked-lm").source(5));
    const asked = (b: number): number[] =>
      labels!.slice(b * 16, (b + 1) * 16).flatMap((label, i) => (label === -100 ? [] : [i]));
    for (let b = 0; b < 4; b++) expect(asked(b)).toEqual(places!.slice(2 * b, 2 * b + 2));
    expect(places).toHaveLength(4 * Math.round(0.15 * 14));
  });

  test("a head that reads the labelled tokens alone says the same loss as one that reads all", async () => {
    const { model } = taskCases["masked-lm"];
    const { objective, heldOut } = lessonOf("masked-lm", { wholeWords: true });
    const some = await heldOutLoss(engine, model, heldOut.windows, objective);
    const all = await heldOutLoss(
      engine,
      model,
      heldOut.windows,
      maskedLanguageModelling({ tokenTypes: true }),
    );
    expect(some.tokens).toBe(all.tokens);
    expect(some.loss).toBeCloseTo(all.loss, 5);
  });

  test("stands a text between its marks, and asks for 15 % of it or so", async () => {
    const { tokenizer } = taskCases["masked-lm"];
    const { cls, sep, mask } = tokenizer.specials;
    const lesson = lessonOf("masked-lm");
    let [asked, hidden, all] = [0, 0, 0];
    for (let i = 0; i < 50; i++) {
      const { inputIds, labels } = numbers(await lesson.source(i));
      for (let b = 0; b < 4; b++) {
        expect([inputIds![b * 16], inputIds![b * 16 + 15]]).toEqual([cls, sep]);
      }
      asked += labels!.filter((id) => id !== -100).length;
      hidden += inputIds!.filter((id) => id === mask).length;
      all += 4 * 14;
    }
    expect(asked / all).toBeGreaterThan(0.12);
    expect(asked / all).toBeLessThan(0.18);
    expect(hidden / asked).toBeGreaterThan(0.7);
    expect(hidden / asked).toBeLessThan(0.9);
  });

  test("whole words are masked whole", async () => {
    const { tokenizer } = taskCases["masked-lm"];
    const lesson = lessonOf("masked-lm", { wholeWords: true });
    const goesOn = (id: number): boolean => /^\p{L}/u.test(new TextDecoder().decode(tokenizer.bytesOf(id)));
    let inside = 0;
    for (let i = 0; i < 30; i++) {
      const { inputIds, labels } = numbers(await lesson.source(i));
      for (let at = 1; at < inputIds!.length; at++) {
        const original = (k: number): number => (labels![k] === -100 ? inputIds![k]! : labels![k]!);
        if (at % 16 <= 1 || at % 16 === 15 || !goesOn(original(at))) continue;
        inside++;
        expect(labels![at] === -100).toBe(labels![at - 1] === -100);
      }
    }
    expect(inside).toBeGreaterThan(20);
  });
});

test("text of an encoder-decoder has its spans behind sentinels: source and target make the text", async () => {
  const tokens = forSpans.encode("the quick brown fox jumps over the lazy dog. ".repeat(30));
  const lesson = lessonOf("seq2seq-lm", {});
  expect(lesson.context).toBeGreaterThan(0);
  const { model } = taskCases["seq2seq-lm"];
  const spans = tasks["seq2seq-lm"].lesson(
    { kind: "text", train: tokens, validation: tokens },
    { model, tokenizer: forSpans, batch: 2, context: 24, seed: 1, heldOutTokens: 200 },
  );
  const { inputIds, labels } = numbers(await spans.source(0));
  const first = forSpans.idOf("<extra_id_0>")!;
  const isSentinel = (id: number): boolean => id >= first && id < first + 100;
  for (let b = 0; b < 2; b++) {
    const source = inputIds!.slice(b * spans.context, (b + 1) * spans.context);
    const width = labels!.length / 2;
    const target = labels!.slice(b * width, (b + 1) * width).filter((id) => id !== -100);
    expect(source.filter(isSentinel)).toEqual(target.filter(isSentinel));
    expect(source.filter((id) => id === forSpans.eos)).toHaveLength(1);
    // Each sentinel stands for what follows it in the target.
    const pieces = new Map<number, number[]>();
    for (const id of target) {
      if (isSentinel(id)) pieces.set(id, []);
      else if (id !== forSpans.eos) [...pieces.values()].at(-1)!.push(id);
    }
    const whole = source
      .slice(0, source.indexOf(forSpans.eos))
      .flatMap((id) => (isSentinel(id) ? pieces.get(id)! : [id]));
    const text = Array.from(tokens).join(" ");
    expect(text).toContain(whole.join(" "));
  }
});

describe("refused are", () => {
  test("pairs for a task that reads text", () => {
    const { model, tokenizer } = taskCases["masked-lm"];
    const { material } = taskCases["seq2seq-lm"];
    const options = { model, tokenizer, batch: 4, context: 16, seed: 1, heldOutTokens: 500 };
    expect(() => tasks["masked-lm"].lesson(material, options)).toThrow(ConfigError);
  });

  test("a tokenizer without a mask, by the token's name", () => {
    const { tokenizer } = taskCases["causal-lm"];
    expect(() => lessonOf("masked-lm", { tokenizer })).toThrow(/"mask_token".*names no mask token/);
  });

  test("text without sentinels for an encoder-decoder", () => {
    const { model, tokenizer, material } = { ...taskCases["seq2seq-lm"], ...taskCases["causal-lm"] };
    const options = { model, tokenizer, batch: 4, context: 16, seed: 1, heldOutTokens: 500 };
    expect(() => tasks["seq2seq-lm"].lesson(material, options)).toThrow(/no <extra_id_0>/);
  });

  test("held-out text that is too short", () => {
    const { model } = taskCases["seq2seq-lm"];
    const tokens = Uint32Array.from({ length: 200 }, (_, i) => 110 + (i % 40));
    const options = { model, tokenizer: forSpans, batch: 2, context: 24, seed: 1, heldOutTokens: 500 };
    const material = { kind: "text", train: tokens, validation: tokens.subarray(0, 5) } as const;
    expect(() => tasks["seq2seq-lm"].lesson(material, options)).toThrow(DataError);
  });
});

test("a task of one's own is a literal: what is compared by it needs nothing else", async () => {
  const { model, tokenizer, material } = taskCases["causal-lm"];
  // Of each text the last half counts.
  const late: Task = {
    ...tasks["causal-lm"],
    name: "late-lm",
    criterion: { ...tasks["causal-lm"].criterion, name: "late nats", of: meanOf },
    scorer: async (own, heldOut) => async (of) => {
      const scores = await tokenScores(own, of, heldOut);
      return scores.filter((_, i) => i % 16 >= 8);
    },
  };
  const lesson = late.lesson(material, { model, tokenizer, ...shape });
  const figures = figuresOf({ task: late, does: "generates", targets: ["node-cpu"] });
  const few = { batch: 4, steps: 2, optimizer: adamw({}), schedule: () => 1e-3 };
  const optimized = await optimize(
    model,
    {
      ...{ task: late, lesson, budget: [{ figure: "lateNats", most: 9 }], figures },
      teaching: () => ({ ...few, context: lesson.context }),
      probe: async () => ({ figures: { sizeBytes: exactly(1), "node-cpu/p50Ms": exactly(1) } }),
      judge: async () => Object.fromEntries(["fp32", "q8", "q4"].map((d) => [d, passed])) as BaseParity,
    },
    { engine, seed: 1, log: () => {} },
  );
  expect(optimized.task.name).toBe("late-lm");
  const [whole] = optimized.candidates;
  expect(measuredValue(whole!, "lateNats")).toBeCloseTo(
    meanOf(await (await late.scorer(engine, lesson.heldOut, model))(model)),
    6,
  );
  expect(notesOf(optimized).join(" ")).toContain("nats per token");
});
