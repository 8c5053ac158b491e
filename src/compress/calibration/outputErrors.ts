/** What a change of weights does to outputs. */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { type Tensor, tensor } from "../../ir/tensor.ts";
import { mul } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { sum } from "../../ops/structure.ts";
import type { OutputError } from "../rounding/awq.ts";
import type { SecondMoments } from "../rounding/moments.ts";

/** Errors of outputs by the engine, of which a program a shape stays open. */
export const errorsBy = (engine: Engine) => {
  const sessions = new Map<string, ReturnType<typeof compile>>();
  const grams = new WeakMap<SecondMoments, Tensor>();
  const of: OutputError = async ({ n, k, values }, after, moments) => {
    const types = { d: { dtype: "float32", shape: [n, k] }, h: { dtype: "float32", shape: [k, k] } } as const;
    const made = () =>
      compile(
        engine,
        trace(types, ({ d, h }) => ({ error: sum(mul(matmul(d, h), d)) })),
      );
    const key = `${n} ${k}`;
    const session = sessions.get(key) ?? made();
    sessions.set(key, session);
    const h = grams.get(moments) ?? tensor("float32", [k, k], Float32Array.from(moments.gram));
    grams.set(moments, h);
    const d = tensor(
      "float32",
      [n, k],
      after.map((v, i) => v - values[i]!),
    );
    const { error } = await (await session).run({ d, h });
    return Number(error!.data[0]) / (moments.count * n);
  };
  const dispose = async (): Promise<void> => {
    for (const session of sessions.values()) await (await session).dispose();
  };
  return { of, dispose };
};
