/** Products of large matrices by an engine: what a method of pruning leaves to it. */
import { compile } from "../../engine/compile.ts";
import type { Engine, Session } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { tensor } from "../../ir/tensor.ts";
import { matmul } from "../../ops/linalg.ts";

/** a [N, K] times b [K, K]. */
export type Times = (
  a: Float32Array,
  b: Float32Array,
  sizes: { readonly n: number; readonly k: number },
) => Promise<Float32Array>;

/** Products by an engine, of which a program a shape stays open. */
export const productsBy = (engine: Engine) => {
  const sessions = new Map<string, Promise<Session>>();
  const open = (n: number, k: number): Promise<Session> => {
    const types = { a: { dtype: "float32", shape: [n, k] }, b: { dtype: "float32", shape: [k, k] } } as const;
    return compile(
      engine,
      trace(types, ({ a, b }) => ({ y: matmul(a, b) })),
    );
  };
  const times: Times = async (a, b, { n, k }) => {
    const key = `${n} ${k}`;
    const session = sessions.get(key) ?? open(n, k);
    sessions.set(key, session);
    const feeds = { a: tensor("float32", [n, k], a), b: tensor("float32", [k, k], b) };
    return (await (await session).run(feeds)).y!.data as Float32Array;
  };
  const dispose = async (): Promise<void> => {
    for (const session of sessions.values()) await (await session).dispose();
  };
  return { times, dispose };
};
