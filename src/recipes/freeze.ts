/** Which weights a run leaves as they are. */
import type { Weights } from "../nn/param.ts";
import { tensorsOf } from "../nn/param.ts";
import { ConfigError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";

const matches = (pattern: string): ((path: string) => boolean) => {
  const parts = pattern.split("*");
  const [first, last] = [parts[0]!, parts.at(-1)!];
  return (path) => {
    if (parts.length === 1) return path === pattern;
    let at = first.length;
    for (const part of parts.slice(1, -1)) {
      const found = path.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return path.startsWith(first) && path.endsWith(last) && path.length - last.length >= at;
  };
};

/**
 * Whether a weight's dotted path is one of `patterns`, where * stands for anything. Throws ConfigError for a
 * pattern that names no weight.
 */
export const freezing = (patterns: readonly string[], weights: Weights): ((path: string) => boolean) => {
  const paths = Array.from(tensorsOf(weights), ([path]) => path);
  const tests = patterns.map((pattern) => {
    const test = matches(pattern);
    if (paths.some(test)) return test;
    const near = nearest(pattern, paths) ?? paths[0];
    throw new ConfigError(`${JSON.stringify(pattern)} names no weight of the model`, {
      field: "train.freeze",
      hint: `weights are named like ${near}; * stands for anything`,
    });
  });
  return (path) => tests.some((test) => test(path));
};
