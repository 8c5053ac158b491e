/** Exports whose packed weights become float32 when a graph is loaded. */
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { quantized } from "../../src/compress/index.ts";
import { decodeOnnx } from "../../src/formats/onnx/read.ts";
import { tensorOf } from "../../src/ir/tensor.ts";
import { architectures } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";
import { denseWeights, initialize, type ParamSpec } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { exportFolder } from "../../src/recipes/export/export.ts";
import { exportDtypes } from "../../src/ship/onnx/dtype.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import type { Tree } from "../../src/util/tree.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-widen-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const arch = architectures.bert!;
const config = arch.parse({
  ...{ model_type: "bert", architectures: ["BertModel"], vocab_size: 90, max_position_embeddings: 16 },
  ...{ hidden_size: 384, num_hidden_layers: 1, num_attention_heads: 4, intermediate_size: 512 },
});
const model: Model = {
  arch,
  config,
  weights: initialize(arch.params(config) as Tree<ParamSpec>, 5),
  history: [],
};

const statesOf = async (path: string): Promise<Float32Array> => {
  const session = await (await nodeEngine({ threads: 1 })).load(path);
  const wide = (values: number[]) => tensorOf("int64", [1, values.length], values);
  const ids = [5, 6, 7, 9, 80, 11, 13];
  const ones = ids.map(() => 1);
  const zeros = ids.map(() => 0);
  const feeds = { input_ids: wide(ids), attention_mask: wide(ones), token_type_ids: wide(zeros) };
  const { last_hidden_state: states } = await session.run(feeds);
  await session.dispose();
  return states!.data as Float32Array;
};

const opsOf = (path: string): Set<string> =>
  new Set(decodeOnnx(readFileSync(path)).graph.nodes.map(({ opType }) => opType));

beforeAll(async () => {
  await writeFolder(join(dir, "source"), exportModel(model));
  await exportFolder(join(dir, "source"), { out: join(dir, "packed"), dtypes: ["q8", "q4"] });
  await exportFolder(join(dir, "source"), { out: join(dir, "wide"), dtypes: ["q8", "q4"], widen: true });
});

it.each(["q8", "q4"] as const)("%s multiplies by what its packed weights stand for", async (dtype) => {
  const path = join(dir, "wide", exportDtypes[dtype].file);
  const formed = quantized(model, exportDtypes[dtype].packed!);
  const dense = { ...model, weights: denseWeights(formed.weights) };
  await writeFolder(join(dir, `dense-${dtype}`), exportModel(dense));
  const expected = await statesOf(join(dir, `dense-${dtype}`, exportDtypes.fp32.file));
  const found = await statesOf(path);
  const most = Math.max(...expected.map(Math.abs));
  const apart = found.map((x, i) => Math.abs(x - expected[i]!) / most);
  expect(Math.max(...apart)).toBeLessThan(1e-5);
});

it.each(["q8", "q4"] as const)("%s is as small as packed, and has no product of few bits", (dtype) => {
  const [packed, wide] = ["packed", "wide"].map((name) => join(dir, name, exportDtypes[dtype].file));
  expect(statSync(wide!).size).toBeLessThan(1.02 * statSync(packed!).size);
  const few = ["MatMulIntegerToFloat", "MatMulNBits"];
  expect(few.some((op) => opsOf(packed!).has(op))).toBe(true);
  expect(few.some((op) => opsOf(wide!).has(op))).toBe(false);
});
