/** anneal compare */
import type { Command } from "commander";
import { compareModels } from "../recipes/compare/compare.ts";
import type { CompareOptions } from "../recipes/compare/comparison.ts";
import { defined } from "../util/defined.ts";
import { dtypeFlag, type Group } from "./flags/flags.ts";
import { numberFrom, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { printComparison } from "./terminal/compared.ts";
import { BUDGET_NOT_MET } from "./terminal/outcome.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal compare my-model my-model#q8 --data reviews.csv --min-retention 0.98
  $ npx anneal compare old/model new/model --data book.txt --max-ms 5 --limit "sizeBytes<=0.5x"
  $ npx anneal compare m#fp32 m#q4 --data pairs.csv --min-retention 0.97 --sure --json
FOLDER#DTYPE is one dtype of a folder. Shares are of the first model. Exit 5: a limit is not kept.`;

const groups: readonly Group[] = [
  { title: "Models", flags: [{ ...dtypeFlag, help: "of both, where a model is not named as FOLDER#DTYPE" }] },
  {
    title: "Comparison",
    flags: [
      {
        flag: "--min-retention <x>",
        help: "least share of the first model's figure that the second keeps, such as 0.98",
        parse: numberFrom(0),
        common: true,
      },
      {
        flag: "--turns <n>",
        help: "how often speed is measured, of both in turns; 0: not at all (default: 6)",
        parse: numberFrom(0, { whole: true }),
        common: true,
      },
      { flag: "--sure", help: "a limit that noise leaves open is not kept", common: true },
      {
        flag: "--limit-examples <n>",
        help: "most pairs that are measured (default: 200 to translate, all that are scored)",
        parse: numberFrom(1, { whole: true }),
      },
      {
        flag: "--reference <model>",
        help: "whom both are told against: of preferences, the untouched model",
      },
    ],
  },
];

interface Given extends CompareOptions {
  readonly limitExamples?: number;
}

/** Adds the verb `compare`. */
export const register = (command: Command): void => {
  command
    .argument("<first>", "a model's folder, GGUF file or name on the Hub; FOLDER#DTYPE for one dtype")
    .argument("<second>", "what is compared with it");
  withFlags(command, "compare", groups).action((first: string, second: string, given: Given) =>
    runRecipe(command, async (options, hooks, json) => {
      const { dtype, minRetention, turns, sure, reference, limitExamples: limit } = given;
      const asked = defined({ dtype, minRetention, turns, sure, reference, limit });
      const comparison = await compareModels([first, second], asked, options, hooks);
      printComparison(comparison, json);
      if (!comparison.met) process.exitCode = BUDGET_NOT_MET;
    }),
  );
};
