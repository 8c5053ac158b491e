/**
 * What keeps a pruned matrix near what the dense model computes, whichever of its numbers go. Beforehand the
 * matrix makes up for what was pruned in front of it; afterwards, where a method only takes numbers away,
 * each output is brought back to the size that it had. Both are closed forms of the second moments, as
 * rounding in turn has them.
 */
import type { Engine } from "../../engine/engine.ts";
import { knownAt } from "../calibration/besideDense.ts";
import { keptSize } from "../calibration/keptSize.ts";
import { towardsDense } from "../calibration/towardsDense.ts";
import type { Stop } from "../calibration/walk.ts";
import type { Rows } from "../rounding/codes.ts";
import { inputFactor } from "../rounding/gptq.ts";
import type { SecondMoments } from "../rounding/moments.ts";

/** Corrections by an engine, of which programs stay open. */
export const nearDense = (engine: Engine) => {
  const [towards, size] = [towardsDense(engine), keptSize(engine)];
  return {
    /** The moments of all rows, and matrices [N, K] of one site that make up for what was pruned before. */
    before: async (
      rows: readonly Rows[],
      stop: Stop,
    ): Promise<{ readonly rows: readonly Rows[]; readonly moments: SecondMoments }> => {
      const { moments, cross, parts } = knownAt(stop);
      // Without batches that are held out nothing tells how much of a correction holds on other text.
      if (cross === undefined || parts === undefined) return { rows, moments };
      return {
        rows: await towards.of(rows, { moments, cross, parts, factor: inputFactor(moments) }),
        moments,
      };
    },
    /** Pruned numbers of `rows`, [N, K], each output as large as it was. */
    after: size.ofValues,
    dispose: async (): Promise<void> => {
      await towards.dispose();
      await size.dispose();
    },
  };
};
