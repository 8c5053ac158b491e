/** The two lengths of a verb's help: what is common, and under `--help all` all of it. */
import { type Command, Option } from "commander";

/** "common" or "all" where the words ask for help; undefined where they do not. */
export const helpAsked = (argv: readonly string[]): "common" | "all" | undefined => {
  const at = argv.findIndex((word) => word === "-h" || word === "--help");
  if (at < 0) return argv[0] === "help" ? (argv[2] === "all" ? "all" : "common") : undefined;
  return argv[at + 1] === "all" ? "all" : "common";
};

/**
 * Shows the rare options too, unless the common ones are asked for: a guess at a mistyped option is made
 * among those that are shown.
 */
export const withHelp = (command: Command, argv: readonly string[], examples: string): void => {
  const rare = command.options.filter(({ hidden }) => hidden);
  if (helpAsked(argv) !== "common") for (const option of rare) option.hideHelp(false);
  const more = rare.length === 0 ? "this help" : `this help; all: with ${rare.length} more options`;
  command
    .addHelpOption(new Option("-h, --help [all]", more).helpGroup("Run:"))
    .configureHelp({ formatItemList: (heading, items) => (items.length === 0 ? [] : [heading, ...items]) })
    .addHelpText("after", `\n${examples.trim()}`);
};
