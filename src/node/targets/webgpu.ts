/**
 * WebGPU in onnxruntime-node. Without an adapter, or with one that fails, the runtime may end the process:
 * so it is tried in another.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { onnxBytes } from "../../engine/compile.ts";
import { encodeReference } from "../../evaluate/parity/reference.ts";
import type { Value } from "../../ir/op.ts";
import { trace } from "../../ir/program.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { add, cast } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { inScratch } from "../files/scratch.ts";
import { inProcess } from "./process.ts";

/** What WebGPU can do here. */
export interface Webgpu {
  /** Why it cannot be used; undefined where a product of matrices comes out right. */
  readonly fault?: string;
  /** Whether it computes in float16. */
  readonly float16: boolean;
}

/** Longest that a check may take, milliseconds. */
const PATIENCE_MS = 60_000;

const type = { dtype: "float32", shape: [2, 2] } as const;

/** A program of x to y, and what y is to be for x = [[1, 2], [3, 4]]. */
const check = (of: (x: Value) => Value, values: readonly number[]) => ({
  program: trace({ x: type }, ({ x }) => ({ y: of(x) })),
  values,
});

const product = check((x) => matmul(x, x), [7, 10, 15, 22]);
const halves = check(
  (x) => {
    const half = cast(x, "float16");
    return cast(add(half, half), "float32");
  },
  [2, 4, 6, 8],
);

const faultOf = async ({ program, values }: typeof product, dir: string): Promise<string | undefined> => {
  const run = {
    graph: "model",
    feeds: { x: tensorOf("float32", [2, 2], [1, 2, 3, 4]) },
    outputs: { y: tensorOf("float32", [2, 2], values) },
  };
  const [graph, reference] = [join(dir, "model.onnx"), join(dir, "reference")];
  try {
    await writeFile(graph, onnxBytes(program));
    await writeFile(reference, encodeReference({ runs: [run], continuations: [] }));
    const job = { kind: "trial", device: "webgpu", threads: 1, graphs: { model: graph }, reference } as const;
    const { maxLogitDiff } = await inProcess(job, { timeoutMs: PATIENCE_MS });
    return maxLogitDiff < 1e-3 ? undefined : `a small sum is off by ${maxLogitDiff}`;
  } catch (error) {
    return (error as Error).message;
  }
};

/** What WebGPU can do here. */
export const checkWebgpu = async (): Promise<Webgpu> => {
  return inScratch("webgpu", async (dir) => {
    const fault = await faultOf(product, dir);
    if (fault !== undefined) return { fault, float16: false };
    return { float16: (await faultOf(halves, dir)) === undefined };
  });
};
