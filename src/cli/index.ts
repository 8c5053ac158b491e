/** The command line: a table of verbs, each loaded only when it is called, and one place where errors end. */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import pc from "picocolors";
import { AnnealError } from "../util/errors.ts";
import { exitCodeOf } from "./exit.ts";
import { escaped, wantsColor } from "./terminal.ts";

/** A verb adds itself to the program. */
export type Verb = { readonly register: (command: Command) => void };

const verbs: Readonly<Record<string, { readonly about: string; readonly load: () => Promise<Verb> }>> = {
  quickstart: { about: "from raw text to a small, fast, verified model", load: () => import("./quickstart.ts") },
  train: { about: "train a model on text", load: () => import("./train.ts") },
  optimize: { about: "make a trained model fit a budget", load: () => import("./optimize.ts") },
  eval: { about: "measure a model's quality and speed", load: () => import("./eval.ts") },
  generate: { about: "write text with a model", load: () => import("./generate.ts") },
  doctor: { about: "check this machine and installation", load: () => import("./doctor.ts") },
};

const examples = `
Examples:
  $ npx anneal quickstart                          everything, on the text that every installation has
  $ npx anneal quickstart --data notes/ --max-mb 2 your text, your budget
  $ npx anneal generate anneal-out/model --prompt "Once"
  $ npx anneal <command> --help                    options and examples of a command`;

const build = async (argv: readonly string[]): Promise<Command> => {
  const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };
  const program = new Command("anneal")
    .description("Make a language model fit a budget: from raw text to a small, fast, verified ONNX model.")
    .version(version)
    .option("--no-color", "no colours")
    .option("--verbose", "show the stack of errors")
    .showHelpAfterError("(add --help for the options and examples)")
    .showSuggestionAfterError()
    .addHelpText("after", examples)
    .exitOverride();
  const called = argv.find((word) => !word.startsWith("-"));
  for (const [name, { about, load }] of Object.entries(verbs)) {
    const command = program.command(name).description(about).exitOverride().showHelpAfterError();
    command.option("--no-color", "no colours").option("--verbose", "show the stack of errors");
    if (name === called || (called === "help" && argv.includes(name))) (await load()).register(command);
  }
  return program;
};

const report = (error: unknown, argv: readonly string[]): void => {
  const known = error instanceof AnnealError;
  const message = error instanceof Error ? error.message : String(error);
  const hint = known ? error.details.hint : undefined;
  if (argv.includes("--json")) {
    const name = error instanceof Error ? error.name : "Error";
    process.stdout.write(`${JSON.stringify({ error: { name, message, hint } })}\n`);
  }
  const color = pc.createColors(wantsColor(process.stderr, !argv.includes("--no-color")));
  process.stderr.write(`${color.red("error:")} ${escaped(message)}\n`);
  if (hint !== undefined) process.stderr.write(`${color.cyan("hint:")} ${escaped(hint)}\n`);
  if (!known || argv.includes("--verbose")) process.stderr.write(`${(error as Error).stack ?? ""}\n`);
  if (!known) process.stderr.write("This is a mistake of anneal's own: please report it with the lines above.\n");
};

/** Runs a command line (without node and script); sets process.exitCode. */
export const main = async (argv: readonly string[]): Promise<void> => {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
  if (argv.includes("--no-color")) process.env.NO_COLOR = "1";
  try {
    const program = await build(argv);
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    report(error, argv);
    process.exitCode = exitCodeOf(error);
  }
};
