/** Commander's options of the table of flags, and the config that given ones stand for. */
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  defaults,
  distillDefaults,
  finetuneDefaults,
  type RunConfig,
  type RunOptions,
} from "../../recipes/config/options.ts";
import { fieldType } from "../../recipes/config/schema.ts";
import { ConfigError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import { type Flag, type Group, sections, sharedFlags, type VerbName } from "./flags.ts";

const number = (text: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new InvalidArgumentError(`"${text}" is not a number.`);
  return value;
};

/** Reads an option's number of at least `least`. Throws commander's InvalidArgumentError. */
export const numberFrom =
  (least: number, { most = Number.POSITIVE_INFINITY, whole = false } = {}) =>
  (text: string): number => {
    const value = number(text);
    if (value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
    const range = most === Number.POSITIVE_INFINITY ? `at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be ${whole ? "a whole number, " : ""}${range}.`);
  };

/** Reads names separated by commas. */
export const list = (text: string): string[] => text.split(",").map((name) => name.trim());

/** Reads one of these names. Throws commander's InvalidArgumentError. */
export const oneOf =
  (names: readonly string[]) =>
  (text: string): string => {
    if (names.includes(text)) return text;
    const near = nearest(text, names);
    const hint = near === undefined ? "" : `\n(Did you mean ${near}?)`;
    throw new InvalidArgumentError(`Allowed choices are ${names.join(", ")}.${hint}`);
  };

const at = (config: unknown, field: string): unknown =>
  field.split(".").reduce<unknown>((v, key) => (v as Record<string, unknown> | undefined)?.[key], config);

/** What holds for a verb where nothing is said. */
export const baseOf = (verb: VerbName): RunOptions => {
  if (verb === "finetune") return finetuneDefaults;
  return verb === "distill" ? distillDefaults : defaults;
};

/** What a field is where nothing is said, in words; "" for nothing. */
const fallbackOf = (field: string, base: RunOptions): string => {
  const value = at(base, field);
  return value === false ? "" : Array.isArray(value) ? value.join(" ") : String(value ?? "");
};

/** Such as "kind of tokenizer: bpe, char (default: bpe)" and "threads (default 0: all cores)". */
const described = ({ help, zero }: Flag, field: string, base: RunOptions): string => {
  const { choices } = fieldType(field);
  const fallback = fallbackOf(field, base);
  if (fallback === "0" && zero !== undefined) return `${help} (default 0: ${zero})`;
  if (fallback === "0" && help.includes("; 0: ")) return `${help.replace("; 0: ", " (default 0: ")})`;
  const shown = choices?.filter((choice) => choice !== "");
  const named = shown === undefined ? help : `${help}: ${shown.join(", ")}`;
  return fallback === "" ? named : `${named} (default: ${fallback})`;
};

const collect = (text: string, before: readonly string[] = []): readonly string[] => [...before, text];

const fieldOption = (flag: Flag, field: string, base: RunOptions): Option => {
  const { kind, choices, ofNumbers } = fieldType(field);
  const option = new Option(flag.flag, described(flag, field, base));
  if (flag.repeats) return option.argParser(collect);
  const { parse } = flag;
  if (choices !== undefined) {
    const one = oneOf(choices);
    return option.argParser((word) => one(parse === undefined ? word : String(parse(word))));
  }
  if (parse !== undefined) return option.argParser(parse);
  if (ofNumbers) return option.argParser((text, before: readonly number[] = []) => [...before, number(text)]);
  return kind === "number" ? option.argParser(number) : option;
};

const ownOption = ({ flag, help, parse, repeats, fallback, conflicts = [] }: Flag): Option => {
  const option = new Option(flag, help).conflicts(conflicts);
  if (parse !== undefined) option.argParser(parse);
  if (repeats) option.argParser(collect);
  return fallback === undefined ? option : option.default(fallback, String(fallback));
};

const optionOf = (flag: Flag, base: RunOptions): Option =>
  flag.field === undefined ? ownOption(flag) : fieldOption(flag, flag.field, base);

/** The groups of flags that mean something to a verb. */
const groupsOf = (verb: VerbName): readonly Group[] =>
  sections.map(({ title, verbs, flags }) => ({
    title,
    flags: flags.filter((flag) => (flag.verbs ?? verbs).includes(verb)),
  }));

const given = (command: Command, option: Option | undefined): boolean =>
  option !== undefined && command.getOptionValueSource(option.attributeName()) === "cli";

/** Throws ConfigError for a flag that does nothing without another. */
const checkNeeds = (command: Command, flags: readonly Flag[]): void => {
  const optionNamed = (name: string) => command.options.find(({ long }) => long === name);
  for (const { flag, needs } of flags) {
    const option = command.options.find(({ flags: words }) => words === flag);
    if (needs === undefined || !given(command, option) || given(command, optionNamed(needs))) continue;
    throw new ConfigError(`${option!.long} has no effect without ${needs}`, {
      hint: `add ${needs}, or leave ${option!.long} out`,
    });
  }
};

/** Adds the flags that mean something to a verb: its own, then those of the table. */
export const withFlags = (command: Command, verb: VerbName, own: readonly Group[] = []): Command => {
  const groups = [...own, ...groupsOf(verb)];
  for (const { title, flags } of groups) {
    for (const flag of flags) {
      const isCommon = flag.common === true || flag.common?.includes(verb);
      command.addOption(optionOf(flag, baseOf(verb)).helpGroup(`${title}:`).hideHelp(!isCommon));
    }
  }
  const all = groups.flatMap(({ flags }) => flags);
  return command.hook("preAction", () => checkNeeds(command, all));
};

/** The given flags as a config. */
export const flagsToConfig = (command: Command): RunConfig => {
  const config: Record<string, unknown> = {};
  for (const option of command.options) {
    const field = sharedFlags.find(({ flag }) => flag === option.flags)?.field;
    if (field === undefined || !given(command, option)) continue;
    const value: unknown = command.getOptionValue(option.attributeName());
    const [group, name] = field.split(".") as [string, string?];
    if (name === undefined) config[group] = value;
    else config[group] = { ...(config[group] as object | undefined), [name]: value };
  }
  return config as RunConfig;
};
