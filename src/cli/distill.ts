/** anneal distill */
import type { Command } from "commander";
import { divergences } from "../nn/divergence.ts";
import { distillRows } from "../recipes/distill/card.ts";
import { type Distilled, distillModel } from "../recipes/distill/distill.ts";
import type { DistillModelOptions } from "../recipes/distill/options.ts";
import { vectorLosses } from "../tasks/teaching/distillation.ts";
import type { Group } from "./flags/flags.ts";
import { numberFrom, oneOf, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { print, printJson, table } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal distill my-model --layers 3 --data notes/
  $ npx anneal distill sentiment/model --data reviews.csv --relations 1
  $ npx anneal distill org/model --fresh --width 256 --layers 4 --data notes/`;

const common = { common: true } as const;
const whole = (least: number) => numberFrom(least, { whole: true });
const groups: readonly Group[] = [
  {
    title: "Student",
    flags: [
      {
        flag: "--layers <n>",
        help: "layers cut out of the teacher (half of them)",
        parse: whole(1),
        ...common,
      },
      { flag: "--student <model>", help: "or a folder, a model of the Hub", ...common },
      { flag: "--fresh", help: "or random weights, of --layers, --width, --heads", ...common },
      { flag: "--static", help: "or token vectors alone (embeddings), of --dims", ...common },
      { flag: "--dims <n>", help: "channels of static vectors (256)", parse: whole(1) },
      { flag: "--bits <n>", help: "4 or 2: rounded while it learns", parse: whole(1), ...common },
      { flag: "--width <n>", help: "channels of a fresh one (half of the teacher's)", parse: whole(1) },
      { flag: "--heads <n>", help: "attention heads of a fresh one (the teacher's)", parse: whole(1) },
      { flag: "--family <name>", help: "family of a fresh one (the teacher's)" },
    ],
  },
  {
    title: "Teaching",
    flags: [
      {
        flag: "--alpha <x>",
        help: "share of the teacher in the loss (default: 0.9)",
        parse: numberFrom(0, { most: 1 }),
        ...common,
      },
      {
        flag: "--temperature <x>",
        help: "softening of both distributions (default: 1)",
        parse: numberFrom(0.01),
        ...common,
      },
      {
        flag: "--divergence <name>",
        help: `of distributions: ${divergences.join(", ")}`,
        parse: oneOf(divergences),
        ...common,
      },
      {
        flag: "--hidden <x>",
        help: "weight of layers' hidden states (default: 0)",
        parse: numberFrom(0),
        ...common,
      },
      {
        flag: "--relations <x>",
        help: "weight of MiniLM's relations (default: 0)",
        parse: numberFrom(0),
        ...common,
      },
      {
        flag: "--vectors <loss>",
        help: `of embeddings: ${vectorLosses.join(", ")}`,
        parse: oneOf(vectorLosses),
        ...common,
      },
      {
        flag: "--on-policy <x>",
        help: "share of the batches whose texts the student writes on itself (default: 0)",
        parse: numberFrom(0, { most: 1 }),
      },
      {
        flag: "--teacher-bits <n>",
        help: "8: the teacher's matrices are packed while it teaches",
        parse: numberFrom(8, { most: 32, whole: true }),
      },
      {
        flag: "--teacher-top-k <n>",
        help: "likeliest tokens that are learnt from, kept on disk: another student asks no teacher",
        parse: whole(1),
      },
      {
        flag: "--teacher-cache <dir>",
        help: "where they are kept (default: anneal-out/teacher)",
        needs: "--teacher-top-k",
      },
    ],
  },
];

const printResult = (made: Distilled): void => {
  const { unit, scored, path } = made;
  const rows = distillRows(made).map(([name, form]) => ({ name, ...form }));
  const text = table(rows, [
    { title: "model", of: ({ name }) => name, align: "left" },
    { title: "layers", of: ({ layers }) => String(layers) },
    { title: "M params", of: ({ params }) => (params / 1e6).toFixed(2) },
    { title: `${unit} (${scored} held out)`, of: ({ score }) => score.toFixed(4) },
  ]);
  print(
    `${text}\n\n${path}\n\nNext:\n  npx anneal quantize ${path} --data ...\n  npx anneal verify ${path}\n`,
  );
};

/** Adds the verb `distill`. */
export const register = (command: Command): void => {
  command.argument("<teacher>", "a model's folder, or a model of the Hub as org/name");
  withFlags(command, "distill", groups).action((ref: string, asked: DistillModelOptions) =>
    runRecipe(command, async (run, hooks, json) => {
      const made = await distillModel(ref, asked, run, hooks);
      if (made === undefined) return;
      if (json) printJson(made);
      else printResult(made);
    }),
  );
};
