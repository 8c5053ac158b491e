/** Which weights a run leaves as they are. */
import type { Weights } from "../../nn/param.ts";
import { tensorsOf } from "../../nn/param.ts";
import { ConfigError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import { wildcard } from "../../util/wildcard.ts";

/**
 * Whether a weight's dotted path is one of `patterns`, where * stands for anything. Throws ConfigError for a
 * pattern that names no weight.
 */
export const freezing = (patterns: readonly string[], weights: Weights): ((path: string) => boolean) => {
  const paths = Array.from(tensorsOf(weights), ([path]) => path);
  const tests = patterns.map((pattern) => {
    const test = wildcard(pattern);
    if (paths.some(test)) return test;
    const near = nearest(pattern, paths) ?? paths[0];
    throw new ConfigError(`${JSON.stringify(pattern)} names no weight of the model`, {
      field: "train.freeze",
      hint: `weights are named like ${near}; * stands for anything`,
    });
  });
  return (path) => tests.some((test) => test(path));
};
