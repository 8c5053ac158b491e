/**
 * A run that is stopped after a step and goes on ends with the same bytes: every task, with all weights and by
 * each method. A stop is a checkpoint as it is written to files; what goes on knows nothing else.
 */
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../src/engine/engine.ts";
import { tensorsOf } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw } from "../src/optim/index.ts";
import { defaults, type RunOptions } from "../src/recipes/config/options.ts";
import { methodOf } from "../src/recipes/train/method.ts";
import { type TaskName, tasks } from "../src/tasks/index.ts";
import type { Task } from "../src/tasks/task.ts";
import { type CheckpointStore, checkpointsIn } from "../src/train/checkpoint.ts";
import { type TrainHooks, type TrainOptions, train } from "../src/train/loop.ts";
import { CheckpointError } from "../src/util/errors.ts";
import { taskCases } from "./cases/tasks.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [STEPS, STOP] = [4, 2];
const adapter = { ...defaults.adapter, rank: 2, dropout: 0.1 };
type Chosen = Partial<RunOptions>;

/** Options by the method's name. */
const methods: Readonly<Record<string, { readonly run?: Chosen; readonly step?: Partial<TrainOptions> }>> = {
  full: {},
  "micro-batches": { step: { accumulate: 2 } },
  "frozen embeddings, decayed rates": {
    run: { train: { ...defaults.train, freezeEmbeddings: true, layerDecay: 0.8 } },
  },
  lora: { run: { adapter } },
  dora: { run: { adapter: { ...adapter, dora: true } } },
  "lora over 8 bits": { run: { adapter: { ...adapter, baseBits: 8 } } },
  "lora over 4 bits": { run: { adapter: { ...adapter, baseBits: 4 } } },
  "recompute, loss in chunks": { step: { recompute: true, lossRows: 8 } },
};

/** Checkpoints as bytes, of the steps that were saved. */
const stored = () => {
  const saved = new Map<number, Awaited<ReturnType<CheckpointStore["load"]>>>();
  const store = (step: number): CheckpointStore => ({
    save: async (at, files, meta) => {
      const joined = Object.entries(files).map(([name, chunks]) => [name, Buffer.concat(chunks)] as const);
      saved.set(at, { step: at, files: new Map(joined), meta: JSON.parse(JSON.stringify(meta)) });
    },
    load: async () => saved.get(step)!,
  });
  return { saved, store };
};

const shape = { batch: 4, context: 16, seed: 1, heldOutTokens: 100 };

/** Trains the task's model by a method, from its first weights. */
const run = (name: TaskName, method: string, hooks: Partial<TrainHooks & TrainOptions>) => {
  const { model: fresh, tokenizer, material } = taskCases[name];
  const { run: chosen = {}, step = {} } = methods[method]!;
  const task: Task = tasks[name];
  const pupil = task.pupil?.(fresh, 1).model ?? fresh;
  const { model, frozen, optimizer } = methodOf(pupil, { ...defaults, ...chosen });
  const lesson = task.lesson(material, { model, tokenizer, ...shape });
  return train(engine, model, lesson.source, {
    ...{ objective: lesson.objective, batch: 4, context: lesson.context, steps: STEPS, seed: 3, clipNorm: 1 },
    ...(lesson.widths === undefined ? {} : { widths: lesson.widths }),
    ...{ optimizer: optimizer(adamw()), frozen, schedule: (at) => 1e-3 * (at + 1), checkpointEvery: STOP },
    ...step,
    ...hooks,
  });
};

const learnt = (Object.keys(tasks) as TaskName[]).filter((name) => (tasks[name] as Task).taught !== true);
const others = Object.keys(methods).filter((name) => name !== "full");
// Every task with all weights, and with two more methods, so that each method meets several tasks.
const crossed = learnt.flatMap((task, i) => [
  [task, "full"] as const,
  [task, others[i % others.length]!] as const,
]);
const rows = [...crossed, ["dpo", "lora"] as const];

test("each method is there", () => {
  expect(new Set(rows.map(([, method]) => method)).size).toBe(Object.keys(methods).length);
});

describe.each(rows)("%s, %s", (task, method) => {
  test("goes on with the same bytes", async () => {
    const { store, saved } = stored();
    const identity = { task, method };
    const whole = await run(task, method, { checkpoints: checkpointsIn(store(STEPS), identity) });
    const rest = await run(task, method, {
      checkpoints: checkpointsIn({ ...store(STOP), save: async () => {} }, identity),
      resume: true,
    });
    expect([...saved.keys()]).toEqual([STOP, STEPS]);
    const [want, got] = [whole, rest].map(({ model }) => new Map(tensorsOf(model.weights)));
    expect([...got!.keys()]).toEqual([...want!.keys()]);
    for (const [name, { data }] of want!) {
      expect(Buffer.from(got!.get(name)!.data.buffer), name).toEqual(Buffer.from(data.buffer));
    }
  });
});

test("what was begun by another method is refused", async () => {
  const { store } = stored();
  await run("causal-lm", "lora", { checkpoints: checkpointsIn(store(STEPS), { method: "lora" }) });
  const other = run("causal-lm", "full", {
    checkpoints: checkpointsIn(store(STOP), { method: "full" }),
    resume: true,
  });
  await expect(other).rejects.toThrow(CheckpointError);
});
