/** anneal eval */
import type { Command } from "commander";
import { evaluateFolder } from "../recipes/use.ts";
import { dtypeFlag, type Group } from "./flags.ts";
import { withFlags } from "./options.ts";
import { runRecipe } from "./run.ts";
import { print, printJson, table } from "./terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal eval anneal-out/model                     on the held-out part of the default text
  $ npx anneal eval anneal-out/model --data other.txt --validation-share 0.9 --dtype q8 --json`;

const modelGroup: Group = { title: "Model", flags: [dtypeFlag] };

/** Adds the verb `eval`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name");
  withFlags(command, "eval", [modelGroup]).action((ref: string, { dtype }: { dtype?: string }) =>
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
