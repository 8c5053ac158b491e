/**
 * Whether a device computes in float16: an adapter that says so may still give wrong numbers
 * (https://github.com/microsoft/onnxruntime/issues/26732), so one product is looked at before graphs in
 * float16 are offered.
 */
import { compile } from "../engine/compile.ts";
import type { Engine } from "../engine/engine.ts";
import { trace } from "../ir/program.ts";
import { tensor } from "../ir/tensor.ts";
import { cast } from "../ops/elementwise.ts";
import { matmul } from "../ops/linalg.ts";
import { softmax } from "../ops/reduce.ts";
import { rng } from "../util/rng.ts";

const [ROWS, WIDTH] = [8, 64];
/** How far numbers may be off, of which the largest is 1: some hundred steps of float16 near 1. */
const TOLERANCE = 0.05;

/** softmax(x w) in float16, by an engine, and the largest difference from float64. */
const largestError = async (engine: Engine): Promise<number> => {
  const random = rng(11, "halves");
  const draw = (n: number): Float32Array => Float32Array.from({ length: n }, () => 0.25 * random.normal());
  const [x, w] = [draw(ROWS * WIDTH), draw(WIDTH * WIDTH)];
  const types = {
    x: { dtype: "float32", shape: [ROWS, WIDTH] },
    w: { dtype: "float32", shape: [WIDTH, WIDTH] },
  } as const;
  const program = trace(types, (given) => {
    const y = matmul(cast(given.x, "float16"), cast(given.w, "float16"));
    return { y: cast(softmax(y), "float32") };
  });
  const session = await compile(engine, program);
  try {
    const feeds = { x: tensor("float32", types.x.shape, x), w: tensor("float32", types.w.shape, w) };
    const got = (await session.run(feeds)).y!.data as Float32Array;
    return worstOf(got, x, w);
  } finally {
    await session.dispose();
  }
};

const worstOf = (got: Float32Array, x: Float32Array, w: Float32Array): number => {
  let worst = 0;
  for (let r = 0; r < ROWS; r++) {
    const scores = Array.from({ length: WIDTH }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < WIDTH; i++) sum += x[r * WIDTH + i]! * w[i * WIDTH + j]!;
      return Math.exp(sum);
    });
    const total = scores.reduce((a, b) => a + b, 0);
    const most = Math.max(...scores);
    for (const [j, score] of scores.entries()) {
      const error = Math.abs(got[r * WIDTH + j]! * total - score) / most;
      worst = Number.isFinite(error) ? Math.max(worst, error) : Number.POSITIVE_INFINITY;
    }
  }
  return worst;
};

/** Why a device cannot be trusted with float16; undefined where a product comes out right. */
export const halvesFault = async (engine: Engine): Promise<string | undefined> => {
  try {
    const error = await largestError(engine);
    return error < TOLERANCE
      ? undefined
      : `a product in float16 is off by ${error.toPrecision(2)} of its size`;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0]! : String(error);
  }
};
