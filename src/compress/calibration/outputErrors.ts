/** What a change of weights does to outputs. */
import type { Engine } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { mul } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { sum } from "../../ops/structure.ts";
import type { OutputError } from "../rounding/awq.ts";
import type { SecondMoments } from "../rounding/moments.ts";
import { openPrograms } from "./openPrograms.ts";

/** Errors of outputs by the engine, of which a program a shape stays open. */
export const errorsBy = (engine: Engine) => {
  const programs = openPrograms(engine);
  const grams = new WeakMap<SecondMoments, Tensor>();
  const of: OutputError = async ({ n, k, values }, after, moments) => {
    const types = { d: { dtype: "float32", shape: [n, k] }, h: { dtype: "float32", shape: [k, k] } } as const;
    const made = () => trace(types, ({ d, h }) => ({ error: sum(mul(matmul(d, h), d)) }));
    const session = await programs.of(`${n} ${k}`, made);
    const h = grams.get(moments) ?? tensor("float32", [k, k], Float32Array.from(moments.gram));
    grams.set(moments, h);
    const d = tensor(
      "float32",
      [n, k],
      after.map((v, i) => v - values[i]!),
    );
    const { error } = await session.run({ d, h });
    return Number(error!.data[0]) / (moments.count * n);
  };
  return { of, dispose: programs.dispose };
};
