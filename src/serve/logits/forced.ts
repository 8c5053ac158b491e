/** The id of the first place, and that of the last. */
import { ConfigError } from "../../util/errors.ts";
import { type LogitsProcessor, NONE, type Scores } from "./processor.ts";

const force = (scores: Scores, ids: readonly number[], field: string): void => {
  const known = ids.filter((id) => id < scores.length);
  if (known.length === 0) {
    throw new ConfigError(`is ${ids.join(", ")}, beyond the ${scores.length} ids of the model`, { field });
  }
  scores.fill(NONE);
  for (const id of known) scores[id] = 0;
};

/** Only where a text starts from a single id, which a prompt of several does not. */
export const forcedBos: LogitsProcessor = {
  change: ({ forcedBos: id }) =>
    id === undefined
      ? undefined
      : (scores, ids) => {
          if (ids.length === 1) force(scores, [id], "forced_bos_token_id");
        },
};

/** Only these ids may stand at the last place. */
export const forcedEos: LogitsProcessor = {
  change: ({ forcedEos: ends }, { maxLength }) =>
    ends === undefined || ends.length === 0
      ? undefined
      : (scores, ids) => {
          if (ids.length === maxLength - 1) force(scores, ends, "forced_eos_token_id");
        },
};
