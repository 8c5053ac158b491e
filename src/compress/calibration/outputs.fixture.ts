/** What a model's matrices give at its end, and how far two results are apart. */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { matrixProgram } from "../probe.ts";

/** The result of `model` on token ids [B, T]. */
export const outputsOf = async (engine: Engine, model: Model, ids: Tensor): Promise<Float32Array> => {
  const session = await compile(engine, matrixProgram(model, ids, {}));
  const { out } = await session.run({ ids });
  await session.dispose();
  return out!.data as Float32Array;
};

/** The largest difference of two results. */
export const furthest = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);
