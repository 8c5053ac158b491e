/** What the verbs that run a recipe have in common: options, progress, interruption, the exit code. */
import type { Command } from "commander";
import { withoutSecrets } from "../../node/redis/address.ts";
import type { RunOptions } from "../../recipes/config/options.ts";
import { configHash, resolveOptions } from "../../recipes/config/resolve.ts";
import type { RecipeHooks } from "../../recipes/context/hooks.ts";
import { silent } from "../../recipes/context/ui.ts";
import { requireMeaning, withoutEffect } from "../flags/effects.ts";
import type { VerbName } from "../flags/flags.ts";
import { baseOf, flagsToConfig } from "../flags/options.ts";
import { inLine, print, printJson, terminalUi } from "../terminal/terminal.ts";
import { Interrupted } from "./exit.ts";
import { type HubFlags, hubOptions } from "./hub.ts";
import { interruptible } from "./interrupt.ts";
import { joinRanks, type RankFlags, withThreads } from "./ranks.ts";
import { requireAlone, type WorkerFlags } from "./workers.ts";

interface Common extends HubFlags, RankFlags, WorkerFlags {
  readonly config?: string;
  readonly set?: readonly string[];
  readonly printConfig?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly resume?: boolean;
}

/** A word as a shell takes it. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** The command line as it was given, to be given again; without passwords, for it is written down. */
export const commandLine = (): string =>
  ["npx anneal", ...process.argv.slice(2).map((word) => quoted(withoutSecrets(word)))].join(" ");

/** A config file that says the same, or one JSON object. */
const printConfig = async (options: RunOptions, json: boolean): Promise<void> => {
  const hash = configHash(options);
  const { stringify } = await import("yaml");
  if (json) printJson({ hash, config: options });
  else print(`# hash ${hash}\n${stringify(options)}`);
};

const sayInterrupted = (command: Command, exitCode: number, json: boolean): void => {
  const resumes = command.options.some(({ long }) => long === "--resume");
  const next = resumes ? `; go on with: ${commandLine().replace(/ --resume\b/, "")} --resume` : "";
  process.stderr.write(`interrupted${inLine(next)}\n`);
  if (json) printJson({ interrupted: true, exitCode });
  process.exitCode = exitCode;
};

/**
 * Resolves the options, as `verb` takes them, and runs `work`; nothing runs under --print-config.
 */
export const runRecipe = async (
  command: Command,
  work: (options: RunOptions, hooks: RecipeHooks, json: boolean) => Promise<void>,
  verb = command.name() as VerbName,
): Promise<void> => {
  const given = command.opts<Common>();
  const flags = flagsToConfig(command);
  const file = given.config === undefined ? {} : { config: given.config };
  const sets = given.set ?? [];
  requireMeaning(sets, verb);
  const options = withThreads(verb, await resolveOptions({ ...file, sets, flags, base: baseOf(verb) }));
  const json = given.json ?? false;
  if (given.printConfig) return printConfig(options, json);
  const lost = withoutEffect(options, flags, verb);
  requireAlone(given.workers);
  const world = await joinRanks(verb, given);
  const first = world === undefined || world.collective.rank === 0;
  // What a quiet worker would warn of, the first process has said.
  const tells = first && !(given.join && given.quiet);
  const ui = tells ? terminalUi({ quiet: given.quiet ?? false }) : silent;
  for (const text of lost) ui.warn(text);
  const interrupt = interruptible({ quiet: !tells });
  const hooks = {
    ui,
    signal: interrupt.signal,
    command: commandLine(),
    hub: hubOptions(given, ui, interrupt.signal),
    ...(given.resume ? { resume: true } : {}),
    ...(given.join ? { joins: true } : {}),
    ...(given.workers === undefined ? {} : { workers: given.workers }),
    ...(world === undefined ? {} : { ranks: world }),
  };
  try {
    await work(options, hooks, json);
    await world?.leave();
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  } finally {
    interrupt.dispose();
  }
  const exitCode = interrupt.exitCode();
  if (exitCode !== undefined && first) sayInterrupted(command, exitCode, json);
};
