/**
 * Codes whose outputs are as large as the matrix's own. GPTQ finds the least squared error, so what it rounds
 * to is a little too small along the outputs, in every layer alike; each output's scales are multiplied by
 * w H w / w H q (H the second moments of the inputs), after which q has w's own size along w. So are numbers
 * of which a part was made 0.
 */
import type { Engine } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { mul } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { sum } from "../../ops/structure.ts";
import { type Codes, dequantized, type Rows } from "../rounding/codes.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import { openPrograms } from "./openPrograms.ts";

/** Outputs that are looked at together: tables have many. */
const TOGETHER = 4096;

/** A factor beyond these is no matter of size: the codes have little of the output at all. */
const [LEAST, MOST] = [0.5, 2];

const float32 = (shape: readonly number[]) => ({ dtype: "float32", shape }) as const;

/** Sizes by the engine, of which a program a shape stays open. */
export const keptSize = (engine: Engine) => {
  const programs = openPrograms(engine);
  const sessionOf = (n: number, k: number) =>
    programs.of(`${n} ${k}`, () => {
      const types = { w: float32([n, k]), q: float32([n, k]), h: float32([k, k]) };
      return trace(types, ({ w, q, h }) => {
        const along = matmul(w, h);
        return { own: sum(mul(along, w), [1]), rounded: sum(mul(along, q), [1]) };
      });
    });
  /** Factors of outputs, [N], by which `to` [N, K] stands for `rows`. */
  const factors = async (
    { n, k, values }: Rows,
    to: Float32Array,
    { gram }: SecondMoments,
  ): Promise<Float64Array> => {
    const from = Float32Array.from(values);
    const h = tensor("float32", [k, k], Float32Array.from(gram));
    const found = new Float64Array(n).fill(1);
    for (let at = 0; at < n; at += TOGETHER) {
      const count = Math.min(TOGETHER, n - at);
      const part = (all: Float32Array): Tensor =>
        tensor("float32", [count, k], all.subarray(at * k, (at + count) * k));
      const { own, rounded } = await (await sessionOf(count, k)).run({ w: part(from), q: part(to), h });
      for (let j = 0; j < count; j++) {
        const factor = Number(own!.data[j]) / Number(rounded!.data[j]);
        if (factor > LEAST && factor < MOST) found[at + j] = factor;
      }
    }
    return found;
  };
  /** `codes` of `rows`, each output by its factor. */
  const of = async (rows: Rows, codes: Codes, moments: SecondMoments): Promise<Codes> => {
    const by = await factors(rows, dequantized(codes), moments);
    const blocks = codes.scale.length / codes.n;
    return { ...codes, scale: codes.scale.map((scale, at) => scale * by[Math.floor(at / blocks)]!) };
  };
  /** What has become of `rows`, [N, K], each output by its factor. */
  const ofValues = async (
    rows: Rows,
    values: Float32Array,
    moments: SecondMoments,
  ): Promise<Float32Array> => {
    const by = await factors(rows, values, moments);
    return values.map((v, at) => v * by[Math.floor(at / rows.k)]!);
  };
  return { of, ofValues, dispose: programs.dispose };
};
