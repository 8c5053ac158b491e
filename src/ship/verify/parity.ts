/** Parity of what is about to be shipped: a float32 graph that computes something else is no rounding. */
import type { Parity } from "../../evaluate/parity/agreement.ts";
import { RunError } from "../../util/errors.ts";

export type { Parity };

/** Largest difference of a logit that float32 may show between two ways of computing the same. */
const FP32_TOLERANCE = 1e-3;

/** Throws RunError unless the shipped float32 graph computes what the training graph does. */
export const requireParity = ({
  maxLogitDiff,
  topTokenAgreement = 0,
}: Pick<Parity, "maxLogitDiff" | "topTokenAgreement">): void => {
  // Written so that NaN fails too.
  if (maxLogitDiff <= FP32_TOLERANCE) return;
  const share = (100 * topTokenAgreement).toFixed(0);
  throw new RunError(
    `the shipped float32 graph differs from the trained one by ${maxLogitDiff} in a logit ` +
      `(the likeliest token is the same in ${share} %)`,
    { hint: "nothing was shipped; please report this with the output of: npx anneal doctor --json" },
  );
};
