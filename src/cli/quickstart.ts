/** anneal quickstart */
import type { Command } from "commander";
import { quickstart } from "../recipes/quickstart.ts";
import { withFlags } from "./flags.ts";
import { BUDGET_NOT_MET, printOutcome } from "./outcome.ts";
import { runRecipe } from "./run.ts";

const examples = `
Examples:
  $ npx anneal quickstart                            the prose under node_modules; about 2 minutes
  $ npx anneal quickstart --data docs/ "posts/*.md.gz" --vocab 4096
  $ npx anneal quickstart --max-mb 1 --max-ms 0.5    the best model of at most 1 MB and 0.5 ms a token
  $ npx anneal quickstart --resume                   go on where it was interrupted`;

export const register = (command: Command): void => {
  withFlags(command, "data", "tokenizer", "model", "train", "distill", "budget", "run")
    .option("--resume", "go on from the newest checkpoint in OUT/run")
    .addHelpText("after", examples)
    .action(() =>
      runRecipe(command, async (options, hooks, json) => {
        const outcome = await quickstart(options, hooks);
        if (outcome === undefined) return;
        printOutcome(outcome, json);
        if (!outcome.optimized.choice.met) process.exitCode = BUDGET_NOT_MET;
      }),
    );
};
