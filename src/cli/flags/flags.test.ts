/** The table of flags against the options that they set, and the defaults and choices that the help shows. */
import { Command } from "commander";
import { describe, expect, it, test } from "vitest";
import { defaults } from "../../recipes/config/options.ts";
import { fieldPaths, fieldType, parseConfig } from "../../recipes/config/schema.ts";
import { sharedFlags, type VerbName, verbs } from "./flags.ts";
import { helpAsked, withHelp } from "./help.ts";
import { flagsToConfig, withFlags } from "./options.ts";

const setting = sharedFlags.flatMap((flag) =>
  flag.field === undefined ? [] : [{ ...flag, field: flag.field }],
);
/** Words that the schema takes for a field. */
const wordsOf = (field: string): string[] => {
  if (field.endsWith("Sec")) return ["1s"];
  const { kind, choices, ofNumbers } = fieldType(field);
  if (kind === "boolean") return [];
  return [choices?.[0] ?? (kind === "number" || ofNumbers ? "1" : "word")];
};
const expectedOf = (field: string): unknown => {
  const { kind, ofNumbers } = fieldType(field);
  const [word] = wordsOf(field);
  return { boolean: true, number: 1, array: [ofNumbers ? 1 : word], string: word, enum: word }[kind];
};

it.each(setting)(
  "$flag sets $field and nothing else, for each of its verbs",
  ({ name, field, verbs: its }) => {
    expect(fieldPaths).toContain(field);
    for (const verb of its) {
      const command = withFlags(new Command(), verb).exitOverride();
      command.parse([name, ...wordsOf(field)], { from: "user" });
      const config = flagsToConfig(command);
      const path = field.split(".");
      expect(path.reduce<unknown>((node, key) => (node as Record<string, unknown>)[key], config)).toEqual(
        expectedOf(field),
      );
      expect(JSON.stringify(config).match(/:/g)).toHaveLength(path.length);
      expect(parseConfig(config)).toEqual(config);
    }
  },
);

it("every field of the options has one flag, and no two flags share a name", () => {
  expect(setting.map(({ field }) => field).sort()).toEqual([...fieldPaths].sort());
  expect(new Set(sharedFlags.map(({ name }) => name)).size).toBe(sharedFlags.length);
});

it("what users say for a task is its name", () => {
  const command = withFlags(new Command(), "optimize").exitOverride();
  command.parse(["--task", "classify"], { from: "user" });
  expect(flagsToConfig(command)).toEqual({ task: { name: "sequence-classification" } });
});

it("flags that are not given set nothing", () => {
  for (const verb of Object.keys(verbs) as VerbName[]) {
    const command = withFlags(new Command(), verb);
    command.parse([], { from: "user" });
    expect(flagsToConfig(command)).toEqual({});
  }
});

describe("help", () => {
  const helpOf = (verb: VerbName, ...argv: string[]): string => {
    const command = withFlags(new Command(verb), verb).configureOutput({ getOutHelpWidth: () => 500 });
    withHelp(command, argv, "Examples:");
    return command.helpInformation();
  };
  test("shows the defaults and choices of the fields themselves", () => {
    const help = helpOf("train", "--help", "all");
    expect(help).toMatch(/--tokenizer <kind> +kind of tokenizer: bpe, char \(default: bpe\)\n/);
    expect(help).toMatch(/--threads <n> +threads of the engine \(default 0: all cores\)\n/);
    expect(help).toMatch(/--clip-norm <x> +largest global norm of gradients; 0: none \(default: 1\)\n/);
    expect(help).toContain(`updates (default: ${defaults.train.steps})`);
    expect(help).toMatch(/--field <name> +field of JSON and CSV records with the text\n/);
  });

  test("counts what it leaves out, and leaves nothing out when all is asked for", () => {
    const [common, all] = [helpOf("optimize", "--help"), helpOf("optimize", "--help", "all")];
    const lines = (text: string): number => text.match(/^ {2}-/gm)!.length;
    expect(common).toContain(`all: with ${lines(all) - lines(common)} more options`);
    expect(all).toContain("--distill-alpha");
    expect(common).not.toContain("--distill-alpha");
  });

  test.each<[string, string | undefined]>([
    ["train --help", "common"],
    ["train -h", "common"],
    ["train --data x --help all", "all"],
    ["help train", "common"],
    ["help train all", "all"],
    ["train --data all", undefined],
  ])("%s asks for %s", (line, asked) => {
    expect(helpAsked(line.split(" "))).toBe(asked);
  });
});
