/** Every op's graph in float16 against the same graph in float32, on the real onnxruntime. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../src/engine/engine.ts";
import { halved } from "../src/formats/onnx/halfGraph.ts";
import { toOnnx } from "../src/formats/onnx/lower.ts";
import { encodeOnnx, type OnnxModel } from "../src/formats/onnx/onnx.ts";
import { trace } from "../src/ir/program.ts";
import { sizeOf, type Tensor, tensorOf } from "../src/ir/tensor.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { FormatError } from "../src/util/errors.ts";
import { type Case, opCases } from "./cases/ops/index.ts";
import { draw } from "./reference.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** The noise of dropout, which nobody exports. */
const refused = new Set(["uniform", "kept"]);

const lowered = (row: Case): OnnxModel =>
  toOnnx(
    trace({ x: row.inputs }, (given) => {
      const y = row.build(...given.x);
      return { y: "node" in y ? [y] : y };
    }),
    { keepUnused: true },
  );

const feedsOf = ({ inputs, dims = {} }: Case): Record<string, Tensor> =>
  Object.fromEntries(
    inputs.map(({ dtype, shape: named, range, values }, i) => {
      const shape = named.map((d) => (typeof d === "string" ? dims[d]! : d));
      return [`x.${i}`, tensorOf(dtype, shape, values ?? draw(`x${i}`, sizeOf(shape), ...range))];
    }),
  );

const run = async (model: OnnxModel, feeds: Record<string, Tensor>) => {
  const session = await engine.load(encodeOnnx(model).model);
  const out = await session.run(feeds);
  await session.dispose();
  return out;
};

const rows = Object.entries(opCases).flatMap(([op, cases]) =>
  cases.map((row) => [`${op}: ${row.name}`, op, row] as const),
);

describe("in float16", () => {
  test.each(rows)("%s", async (_, op, row) => {
    const model = lowered(row);
    let half: OnnxModel;
    try {
      half = halved(model, { io: () => false });
    } catch (error) {
      expect(error).toBeInstanceOf(FormatError);
      expect(refused.has(op), (error as Error).message).toBe(true);
      return;
    }
    const feeds = feedsOf(row);
    const [wide, narrow] = [await run(model, feeds), await run(half, feeds)];
    for (const [name, { data, dtype, shape }] of Object.entries(wide)) {
      expect({ dtype: narrow[name]!.dtype, shape: [...narrow[name]!.shape] }).toEqual({
        dtype,
        shape: [...shape],
      });
      const [a, b] = [data, narrow[name]!.data].map((values) => Array.from(values as Float32Array, Number));
      const largest = Math.max(1e-3, ...a!.map(Math.abs));
      // What is masked is -1e9 in float32 and -3e4 in float16.
      const off = a!.map((x, i) => (Math.abs(x) > 1e4 ? 0 : Math.abs(x - b![i]!)));
      expect(Math.max(0, ...off) / largest, name).toBeLessThan(1e-2);
    }
  });
});
