/** anneal optimize */
import type { Command } from "commander";
import { optimizeData } from "../recipes/optimize/fromData.ts";
import { optimizeFolder } from "../recipes/optimize/optimize.ts";
import { withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { BUDGET_NOT_MET, printOutcome } from "./terminal/outcome.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal optimize novel/model --data book.txt --max-mb 1 --out novel-small
  $ npx anneal optimize my-model --data book.txt --max-mb 5 --max-ms 4 --time 30m
  $ npx anneal optimize --data reviews.csv --task classify --max-mb 1 --time 20m
Without a limit on what it costs, the smallest model that keeps enough quality is chosen.`;

/** Adds the verb `optimize`. */
export const register = (command: Command): void => {
  command.argument("[model]", "a folder, a GGUF file, or a model of the Hub; without: one is trained");
  withFlags(command, "optimize").action((ref: string | undefined) =>
    runRecipe(command, async (options, hooks, json) => {
      const from = ref === undefined ? optimizeData(options, hooks) : optimizeFolder(ref, options, hooks);
      const outcome = await from;
      if (outcome === undefined) return;
      printOutcome(outcome, json);
      if (!outcome.optimized.choice.met) process.exitCode = BUDGET_NOT_MET;
    }),
  );
};
