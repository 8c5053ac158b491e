// The memory of a rank against the formula of docs/scaling.md: the part "memory" of `bench scaling`.
import { launchers, run } from "./run.mjs";

const size = { vocab: 4096, width: 352, layers: 6, heads: 8, context: 32, batch: 4 };
const { lib } = launchers.openmpi;

/** By how much what 4 ranks hold is off what the formula says, at the most. */
export const memory = (log) => {
  const errorOf = (zero) => {
    const found = run("memoryRank.mjs", { size, zero, lib }, launchers.openmpi, 4);
    const errors = found.map(({ held, formula }) => Math.abs(held / formula - 1));
    const [{ held, formula }] = found;
    log(
      `ZeRO-${zero}: ${(held / 1e6).toFixed(1)} MB on rank 0, ${(formula / 1e6).toFixed(1)} by the formula`,
    );
    return Math.max(...errors);
  };
  return { zero1MemoryError: errorOf(1), zero2MemoryError: errorOf(2) };
};
