/** anneal optimize */
import type { Command } from "commander";
import { optimizeFolder } from "../recipes/optimize/optimize.ts";
import { withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { BUDGET_NOT_MET, printOutcome } from "./terminal/outcome.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal optimize novel/model --data book.txt --max-mb 1 --out novel-small
  $ npx anneal optimize novel/model --data book.txt --max-loss 0.02 --distill-layers 3
  $ npx anneal optimize my-embedder --data notes/ --min-quality 0.98 --limit "p95Ms<=8"
Without a limit on what it costs, the smallest model that keeps enough quality is chosen.`;

/** Adds the verb `optimize`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name");
  withFlags(command, "optimize").action((ref: string) =>
    runRecipe(command, async (options, hooks, json) => {
      const outcome = await optimizeFolder(ref, options, hooks);
      printOutcome(outcome, json);
      if (!outcome.optimized.choice.met) process.exitCode = BUDGET_NOT_MET;
    }),
  );
};
