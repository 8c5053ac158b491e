/** anneal finetune */
import type { Command } from "commander";
import type { RunOptions } from "../recipes/config/options.ts";
import type { RecipeHooks } from "../recipes/context/hooks.ts";
import { checkBatch } from "../recipes/finetune/checkBatch.ts";
import { findLr } from "../recipes/finetune/findLr.ts";
import { finetune } from "../recipes/finetune/finetune.ts";
import { withFlags } from "./flags/options.ts";
import { commandLine, runRecipe } from "./process/run.ts";
import { printLrRange } from "./terminal/lrRange.ts";
import { print, printJson } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal finetune my-bert/model --data reviews.csv --out sentiment
  $ npx anneal finetune microsoft/MiniLM-L12-H384-uncased --data train.jsonl --validation dev.jsonl
  $ npx anneal finetune my-bert/model --data rows.tsv --columns text label --check`;

/** Options of what is read, as `eval` and `optimize` need them too. */
const readingWords = ({ data, task }: RunOptions): string => {
  const many = (flag: string, words: readonly string[]) => (words.length > 0 ? [flag, ...words] : []);
  const one = (flag: string, word: string | undefined) => (word === undefined ? [] : [flag, word]);
  return [
    ...one("--field", data.field),
    ...one("--pair-field", task.pairField),
    ...many("--label-field", task.labelFields),
    ...many("--columns", data.columns),
    ...one("--delimiter", data.delimiter),
  ]
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? ` ${word}` : ` '${word.replaceAll("'", "'\\''")}'`))
    .join("");
};

const check = async (ref: string, options: RunOptions, hooks: RecipeHooks, json: boolean): Promise<void> => {
  const found = await checkBatch(ref, options, hooks);
  if (!found.passed) process.exitCode = 1;
  if (json) return printJson(found);
  const { passed, tries, counted, batch, hints } = found;
  const [{ before, after, steps, lr }] = tries as [(typeof tries)[0]];
  const went = `loss ${before.toFixed(4)} -> ${after.toFixed(4)} in ${steps} updates at ${lr}`;
  print(
    `${passed ? "passed" : "failed"}: a batch of ${batch} (${counted} labels count), ${went}
${hints.map((hint) => `  - ${hint}\n`).join("")}`,
  );
};

/** Adds the verb `finetune`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name");
  withFlags(command, "finetune").action(
    (ref: string, given: { readonly check?: boolean; readonly findLr?: boolean }) =>
      runRecipe(command, async (options, hooks, json) => {
        if (given.check) return check(ref, options, hooks, json);
        if (given.findLr) {
          const run = commandLine().replace(/ --(find-lr|json)\b/g, "");
          return printLrRange(await findLr(ref, options, hooks), { json, run });
        }
        const made = await finetune(ref, options, hooks);
        if (made === undefined) return;
        const { path, figure, report } = made;
        if (json) return printJson(made);
        const reads = readingWords(options);
        const page = report === undefined ? "" : `\n  open ${report}      surest errors, how sure it is`;
        const next = `\nNext:${page}
  npx anneal eval ${path} --data TEST${reads}
  npx anneal optimize ${path} --data ${options.data.paths.join(" ")}${reads} --max-mb 10
  npx anneal verify ${path}\n`;
        print(`${path}${figure === undefined ? "" : `: ${figure.name} ${figure.value.toFixed(4)}`}\n${next}`);
      }),
  );
};
