/** Smoothed losses of sequences and their gradients against PyTorch's and transformers' (golden/smoothedLosses.py). */
import { readFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import type { Value } from "../src/ir/op.ts";
import { trace } from "../src/ir/program.ts";
import { tensorOf } from "../src/ir/tensor.ts";
import { meanLoss } from "../src/nn/loss.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { add } from "../src/ops/elementwise.ts";
import { matmul } from "../src/ops/linalg.ts";
import { sequenceToSequence } from "../src/tasks/seq2seq/sequenceToSequence.ts";

interface Case {
  readonly name: string;
  readonly biased: boolean;
  readonly loss: number;
  readonly hidden: readonly number[];
  readonly head: readonly number[];
  readonly bias: readonly number[];
}

const golden = JSON.parse(readFileSync(new URL("golden/smoothedLosses.json", import.meta.url), "utf8")) as {
  readonly shape: readonly [number, number, number, number];
  readonly epsilon: number;
  readonly hidden: readonly number[];
  readonly head: readonly number[];
  readonly bias: readonly number[];
  readonly labels: readonly number[];
  readonly cases: readonly Case[];
};

const [rows, time, width, vocab] = golden.shape;
const f32 = (...shape: number[]) => ({ dtype: "float32", shape }) as const;
const params = { hidden: f32(rows, time, width), head: f32(vocab, width), bias: f32(vocab) };
const feeds = {
  "params.hidden": tensorOf("float32", params.hidden.shape, [...golden.hidden]),
  "params.head": tensorOf("float32", params.head.shape, [...golden.head]),
  "params.bias": tensorOf("float32", params.bias.shape, [...golden.bias]),
  labels: tensorOf("int32", [golden.labels.length], [...golden.labels]),
};

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** Loss and gradients, by the head's matrix or by the logits alone. */
const measured = async ({ biased }: Case, byHead: boolean, smoothing: number) => {
  const objective = sequenceToSequence({ target: time, labelSmoothing: smoothing });
  const spec = { params, labels: { dtype: "int32", shape: [golden.labels.length] } as const };
  const program = trace(spec, ({ params: p, labels }) => {
    const { hidden, head, bias } = p as Record<keyof typeof params, Value>;
    const product = matmul(hidden, head, { transB: true });
    const logits = biased ? add(product, bias) : product;
    const own = byHead ? { head, ...(biased ? { headBias: bias } : {}) } : {};
    const loss = meanLoss(objective.totals({ hidden, logits, present: [], ...own }, { labels }));
    return { loss, grads: grad(loss, biased ? p : { hidden, head }) };
  });
  const session = await compile(engine, program);
  const given = Object.entries(feeds).filter(([name]) => name in session.inputTypes);
  const out = await session.run(Object.fromEntries(given));
  await session.dispose();
  const of = (name: string) => Array.from(out[name]?.data ?? [], Number);
  return {
    loss: Number(out.loss!.data[0]),
    ...{ hidden: of("grads.hidden"), head: of("grads.head"), bias: of("grads.bias") },
  };
};

const near = (got: readonly number[], wanted: readonly number[]): void => {
  expect(got.length).toBe(wanted.length);
  for (const [i, x] of wanted.entries()) expect(Math.abs(got[i]! - x)).toBeLessThan(1e-6);
};

test.each(golden.cases)("$name", async (row) => {
  for (const byHead of [true, false]) {
    const got = await measured(row, byHead, golden.epsilon);
    near([got.loss], [row.loss]);
    near(got.hidden, row.hidden);
    near(got.head, row.head);
    near(got.bias, row.bias);
  }
});

test("held-out data is measured by the plain loss", async () => {
  const smooth = sequenceToSequence({ target: time, labelSmoothing: 0.1 });
  expect(smooth.heldOut?.name).toBe("seq2seq");
  expect(smooth.heldOut).not.toBe(smooth);
  const [row] = golden.cases;
  const plain = await measured(row!, true, 0);
  expect(plain.loss).toBeLessThan(row!.loss);
});

test("no share of 1 or more is smoothed", () => {
  expect(() => sequenceToSequence({ target: 4, labelSmoothing: 1 })).toThrow(/labelSmoothing.*below 1/);
});
