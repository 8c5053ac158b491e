/** anneal prune */
import type { Command } from "commander";
import { importances } from "../compress/pruning/importance.ts";
import { sparsityMethods } from "../compress/sparsity/sparsify.ts";
import { pruneColumns, pruneRows } from "../recipes/prune/card.ts";
import { layerMeasures, PRUNE_TOKENS, type PruneFolderOptions } from "../recipes/prune/options.ts";
import { type PrunePrediction, predictPruned } from "../recipes/prune/predict.ts";
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
  $ npx anneal prune my-model --neurons 0.5 --data notes/            half of each MLP, refitted
  $ npx anneal prune my-model --neurons 0.5 --data notes/ --recover 300  and taught
  $ npx anneal prune org/name --cut-vocab --data notes/ --out mine   the tokens that notes/ have`;

interface Given extends Omit<PruneFolderOptions, "tokens"> {
  readonly recover: number;
  readonly calibrationTokens: number;
  readonly restore: boolean;
  readonly dryRun?: boolean;
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
      {
        flag: "--neurons <x>",
        help: "neurons of each MLP that stay: a share (0.5) or a number",
        parse: numberFrom(0),
        ...common,
      },
      {
        flag: "--heads <x>",
        help: "query heads of each attention that stay: a share or a number",
        parse: numberFrom(0),
        ...common,
      },
      {
        flag: "--width <x>",
        help: "channels of the hidden states that stay: a share or a number (Llama, Qwen)",
        parse: numberFrom(0),
        ...common,
      },
      {
        flag: "--sparsity <x>",
        help: "part of each matrix that is made 0: 0.5, 2:4; files shrink by compression, speed stays",
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
      { flag: "--dry-run", help: "say what it would give, and write nothing", ...common },
      { flag: "--out <dir>", help: "the folder to write", fallback: "anneal-out/pruned", ...common },
      {
        flag: "--importance <name>",
        help: `what neurons and heads are chosen by: ${importances.join(", ")}`,
        fallback: "activation",
      },
      {
        flag: "--layers-by <name>",
        help: `what layers are chosen by: ${layerMeasures.join(", ")}`,
        fallback: "loss",
      },
      {
        flag: "--method <name>",
        help: `how numbers are chosen that are made 0: ${Object.keys(sparsityMethods).join(", ")}`,
        fallback: "sparsegpt",
      },
      { flag: "--allocate", help: "of --sparsity: matrices have shares of their own, by what zeros cost" },
      { flag: "--no-restore", help: "leave what is left as it was: no fit to the whole model" },
      {
        flag: "--calibration-tokens <n>",
        help: "tokens that units are chosen and fitted by, at most",
        parse: whole(1),
        fallback: PRUNE_TOKENS,
      },
    ],
  },
];

const printResult = (made: PrunedFolder): void => {
  const { path, seconds } = made;
  const text = table(pruneRows(made), [
    { title: "model", of: ({ name }) => name, align: "left" },
    ...pruneColumns(made),
  ]);
  print(`${text}\n\n${path}, in ${seconds.toFixed(0)} s; next: npx anneal optimize ${path} --data ...\n`);
};

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);

const printPrediction = ({ before, after, rounds, memoryBytes }: PrunePrediction): void => {
  const rows = [
    { name: "whole", ...before },
    { name: "cut", ...after },
  ];
  const text = table(rows, [
    { title: "model", of: ({ name }) => name, align: "left" },
    { title: "M params", of: ({ params }) => (params / 1e6).toFixed(2) },
    { title: "MB in float32", of: ({ sizeBytes }) => megabytes(sizeBytes) },
    { title: "KB of cache a token", of: ({ cacheBytesPerToken: each }) => (each / 1e3).toFixed(1) },
  ]);
  const how = rounds > 1 ? `In ${rounds} rounds. ` : "";
  print(
    `${text}\n\n${how}It would take about ${megabytes(memoryBytes)} MB of memory. Nothing was written.\n`,
  );
};

/** Adds the verb `prune`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder, or a model of the Hub as org/name");
  withFlags(command, "prune", groups).action((ref: string, { dryRun = false, ...given }: Given) =>
    runRecipe(command, async (run, hooks, json) => {
      const { calibrationTokens: tokens, out, recover, restore } = given;
      const { layers, neurons, heads, width, cutVocab, sparsity } = given;
      const { allocate, importance, layersBy, method } = given;
      const options = {
        ...{ out, recover, restore, tokens },
        ...defined({ layers, neurons, heads, width, cutVocab, sparsity }),
        ...defined({ allocate, importance, layersBy, method }),
      };
      if (dryRun) {
        const found = await predictPruned(ref, options, hooks);
        return json ? printJson(found) : printPrediction(found);
      }
      const made = await pruneFolder(ref, options, run, hooks);
      if (json) printJson(made);
      else printResult(made);
    }),
  );
};
