/** Lessons against PyTorch on the same weights and batches, and span corruption's lengths (golden/lessons.py). */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { corruptSpans, spanLengths } from "../src/data/batch/spans.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import { type Tensor, zeros } from "../src/ir/tensor.ts";
import { architectures } from "../src/models/index.ts";
import type { Model } from "../src/models/model.ts";
import type { ParamSpec } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw } from "../src/optim/index.ts";
import { type TaskName, tasks } from "../src/tasks/index.ts";
import type { LessonOptions } from "../src/tasks/task.ts";
import { type Marks, marked, marks } from "../src/tokenizer/bpe/marked.ts";
import { trainBpe } from "../src/tokenizer/index.ts";
import { train } from "../src/train/loop.ts";
import { flatten, mapTree, type Tree } from "../src/util/tree.ts";

interface Case {
  readonly task: TaskName;
  readonly marks: keyof typeof marks;
  readonly config: { readonly model_type: string; readonly vocab_size: number };
  readonly options: Omit<LessonOptions, "model" | "tokenizer">;
  readonly accumulate: number;
  readonly batches: readonly Readonly<Record<string, readonly number[]>>[];
  readonly losses: readonly number[];
}
interface Golden {
  readonly text: string;
  readonly cases: Readonly<Record<string, Case>>;
  readonly lrs: readonly number[];
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly spans: {
    readonly lengths: readonly { context: number; text: number; source: number; target: number }[];
    readonly counts: readonly { length: number; noise: number; spans: number }[];
  };
}

const golden = JSON.parse(readFileSync(new URL("golden/lessons.json", import.meta.url), "utf8")) as Golden;
const { text, lrs, weightDecay, clipNorm } = golden;

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** 0.1 sin(0.37 j + 0.017 j j + 1.3 i), plus 1 for norm weights: i numbers the sorted names, j the elements. */
const sineWeights = (specs: Tree<ParamSpec>): Tree<Tensor> => {
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  return mapTree<ParamSpec, Tensor>(specs, ({ dtype, shape }, path) => {
    const t = zeros({ dtype, shape });
    const [i, one] = [order.indexOf(path), /norm.*weight$/i.test(path) ? 1 : 0];
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.1 * Math.sin(0.37 * j + 0.017 * j * j + 1.3 * i) + one;
    });
    return t;
  });
};

const lessonOf = (given: Case) => {
  const { [given.marks]: own }: Readonly<Record<string, Marks>> = marks;
  const { config, options, task } = given;
  const learned = trainBpe([text], { vocab: config.vocab_size, specialTokens: own!.tokens });
  const tokenizer = marked(learned, own!);
  const arch = architectures[config.model_type]!;
  const parsed = arch.parse(config);
  const weights = sineWeights(arch.params(parsed) as Tree<ParamSpec>);
  const model: Model = { arch, config: parsed, weights, history: [] };
  const tokens = tokenizer.encode(text);
  const lesson = tasks[task].lesson(
    { kind: "text", train: tokens, validation: tokens },
    { ...options, model, tokenizer },
  );
  return { model, lesson };
};

describe.each(Object.entries(golden.cases))("%s", (_, given) => {
  const { accumulate, batches, losses, options } = given;

  test("batches are the golden's", async () => {
    const { lesson } = lessonOf(given);
    const numbers = (feeds: Feeds) =>
      Object.fromEntries(Object.entries(feeds).map(([name, { data }]) => [name, Array.from(data, Number)]));
    for (const [i, batch] of batches.entries()) expect(numbers(await lesson.source(i))).toEqual(batch);
  });

  test("ten steps have PyTorch's losses", async () => {
    const { model, lesson } = lessonOf(given);
    const found: number[] = [];
    await train(engine, model, lesson.source, {
      ...{ objective: lesson.objective, batch: options.batch, context: lesson.context, accumulate, clipNorm },
      ...{ steps: losses.length, seed: 1, optimizer: adamw({ weightDecay }), schedule: (step) => lrs[step]! },
      onRow: ({ loss }) => {
        if (loss !== undefined) found.push(loss);
      },
    });
    expect(found).toHaveLength(losses.length);
    for (const [i, loss] of found.entries()) {
      expect(Math.abs(loss / losses[i]! - 1), `step ${i + 1}`).toBeLessThan(1e-5);
    }
  });
});

describe("span corruption", () => {
  const sentinels = Array.from({ length: 100 }, (_, i) => 1000 + i);

  test("a source's length says those of the text and of the target", () => {
    for (const { context, ...lengths } of golden.spans.lengths) {
      expect({ context, ...spanLengths(context, { sentinels }) }).toEqual({ context, ...lengths });
    }
  });

  test("a text's length says how many tokens and spans are taken out", () => {
    const found = golden.spans.counts.map(({ length }) => {
      const tokens = Array.from({ length }, (_, i) => i);
      const { target } = corruptSpans(tokens, { sentinels }, { seed: 1, example: length });
      const spans = target.filter((id) => id >= 1000);
      expect(spans).toEqual(sentinels.slice(0, spans.length));
      return { length, noise: target.length - spans.length, spans: spans.length };
    });
    expect(found).toEqual(golden.spans.counts);
  });
});
