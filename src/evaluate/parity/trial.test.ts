import { describe, expect, test } from "vitest";
import { compile } from "../../engine/compile.ts";
import { trace } from "../../ir/program.ts";
import { tensor, tensorOf } from "../../ir/tensor.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { mul } from "../../ops/elementwise.ts";
import { FormatError, RunError } from "../../util/errors.ts";
import { decodeReference, encodeReference, type Reference } from "./reference.ts";
import { runTrial } from "./trial.ts";

const x = tensorOf("float32", [2, 2], [1, 2, 3, 4]);
const reference = (y: readonly number[]): Reference => ({
  runs: [{ graph: "model", feeds: { x }, outputs: { y: tensorOf("float32", [2, 2], y) } }],
  continuations: [],
});

const doubling = trace({ x: { dtype: "float32", shape: [2, 2] } as const }, ({ x }) => ({ y: mul(x, 2) }));
const open = async () => compile(await nodeEngine({ threads: 1 }), doubling);

describe("a trial", () => {
  test("compares what a graph gives with what was expected", async () => {
    const same = await runTrial(reference([2, 4, 6, 8]), open);
    expect(same).toMatchObject({ maxLogitDiff: 0, cosine: expect.closeTo(1, 12), prompts: 1, tokens: 0 });
    expect(same.loadMs).toBeGreaterThan(0);
    const off = await runTrial(reference([2, 4, 6, 9]), open);
    expect(off.maxLogitDiff).toBe(1);
  });

  test("names an output that the graph does not have", async () => {
    const { runs } = reference([2, 4, 6, 8]);
    const other = { runs: [{ ...runs[0]!, outputs: { z: x } }], continuations: [] };
    await expect(runTrial(other, open)).rejects.toThrow(/"z".*not an output/);
  });

  test("says that a graph which decodes is missing", async () => {
    const logits = tensor("float32", [1, 2], Float32Array.of(0, 1));
    const text = { prompt: [1], tokens: [1], logits };
    await expect(runTrial({ runs: [], continuations: [text] }, open)).rejects.toThrow(RunError);
  });
});

describe("a reference", () => {
  test("survives its file", () => {
    const { runs } = reference([1, 2, 3, 4]);
    const logits = tensor("float32", [2, 3], Float32Array.of(1, 2, 3, 4, 5, 6));
    const given: Reference = {
      runs: [
        ...runs,
        { graph: "encoder_model", feeds: { m: tensorOf("int64", [1, 2], [1, 0]) }, outputs: {} },
      ],
      continuations: [
        { prompt: [1, 2], tokens: [3], logits },
        { source: [7], prompt: [0], tokens: [4, 5], logits },
      ],
    };
    expect(decodeReference(encodeReference(given))).toEqual(given);
  });

  test("is not any file of tensors", () => {
    expect(() => decodeReference(new Uint8Array(20))).toThrow(FormatError);
  });
});
