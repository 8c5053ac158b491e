/** All rules of single documents by name, the presets of their thresholds, and the choice of a run. */
import { ConfigError } from "../../util/errors.ts";
import { nameHint } from "../../util/nearest.ts";
import { type C4Rule, c4 } from "./c4.ts";
import { fineweb } from "./fineweb.ts";
import { gopherQuality, gopherRepetition } from "./gopher.ts";
import type { Rule } from "./rule.ts";

/** Every rule, in the order in which they are measured. */
export const rules: readonly (Rule | C4Rule)[] = [...gopherRepetition, ...gopherQuality, ...c4, ...fineweb];

const byName = new Map(rules.map((rule) => [rule.name, rule]));

const ownThresholds = (of: readonly (Rule | C4Rule)[]): ReadonlyMap<string, number> =>
  new Map(of.map(({ name, threshold }) => [name, threshold]));

/**
 * Thresholds of each preset. "gopher", "c4" and "fineweb" are the papers', made for web pages in English: of
 * notes, mails, short records or other languages they would drop most. "default" takes only what is of no use
 * to any model, whatever the length or language: texts of which most is repetition, or in which hardly a word
 * has a letter (dumps of numbers).
 */
export const presets = {
  none: new Map<string, number>(),
  default: new Map([
    ["gopher.maxDuplicateParagraphChars", 0.5],
    ["gopher.maxDuplicateLineChars", 0.5],
    ["gopher.maxDuplicate10Grams", 0.5],
    ["gopher.minAlphabeticWords", 0.1],
  ]),
  gopher: ownThresholds([...gopherRepetition, ...gopherQuality]),
  c4: ownThresholds(c4),
  fineweb: ownThresholds(fineweb),
} as const satisfies Record<string, ReadonlyMap<string, number>>;

/** The name of a set of thresholds. */
export type PresetName = keyof typeof presets;

/** Which rules hold, with which thresholds. */
export interface RuleOptions {
  /** Whose thresholds hold; several are put together, a later one's hold. Default "default". */
  readonly preset?: PresetName | readonly PresetName[];
  /** Thresholds by the name of the rule, which turn it on; null turns it off. */
  readonly rules?: Readonly<Record<string, number | null>>;
}

const presetOf = (name: string): ReadonlyMap<string, number> => {
  if (Object.hasOwn(presets, name)) return presets[name as PresetName];
  throw new ConfigError(`there is no preset "${name}"`, {
    field: "filter.preset",
    hint: nameHint(name, Object.keys(presets)),
  });
};

/**
 * The threshold of each rule that is on. Throws a ConfigError that names the nearest rule for an unknown
 * name, and for a threshold that is not a number.
 */
export const resolveRules = ({
  preset = "default",
  rules: given = {},
}: RuleOptions = {}): Map<string, number> => {
  const result = new Map<string, number>();
  for (const name of [preset].flat()) for (const [rule, value] of presetOf(name)) result.set(rule, value);
  for (const [name, value] of Object.entries(given)) {
    const field = `filter.rules.${name}`;
    if (!byName.has(name)) {
      throw new ConfigError(`there is no rule "${name}"`, {
        field,
        hint: nameHint(name, Array.from(byName.keys())),
      });
    }
    if (value === null) result.delete(name);
    else if (typeof value === "number" && Number.isFinite(value)) result.set(name, value);
    else throw new ConfigError("a threshold is a number, or null for none", { field });
  }
  return result;
};
