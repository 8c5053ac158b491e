/** anneal eval */
import type { Command } from "commander";
import { evaluateFolder } from "../recipes/evaluate/evaluate.ts";
import type { EvalOptions, Evaluation } from "../recipes/evaluate/evaluation.ts";
import { defined } from "../util/defined.ts";
import { dtypeFlag, type Group } from "./flags/flags.ts";
import { numberFrom, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { print, printJson, table } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal eval anneal-out/model                     on the held-out part of the default text
  $ npx anneal eval anneal-out/model --data other.txt --validation-share 0.9 --dtype q8 --json
  $ npx anneal eval my-opus-mt --data pairs.jsonl --limit 500 --predictions out.jsonl
  $ npx anneal eval my-embedder --data stsb.csv          sentence1, sentence2, score
  $ npx anneal eval my-embedder --data notes/ --reference sentence-transformers/all-MiniLM-L6-v2`;

const groups: readonly Group[] = [
  { title: "Model", flags: [dtypeFlag] },
  {
    title: "Evaluation",
    flags: [
      {
        flag: "--target <name>",
        help: "where speed is measured: node-cpu, node-webgpu, web-wasm, web-webgpu (default: node-cpu)",
        common: true,
      },
      {
        flag: "--limit <n>",
        help: "most pairs that are measured (default: 200 to translate, all that are scored)",
        parse: numberFrom(1, { whole: true }),
        common: true,
      },
      {
        flag: "--reference <model>",
        help: "whose vectors to compare with (default: its own in float32)",
        common: true,
      },
      {
        flag: "--task-file <file>",
        help: "ask a decoder what a task file of lm-evaluation-harness asks (YAML)",
      },
      {
        flag: "--beams <n>",
        help: "translate by beam search with so many beams (default: as the model's files say)",
        parse: numberFrom(1, { whole: true }),
      },
      {
        flag: "--predictions <file>",
        help: "write what was predicted, a JSON line for each example",
        common: true,
      },
      {
        flag: "--report <file>",
        help: "write a page of HTML: figures, confusions, surest errors, how sure it is",
        common: true,
      },
    ],
  },
];

const rounded = (x: number): string => (Number.isFinite(x) ? String(Number(x.toPrecision(5))) : "?");

/** Names and values as they are printed. */
const rowsOf = ({ figures, lengthsMs = {}, model: _, ...rest }: Evaluation): [string, string][] => [
  ...Object.entries(figures).map(([name, { value, low, high }]): [string, string] => [
    name,
    low < high && Number.isFinite(high - low)
      ? `${rounded(value)} [${rounded(low)}, ${rounded(high)}]`
      : rounded(value),
  ]),
  ...Object.entries(rest),
  ...Object.entries(lengthsMs).map(([length, ms]): [string, string] => [`ms/${length} tokens`, rounded(ms)]),
];

/** Adds the verb `eval`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name");
  withFlags(command, "eval", groups).action((ref: string, given: EvalOptions) =>
    runRecipe(command, async (options, hooks, json) => {
      const { dtype, target, limit, reference, predictions, taskFile, beams, report } = given;
      const asked = defined({ dtype, target, limit, reference, predictions, taskFile, beams, report });
      const evaluation = await evaluateFolder(ref, asked, options, hooks);
      if (json) return printJson(evaluation);
      const text = table(rowsOf(evaluation), [
        { title: "figure", of: ([name]) => name, align: "left" },
        { title: "value [95 % interval]", of: ([, value]) => value, align: "left" },
      ]);
      print(`${text}\n`);
    }),
  );
};
