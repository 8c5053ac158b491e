/** Ids that are never taken, or not at first. */
import { forbid, type LogitsProcessor } from "./processor.ts";

/** Ids that are never taken. */
export const suppress: LogitsProcessor = {
  change: ({ suppress: ids = [] }) => (ids.length === 0 ? undefined : (scores) => forbid(scores, ids)),
};

/** Where the first id is forced, the one behind it counts as first. */
export const beginSuppress: LogitsProcessor = {
  change({ beginSuppress: banned = [], forcedBos }, { promptTokens }) {
    if (banned.length === 0) return undefined;
    const first = promptTokens > 1 || forcedBos === undefined ? promptTokens : promptTokens + 1;
    return (scores, ids) => {
      if (ids.length === first) forbid(scores, banned);
    };
  },
};
