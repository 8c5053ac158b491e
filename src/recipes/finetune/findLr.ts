/** `finetune --find-lr`: the learning-rate range test on the user's records. */
import type { LrRange } from "../../train/lrRange.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { testLr } from "../train/lrTest.ts";
import { steppersOf } from "./lesson.ts";
import { prepare } from "./prepare.ts";

/** Takes the test; nothing is written. Throws as `prepare` and `lrRange`. */
export const findLr = async (ref: string, given: RunOptions, hooks: RecipeHooks): Promise<LrRange> => {
  const prepared = await prepare(ref, given, hooks);
  const { engine, method, lesson, options } = prepared;
  const { shared: _, ...steppers } = steppersOf(options, lesson, prepared, {});
  return testLr(engine, { lesson, method, options, ...steppers }, hooks);
};
