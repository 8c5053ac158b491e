/** anneal quickstart */
import type { Command } from "commander";
import { quickstart } from "../recipes/quickstart.ts";
import { withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { BUDGET_NOT_MET, printOutcome } from "./terminal/outcome.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal quickstart                          the prose under node_modules; 2 minutes
  $ npx anneal quickstart --data docs/ "posts/*.md.gz" --vocab 4096
  $ npx anneal quickstart --max-mb 1 --max-ms 0.5  the best of at most 1 MB, 0.5 ms a token
  $ npx anneal quickstart --resume                 go on where it was interrupted`;

/** Adds the verb `quickstart`. */
export const register = (command: Command): void => {
  withFlags(command, "quickstart").action(() =>
    runRecipe(command, async (options, hooks, json) => {
      const outcome = await quickstart(options, hooks);
      if (outcome === undefined) return;
      printOutcome(outcome, json);
      if (!outcome.optimized.choice.met) process.exitCode = BUDGET_NOT_MET;
    }),
  );
};
