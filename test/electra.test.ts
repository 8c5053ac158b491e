/** Replaced tokens: against PyTorch on given ones (golden/electra.py), and with sampling of its own. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compile } from "../src/engine/compile.ts";
import { trace } from "../src/ir/program.ts";
import { type Tensor, tensorOf, zeros } from "../src/ir/tensor.ts";
import { architectures } from "../src/models/index.ts";
import type { Model } from "../src/models/model.ts";
import { asConstants, type ParamSpec, tensorsOf } from "../src/nn/param.ts";
import { adamw } from "../src/optim/index.ts";
import { batchTotals, type Objective } from "../src/tasks/objective.ts";
import { replacedTokenDetection } from "../src/tasks/replacedTokenDetection.ts";
import { replacedTokensByGenerator } from "../src/tasks/replacedTokens.ts";
import { typesOf } from "../src/tasks/scores.ts";
import { train } from "../src/train/loop.ts";
import { flatten, mapTree, type Tree } from "../src/util/tree.ts";
import { taskCases } from "./cases/tasks.ts";
import { engine } from "./models/encoders.ts";

interface Joint {
  readonly config: Readonly<Record<string, unknown>>;
  readonly maskId: number;
  readonly batch: Readonly<Record<string, readonly number[] | readonly (readonly number[])[]>>;
  readonly names: readonly string[];
  readonly losses: readonly number[];
}

const url = new URL("golden/electra.json", import.meta.url);
const { joint } = JSON.parse(readFileSync(url, "utf8")) as { readonly joint: Joint };

const electra = architectures.electra!;

/** A discriminator and its generator, 0.3 sin(0.37 j + 1.3 i), plus 1 for norms: i numbers the names. */
const sines = (): Model => {
  const config = electra.parse(joint.config);
  const fresh = replacedTokenDetection.pupil!(
    {
      ...{ arch: electra, config, history: [] },
      weights: mapTree<ParamSpec, Tensor>(electra.params(config) as Tree<ParamSpec>, (spec) => zeros(spec)),
    },
    1,
  ).model;
  const order = [...flatten<Tensor>(fresh.weights as Tree<Tensor>).keys()].sort();
  expect(order).toEqual(joint.names);
  const weights = mapTree<Tensor, Tensor>(fresh.weights as Tree<Tensor>, (t, path) => {
    const one = /LayerNorm\.weight$/.test(path) ? 1 : 0;
    const data = (t.data as Float32Array).map(
      (_, j) => 0.3 * Math.sin(0.37 * j + 1.3 * order.indexOf(path)) + one,
    );
    return { ...t, data };
  });
  return { ...fresh, weights };
};

const batch = Object.fromEntries(
  Object.entries(joint.batch).map(([name, rows]) => {
    const numbers = rows.flat();
    const shape = Array.isArray(rows[0]) ? [rows.length, rows[0].length] : [numbers.length];
    return [name, tensorOf("int32", shape, numbers)];
  }),
);

const objectiveOf = (samples: boolean): Objective =>
  replacedTokensByGenerator({ tokenTypes: true, asked: 2, maskId: joint.maskId, samples });

test("ten steps on given replacements have PyTorch's losses", async () => {
  const losses: number[] = [];
  await train(engine, sines(), () => batch, {
    ...{
      objective: objectiveOf(false),
      batch: 3,
      context: 8,
      steps: 10,
      optimizer: adamw({ weightDecay: 0 }),
    },
    schedule: () => 1e-2,
    onRow: ({ loss }) => loss !== undefined && losses.push(loss),
  });
  for (const [i, wanted] of joint.losses.entries()) {
    expect(Math.abs(losses[i]! / wanted - 1), `step ${i + 1}`).toBeLessThan(1e-4);
  }
});

test("replacements are the generator's samples, a function of the seed", async () => {
  const model = sines();
  const program = trace(
    { batch: { ...typesOf([batch]), seed: { dtype: "int32" as const, shape: [] } } },
    (v) => {
      return batchTotals(model, asConstants(model.weights), objectiveOf(true), v.batch);
    },
  );
  const session = await compile(engine, program);
  const at = async (seed: number) => {
    const feeds = { ...batch, seed: tensorOf("int32", [], [seed]) };
    const named = Object.entries(feeds).map(([name, t]) => [`batch.${name}`, t]);
    return Number((await session.run(Object.fromEntries(named))).total!.data[0]);
  };
  const totals = await Promise.all(Array.from({ length: 8 }, (_, seed) => at(seed)));
  expect(await at(3)).toBe(totals[3]);
  expect(new Set(totals).size).toBeGreaterThan(4);
  await session.dispose();
});

test("both learn, the generator is left behind, and going on after a stop gives the same bytes", async () => {
  const { model: fresh, tokenizer, material } = taskCases["replaced-token-detection"];
  const shape = { batch: 4, context: 16, seed: 1, heldOutTokens: 200 };
  const lesson = replacedTokenDetection.lesson(material, { model: fresh, tokenizer, ...shape });
  const pupil = () => replacedTokenDetection.pupil!(fresh, 1);
  const saved: { step: number; state: Map<string, Tensor>; meta: unknown }[] = [];
  const run = (steps: number, more: object) =>
    train(engine, pupil().model, lesson.source, {
      ...{ objective: lesson.objective, batch: 4, context: 16, steps, seed: 1, clipNorm: 1 },
      ...{ optimizer: adamw({ weightDecay: 0 }), schedule: () => 3e-3, checkpointEvery: 10, ...more },
    });
  const save = async (s: { step: number; state: ReadonlyMap<string, Tensor>; meta: unknown }) => {
    const copied = Array.from(s.state, ([k, t]) => [k, { ...t, data: t.data.slice() }] as const);
    saved.push({ ...s, state: new Map(copied) });
  };
  const losses: number[] = [];
  const whole = await run(40, {
    checkpoints: { save },
    onRow: ({ loss }: { loss?: number }) => loss !== undefined && losses.push(loss),
  });
  const mean = (some: number[]) => some.reduce((a, b) => a + b, 0) / some.length;
  expect(mean(losses.slice(-8))).toBeLessThan(0.9 * mean(losses.slice(0, 8)));
  const rest = await run(40, {
    resume: true,
    checkpoints: { save: async () => {}, load: async () => saved[1] },
  });
  expect(new Map(tensorsOf(rest.model.weights))).toEqual(new Map(tensorsOf(whole.model.weights)));
  const done = pupil().finish(whole.model);
  const names = [...flatten<Tensor>(done.weights as Tree<Tensor>).keys()];
  expect(names).toEqual([...flatten<Tensor>(fresh.weights as Tree<Tensor>).keys()]);
});
