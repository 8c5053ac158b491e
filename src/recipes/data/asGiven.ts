/** Text that a model is looked at on, and not taught by. */
import type { RunOptions } from "../config/options.ts";

/** The user's own text is taken as it is: nothing is dropped from what they chose to look at. */
export const asGiven = (run: RunOptions): RunOptions =>
  run.data.paths.length === 0
    ? run
    : { ...run, data: { ...run.data, rules: ["none"], near: "off", lines: "off" } };
