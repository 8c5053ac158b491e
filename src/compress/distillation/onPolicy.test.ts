/** Batches that a student writes on: what it would write with its weights of the moment. */
import { expect, test } from "vitest";
import { modelOf } from "../../../test/e2e/exported.ts";
import type { Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import { tensorsOf, withTensors } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { decoder } from "../../serve/decode/decoding.ts";
import { generateBatch } from "../../serve/decode/generate.ts";
import { onPolicy } from "./onPolicy.ts";

const [ROWS, LENGTH] = [2, 11];

const batchAt = (index: number): Feeds => ({
  inputIds: tensor(
    "int32",
    [ROWS, LENGTH],
    Int32Array.from({ length: ROWS * LENGTH }, (_, i) => (7 * index + 3 * i) % 20),
  ),
  labels: tensor(
    "int32",
    [ROWS * LENGTH],
    Int32Array.from({ length: ROWS * LENGTH }, (_, i) => (7 * index + 3 * (i + 1)) % 20),
  ),
});

const idsOf = ({ inputIds, labels }: Feeds): number[][] =>
  Array.from({ length: ROWS }, (_, row) => [
    ...Array.from(inputIds!.data.subarray(row * LENGTH, (row + 1) * LENGTH), Number),
    Number(labels!.data[(row + 1) * LENGTH - 1]),
  ]);

test("a batch is what the student writes behind the beginnings of rows, with the weights of the moment", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const student = modelOf("gpt2", "causal-lm");
  let weights = new Map(tensorsOf(student.weights));
  const made = onPolicy(engine, student, { source: batchAt, weights: () => weights, share: 1, seed: 5 });
  const first = idsOf(await made.source(3));
  expect(first.map((ids) => ids.slice(0, 3))).toEqual(idsOf(batchAt(3)).map((ids) => ids.slice(0, 3)));
  expect(idsOf(await made.source(3))).toEqual(first);
  expect(idsOf(await made.source(4)).map((ids) => ids.slice(3))).not.toEqual(
    first.map((ids) => ids.slice(3)),
  );
  // Weights so strong that nothing is left to chance.
  weights = new Map(
    Array.from(weights, ([path, t]) => {
      const data = Float32Array.from(t.data as Float32Array, (v) => (/ln_f.weight/.test(path) ? 1e4 * v : v));
      return [path, tensor("float32", t.shape as number[], data)];
    }),
  );
  const likeliest = await decoder(engine, { ...student, weights: withTensors(student.weights, weights) });
  const written = first.map((ids) => ids.slice(0, 3));
  const prompts = written.map((ids) => ids.slice());
  for await (const { row, id } of generateBatch(likeliest, prompts, { maxTokens: 9, temperature: 0 }))
    written[row]!.push(id);
  expect(idsOf(await made.source(3))).toEqual(written);
  await likeliest.dispose();
  await made.dispose();
});

test("a share of the batches is the data's, and batches of several documents a row are refused", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const student = modelOf("gpt2", "causal-lm");
  const weights = () => new Map(tensorsOf(student.weights));
  const none = onPolicy(engine, student, { source: batchAt, weights, share: 0, seed: 5 });
  expect(idsOf(await none.source(1))).toEqual(idsOf(batchAt(1)));
  const several = (index: number): Feeds => ({ ...batchAt(index), documents: batchAt(index).labels! });
  const refused = onPolicy(engine, student, { source: several, weights, share: 1, seed: 5 });
  await expect(refused.source(0)).rejects.toThrow(/onPolicy.*several documents/);
});
