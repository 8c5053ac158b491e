/** anneal finetune */
import type { Command } from "commander";
import { finetune } from "../recipes/finetune/finetune.ts";
import { withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { print, printJson } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal finetune my-bert/model --data reviews.csv --out sentiment
  $ npx anneal finetune microsoft/MiniLM-L12-H384-uncased --data train.jsonl --validation dev.jsonl
  $ npx anneal finetune my-bert/model --data rows.tsv --columns text label --epochs 5 --patience 2`;

/** Adds the verb `finetune`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name");
  withFlags(command, "finetune").action((ref: string) =>
    runRecipe(command, async (options, hooks, json) => {
      const made = await finetune(ref, options, hooks);
      if (made === undefined) return;
      const { path, figure } = made;
      if (json) return printJson(made);
      const { data } = options;
      const next = `\nNext:
  npx anneal eval ${path} --data TEST
  npx anneal optimize ${path} --data ${data.paths.join(" ")} --max-mb 10
  npx anneal verify ${path}\n`;
      print(`${path}${figure === undefined ? "" : `: ${figure.name} ${figure.value.toFixed(4)}`}\n${next}`);
    }),
  );
};
