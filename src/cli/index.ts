/** The command line: a table of verbs, each loaded only when it is called, and one place where errors end. */
import { createRequire } from "node:module";
import { Command, CommanderError } from "commander";
import pc from "picocolors";
import { requireHandles } from "../node/runtime/resources.ts";
import { type VerbName, verbs } from "./flags/flags.ts";
import { withHelp } from "./flags/help.ts";
import { exitCodeOf } from "./process/exit.ts";
import { errorText, failureOf } from "./process/failure.ts";
import { beforeTelling } from "./process/ranks.ts";
import { printJson, wantsColor } from "./terminal/terminal.ts";

/** A verb adds itself to the program; its examples stand below its help. */
export type Verb = { readonly register: (command: Command) => void; readonly examples: string };

const loaders: Readonly<Record<VerbName, () => Promise<Verb>>> = {
  quickstart: () => import("./quickstart.ts"),
  data: () => import("./data.ts"),
  train: () => import("./train.ts"),
  finetune: () => import("./finetune.ts"),
  sweep: () => import("./sweep.ts"),
  optimize: () => import("./optimize.ts"),
  eval: () => import("./eval.ts"),
  compare: () => import("./compare.ts"),
  generate: () => import("./generate.ts"),
  distill: () => import("./distill.ts"),
  quantize: () => import("./quantize.ts"),
  prune: () => import("./prune.ts"),
  export: () => import("./export.ts"),
  verify: () => import("./verify.ts"),
  launch: () => import("./launch.ts"),
  doctor: () => import("./doctor.ts"),
};

const examples = `
Examples:
  $ npx anneal quickstart                          everything, on the text that every installation has
  $ npx anneal quickstart --data notes/ --max-mb 2 your text, your budget
  $ npx anneal generate anneal-out/model --prompt "Once"
  $ npx anneal <command> --help                    its options and examples; --help all: every one`;

const build = async (argv: readonly string[]): Promise<Command> => {
  const { version } = createRequire(import.meta.url)("../../package.json") as { version: string };
  const program = new Command("anneal")
    .description("Make a language model fit a budget: from raw text to a small, fast, verified ONNX model.")
    .version(version)
    .option("--no-color", "no colours")
    .option("--verbose", "show the stack of errors")
    .configureOutput({ outputError: () => {} })
    .addHelpText("after", examples)
    .exitOverride();
  const called = argv.find((word) => !word.startsWith("-"));
  for (const [name, about] of Object.entries(verbs)) {
    const command = program.command(name).description(about).exitOverride();
    if (name !== called && !(called === "help" && argv.includes(name))) continue;
    const { register, examples } = await loaders[name as VerbName]();
    register(command);
    withHelp(command, argv, examples);
  }
  return program;
};

/** Says what went wrong: as JSON on stdout where that was asked for, else as a block on stderr. */
const report = (error: unknown, argv: readonly string[], rank: string): void => {
  const verbose = argv.includes("--verbose");
  const found = failureOf(error, verbose, argv[0]);
  const failure = { ...found, message: rank + found.message };
  if (argv.includes("--json")) printJson({ error: failure });
  // What is left of a progress line would stand before the message.
  else
    process.stderr.write(
      (process.stderr.isTTY ? "\r\x1b[2K" : "") +
        errorText(failure, pc.createColors(wantsColor(process.stderr))),
    );
};

/** A reader of stdout or stderr that has had enough, such as `head`, ends the command without complaint. */
const endOnClosedPipe = (): void => {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      process.exit(process.exitCode ?? 0);
    });
  }
};

/** Runs a command line (without node and script); sets process.exitCode. */
export const main = async (argv: readonly string[]): Promise<void> => {
  endOnClosedPipe();
  if (argv.includes("--no-color")) process.env.NO_COLOR = "1";
  try {
    requireHandles();
    const program = await build(argv);
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync([...argv], { from: "user" });
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    const printsItself = error instanceof CommanderError && /^commander\.(help|version)/.test(error.code);
    if (!printsItself) report(error, argv, await beforeTelling());
  }
};
