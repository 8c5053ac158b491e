/** anneal prune */
import type { Command } from "commander";
import { pruneRows } from "../recipes/prune/card.ts";
import { type PrunedFolder, pruneFolder } from "../recipes/prune/prune.ts";
import { defined } from "../util/defined.ts";
import type { Group } from "./flags/flags.ts";
import { numberFrom, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { print, printJson, table } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal prune my-model --layers 4 --data notes/               those that notes/ miss least
  $ npx anneal prune my-model --layers 4 --data notes/ --recover 300 and taught by the whole
  $ npx anneal prune org/name --cut-vocab --data notes/ --out mine   the tokens that notes/ have`;

interface Given {
  readonly layers?: number;
  readonly cutVocab?: boolean;
  readonly recover: number;
  readonly out: string;
}

const common = { common: true } as const;
const whole = (least: number) => numberFrom(least, { whole: true });
const groups: readonly Group[] = [
  {
    title: "Pruning",
    flags: [
      {
        flag: "--layers <n>",
        help: "layers that stay, chosen by what the absence of each costs",
        parse: whole(1),
        ...common,
      },
      { flag: "--cut-vocab", help: "keep only the tokens of your text", ...common },
      {
        flag: "--recover <n>",
        help: "updates in which the whole model teaches what is left of it",
        parse: whole(0),
        fallback: 0,
        ...common,
      },
      { flag: "--out <dir>", help: "the folder to write", fallback: "anneal-out/pruned", ...common },
    ],
  },
];

const printResult = (made: PrunedFolder): void => {
  const { unit, scored, path, seconds } = made;
  const rows = pruneRows(made).map(([name, form]) => ({ name, ...form }));
  const text = table(rows, [
    { title: "model", of: ({ name }) => name, align: "left" },
    { title: "layers", of: ({ layers }) => String(layers) },
    { title: "tokens", of: ({ tokens }) => String(tokens) },
    { title: "M params", of: ({ params }) => (params / 1e6).toFixed(2) },
    { title: `${unit} (${scored} held out)`, of: ({ score }) => score.toFixed(4) },
  ]);
  print(`${text}\n\n${path}, in ${seconds.toFixed(0)} s; next: npx anneal optimize ${path} --data ...\n`);
};

/** Adds the verb `prune`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder, or a model of the Hub as org/name");
  withFlags(command, "prune", groups).action((ref: string, { layers, cutVocab, recover, out }: Given) =>
    runRecipe(command, async (run, hooks, json) => {
      const made = await pruneFolder(ref, { out, recover, ...defined({ layers, cutVocab }) }, run, hooks);
      if (json) printJson(made);
      else printResult(made);
    }),
  );
};
