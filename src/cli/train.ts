/** anneal train */
import type { Command } from "commander";
import { findLrOnText } from "../recipes/train/pretrain.ts";
import { trainModel } from "../recipes/train/train.ts";
import { withFlags } from "./flags/options.ts";
import { commandLine, runRecipe } from "./process/run.ts";
import { printLrRange } from "./terminal/lrRange.ts";
import { print, printJson } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal train --data book.txt --steps 2000 --out novel
  $ npx anneal train --data notes/ --family bert --out my-bert
  $ npx anneal train --data pairs.jsonl --family marian --out my-translator
  $ npx anneal train --data book.txt --from HuggingFaceTB/SmolLM2-135M --lr 2e-4 --context 256
  $ npx anneal train --data book.txt --out novel --resume`;

/** Adds the verb `train`. */
export const register = (command: Command): void => {
  withFlags(command, "train").action((given: { readonly findLr?: boolean }) =>
    runRecipe(command, async (options, hooks, json) => {
      if (given.findLr) {
        const run = commandLine().replace(/ --(find-lr|json)\b/g, "");
        return printLrRange(await findLrOnText(options, hooks), { json, run });
      }
      const trained = await trainModel(options, hooks);
      if (trained === undefined) return;
      const { path } = trained;
      const use = trained.generates ? "generate" : "verify";
      const next = `\nNext:\n  npx anneal optimize ${path} --max-mb 1\n  npx anneal ${use} ${path}\n`;
      if (json) printJson(trained);
      else print(`${path}\n${next}`);
    }),
  );
};
