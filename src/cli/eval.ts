/** anneal eval */
import type { Command } from "commander";
import { evaluateFolder } from "../recipes/use.ts";
import { withFlags } from "./flags.ts";
import { runRecipe } from "./run.ts";
import { table } from "./terminal.ts";

const examples = `
Examples:
  $ npx anneal eval anneal-out/model                     on the held-out part of the default text
  $ npx anneal eval anneal-out/model --data other.txt --validation-share 0.9 --dtype q8 --json`;

export const register = (command: Command): void => {
  command
    .argument("<dir>", "a model's folder")
    .option("--dtype <dtype>", "fp32, q8 or q4 (default: the folder's)");
  withFlags(command, "data", "run")
    .addHelpText("after", examples)
    .action((dir: string, { dtype }: { dtype?: string }) =>
      runRecipe(command, async (options, { ui }, json) => {
        const figures = await evaluateFolder(dir, dtype, options, ui);
        const rows = Object.entries(figures);
        const text = table(rows, [
          { title: "figure", of: ([name]) => name, align: "left" },
          { title: "value", of: ([, v]) => (typeof v === "number" ? String(Number(v.toPrecision(5))) : v) },
        ]);
        process.stdout.write(`${json ? JSON.stringify(figures) : text}\n`);
      }),
    );
};
