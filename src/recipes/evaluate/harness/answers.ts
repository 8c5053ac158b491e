/** What becomes of generated answers: filters, and when one is exactly right. */
import { ConfigError } from "../../../util/errors.ts";
import type { HarnessFilter, HarnessMetric, HarnessTask } from "./taskFile.ts";

const NOTHING = "[invalid]";

/** Python's pattern as one of JavaScript. Throws ConfigError where it is none. */
const patternOf = (source: string, flags: string, field: string): RegExp => {
  try {
    return new RegExp(source.replace(/\(\?P</g, "(?<"), `${flags}u`);
  } catch (cause) {
    throw new ConfigError(`is no pattern that is understood: ${source}`, { field, cause });
  }
};

/** The group of a match that holds something. */
const groupOf = ([whole, ...groups]: RegExpMatchArray): string =>
  groups.length === 0 ? whole : (groups.find((group) => group !== undefined && group !== "") ?? "");

const steps: Readonly<Record<HarnessFilter["function"], (text: string, filter: HarnessFilter) => string>> = {
  take_first: (text) => text,
  lowercase: (text) => text.toLowerCase(),
  uppercase: (text) => text.toUpperCase(),
  remove_whitespace: (text) => text.trimStart(),
  regex: (text, { regex_pattern, group_select = 0, fallback = NOTHING }) => {
    const pattern = patternOf(regex_pattern ?? "#### (\\-?[0-9\\.\\,]+)", "g", "filter_list.regex_pattern");
    const found = [...text.matchAll(pattern)].at(group_select);
    return found === undefined ? fallback : groupOf(found).trim();
  },
};

/** An answer behind the task's filters. */
export const filtered = (text: string, { filter_list: lists = [] }: HarnessTask): string =>
  lists.flatMap(({ filter }) => filter).reduce((made, filter) => steps[filter.function](made, filter), text);

const PUNCTUATION = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g;

/** Whether an answer is the target, but for what the metric does not look at. */
export const isExact = (answer: string, target: string, metric: HarnessMetric): boolean => {
  const plain = (text: string): string => {
    const patterns = metric.regexes_to_ignore ?? [];
    const rest = patterns.reduce(
      (made, pattern) => made.replace(patternOf(pattern, "g", "metric_list.regexes_to_ignore"), ""),
      text,
    );
    const cased = metric.ignore_case ? rest.toLowerCase() : rest;
    const unmarked = metric.ignore_punctuation ? cased.replace(PUNCTUATION, "") : cased;
    return metric.ignore_numbers ? unmarked.replace(/[0-9]/g, "") : unmarked;
  };
  return plain(answer) === plain(target);
};
