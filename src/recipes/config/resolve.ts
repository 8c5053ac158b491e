/** The options of a run, from where they can be given: defaults < config file < --set < flags. */
import { createHash } from "node:crypto";
import { ConfigError } from "../../util/errors.ts";
import { checkOptions } from "./check.ts";
import { findConfig, readConfig } from "./file.ts";
import { defaults, type RunConfig, type RunOptions } from "./options.ts";
import { isKnown, parseConfig, unknownField } from "./schema.ts";

/** Where options are given. */
export interface OptionSources {
  /** Path of the config file; else anneal.config.* of `cwd`, if there is one. */
  readonly config?: string;
  /** `key.path=value`, the value as JSON, or as text where that is no JSON. */
  readonly sets?: readonly string[];
  readonly flags?: RunConfig;
  /** What holds where nothing else is said; the defaults unless given. */
  readonly base?: RunOptions;
  /** Where the file is looked for; the working directory unless given. */
  readonly cwd?: string;
}

type Plain = { [key: string]: unknown };
const isPlain = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Only names that the schema knows reach this, so none can be `__proto__`. */
const merge = (base: unknown, over: unknown): unknown => {
  if (over === undefined) return base;
  if (!isPlain(base) || !isPlain(over)) return over;
  const merged: Plain = { ...base };
  for (const [key, value] of Object.entries(over)) merged[key] = merge(merged[key], value);
  return merged;
};

const nested = (path: readonly string[], value: unknown): unknown =>
  path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);

/** What a text can mean: JSON, a text, a list of texts. */
const readings = (text: string): unknown[] => {
  try {
    return [JSON.parse(text), text, text.split(",")];
  } catch {
    return [text, text.split(",")];
  }
};

/**
 * One `key.path=value` as a config. Throws ConfigError where the field is unknown or the value does not suit
 * it.
 */
export const parseSet = (set: string): RunConfig => {
  const equals = set.indexOf("=");
  if (equals < 1) {
    throw new ConfigError(`--set ${set} has no value`, {
      hint: "write --set key.path=value, as train.steps=100",
    });
  }
  const path = set.slice(0, equals).trim().split(".");
  if (!isKnown(path)) throw unknownField(path);
  let first: unknown;
  for (const value of readings(set.slice(equals + 1).trim())) {
    try {
      return parseConfig(nested(path, value));
    } catch (error) {
      first ??= error;
    }
  }
  throw first;
};

/**
 * Defaults that nobody asked for give way to what was asked for: a short run warms up for at most a quarter
 * of it.
 */
const fitted = (options: RunOptions, given: RunConfig): RunOptions => {
  const { train } = options;
  const warmup = given.train?.warmup ?? Math.min(train.warmup, Math.max(0, Math.floor(train.steps / 4)));
  const lrMin = given.train?.lrMin ?? Math.min(train.lrMin, Math.max(0, train.lrPeak / 10));
  return { ...options, train: { ...train, warmup, lrMin } };
};

/** All options of a run, checked. Throws ConfigError naming file, line and field. */
export const resolveOptions = async (sources: OptionSources = {}): Promise<RunOptions> => {
  const { sets = [], flags = {}, base = defaults, cwd = process.cwd() } = sources;
  const path = findConfig(sources.config, cwd);
  const file = path === undefined ? {} : await readConfig(path, cwd);
  const layers = [file, ...sets.map(parseSet), parseConfig(flags)];
  const given = layers.reduce<unknown>(merge, {}) as RunConfig;
  return checkOptions(fitted(merge(base, given) as RunOptions, given));
};

const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical);
  if (!isPlain(value)) return value;
  const keys = Object.keys(value).sort();
  return Object.fromEntries(keys.map((key) => [key, canonical(value[key])]));
};

/** SHA-256, in hex, of the options as JSON with sorted keys: equal options, equal hash. */
export const configHash = (options: RunOptions): string =>
  createHash("sha256")
    .update(JSON.stringify(canonical(options)))
    .digest("hex");
