/** anneal eval */
import type { Command } from "commander";
import { evaluateFolder } from "../recipes/use.ts";
import { withFlags } from "./flags.ts";
import { withHubFlags } from "./hub.ts";
import { runRecipe } from "./run.ts";
import { print, printJson, table } from "./terminal.ts";

const examples = `
Examples:
  $ npx anneal eval anneal-out/model                     on the held-out part of the default text
  $ npx anneal eval anneal-out/model --data other.txt --validation-share 0.9 --dtype q8 --json`;

export const register = (command: Command): void => {
  command
    .argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name")
    .option("--dtype <dtype>", "fp32, fp16, q8, int8, uint8, q4 or q4f16 (default: the folder's)");
  withFlags(withHubFlags(command), "data", "run")
    .addHelpText("after", examples)
    .action((ref: string, { dtype }: { dtype?: string }) =>
      runRecipe(command, async (options, hooks, json) => {
        const figures = await evaluateFolder(ref, dtype, options, hooks);
        const rows = Object.entries(figures);
        const text = table(rows, [
          { title: "figure", of: ([name]) => name, align: "left" },
          { title: "value", of: ([, v]) => (typeof v === "number" ? String(Number(v.toPrecision(5))) : v) },
        ]);
        if (json) printJson(figures);
        else print(`${text}\n`);
      }),
    );
};
