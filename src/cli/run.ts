/** What the verbs that run a recipe have in common: options, progress, interruption, the exit code. */
import type { Command } from "commander";
import type { RunOptions } from "../recipes/options.ts";
import type { RecipeHooks } from "../recipes/quickstart.ts";
import { optionsHash, resolveOptions } from "./config.ts";
import { flagsToConfig } from "./flags.ts";
import { interruptible } from "./interrupt.ts";
import { terminalUi } from "./terminal.ts";

interface Common {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly printConfig?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly resume?: boolean;
}

/** The command line as it was given. */
const commandLine = (): string => ["npx anneal", ...process.argv.slice(2)].join(" ");

/** Resolves the options and runs `work`; nothing runs under --print-config. */
export const runRecipe = async (
  command: Command,
  work: (options: RunOptions, hooks: RecipeHooks, json: boolean) => Promise<void>,
): Promise<void> => {
  const given = command.opts<Common>();
  const flags = flagsToConfig(command);
  const file = given.config === undefined ? {} : { config: given.config };
  const options = await resolveOptions({ ...file, sets: given.set ?? [], flags });
  if (given.printConfig) {
    process.stdout.write(`${JSON.stringify({ hash: optionsHash(options), ...options }, null, 2)}\n`);
    return;
  }
  const ui = terminalUi({ quiet: given.quiet ?? false });
  const interrupt = interruptible((text) => ui.warn(text));
  const hooks = { ui, signal: interrupt.signal, command: commandLine(), ...(given.resume ? { resume: true } : {}) };
  try {
    await work(options, hooks, given.json ?? false);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
  } finally {
    interrupt.dispose();
  }
  if (interrupt.signal.aborted) {
    ui.warn(`interrupted; go on with: ${commandLine().replace(/ --resume\b/, "")} --resume`);
    process.exitCode = interrupt.exitCode() ?? 130;
  }
};
