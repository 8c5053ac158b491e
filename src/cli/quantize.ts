/** anneal quantize */
import type { Command } from "commander";
import { CALIBRATION_TOKENS } from "../compress/quantize.ts";
import { roundingMethods } from "../compress/rounding/methods.ts";
import { formInWords } from "../recipes/quantize/card.ts";
import type { QuantizeFolderOptions } from "../recipes/quantize/options.ts";
import { predictQuantized, type QuantizedFolder, quantizeFolder } from "../recipes/quantize/quantize.ts";
import { defined } from "../util/defined.ts";
import type { Group } from "./flags/flags.ts";
import { list, numberFrom, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { BUDGET_NOT_MET } from "./terminal/outcome.ts";
import { print, printJson, table } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal quantize anneal-out/model                               4 bits, by scale search
  $ npx anneal quantize my-model --method gptq --data book.txt --out small
  $ npx anneal quantize my-model --max-mb 40 --dry-run                 what it would take
Exit code 5 where nothing is as small as --max-mb; the nearest is written.`;

interface Given {
  readonly bits: number;
  readonly method: string;
  readonly block: number;
  readonly maxMb?: number;
  readonly bitsPerWeight?: number;
  readonly keep8?: readonly string[];
  readonly calibrationTokens: number;
  readonly weights: boolean;
  readonly dryRun?: boolean;
  readonly adapter?: readonly string[];
  readonly out: string;
}

const common = { common: true } as const;
const whole = (least: number) => numberFrom(least, { whole: true });
const groups: readonly Group[] = [
  {
    title: "Quantization",
    flags: [
      { flag: "--bits <n>", help: "bits of a weight: 4, 8", parse: whole(1), fallback: 4, ...common },
      {
        flag: "--method <name>",
        help: `how 4 bits are chosen: ${Object.keys(roundingMethods).join(", ")}`,
        fallback: "search",
        ...common,
      },
      {
        flag: "--block <n>",
        help: "inputs that share a scale, of 4 bits: 32, 64, 128",
        parse: whole(1),
        fallback: 32,
        ...common,
      },
      {
        flag: "--max-mb <x>",
        help: "largest size of the weights, MB: as many as fit keep 8 bits",
        parse: numberFrom(0),
        ...common,
      },
      {
        flag: "--bits-per-weight <x>",
        help: "the same in bits a weight, all weights together: 5.5",
        parse: numberFrom(0),
        ...common,
      },
      {
        flag: "--keep-8 <kinds>",
        help: "kinds of matrices that keep 8 bits: head,down",
        parse: list,
        ...common,
      },
      {
        flag: "--calibration-tokens <n>",
        help: "tokens that methods look at, at most",
        parse: whole(1),
        fallback: CALIBRATION_TOKENS,
        ...common,
      },
      { flag: "--dry-run", help: "say what it would take, and write nothing", ...common },
      { flag: "--out <dir>", help: "the folder to write", fallback: "anneal-out/quantized", ...common },
      { flag: "--adapter <folder>", help: "an adapter to merge; may be repeated", repeats: true },
      { flag: "--no-weights", help: "leave the dense weights out: only what is packed", ...common },
    ],
  },
];

/** The options that flags stand for; those that 8 bits do not have are left out unless given. */
const optionsOf = (given: Given, isGiven: (name: string) => boolean): QuantizeFolderOptions => {
  const { bits, maxMb, bitsPerWeight, calibrationTokens: tokens, weights, adapter: adapters, out } = given;
  const four = (name: "method" | "block") => (bits === 4 || isGiven(name) ? given[name] : undefined);
  return {
    ...{ out, tokens, weights, bits: bits as 4 | 8 },
    ...defined({ method: four("method") as QuantizeFolderOptions["method"], block: four("block") as number }),
    ...defined({ bitsPerWeight, keep8: given.keep8 as QuantizeFolderOptions["keep8"] }),
    ...defined({ adapters, maxBytes: maxMb === undefined ? undefined : maxMb * 1e6 }),
  };
};

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);

const printResult = (made: QuantizedFolder): void => {
  const { before, after, unit, scored, wide, matrices, maxBytes, met } = made;
  const rows = [
    { name: "float32", ...before },
    { name: formInWords(made), ...after },
  ];
  const score = `${unit} (${scored} held out)`;
  const text = table(rows, [
    { title: "weights", of: ({ name }) => name, align: "left" },
    { title: "MB", of: ({ sizeBytes }) => megabytes(sizeBytes) },
    ...(unit === undefined
      ? []
      : [{ title: score, of: (row: (typeof rows)[number]) => row.score?.toFixed(4) ?? "" }]),
  ]);
  const lines = [text, ""];
  if (wide.length > 0) lines.push(`${wide.length} of ${matrices} matrices keep 8 bits.`);
  if (!met) lines.push(`Nothing is as small as ${megabytes(maxBytes!)} MB: this is the nearest.`);
  lines.push(`${made.path}, in ${made.seconds.toFixed(0)} s; next: npx anneal verify ${made.path}`);
  print(`${lines.join("\n")}\n`);
};

/** Adds the verb `quantize`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder, or a model of the Hub as org/name");
  withFlags(command, "quantize", groups).action((ref: string, given: Given) =>
    runRecipe(command, async (run, hooks, json) => {
      const asked = optionsOf(given, (name) => command.getOptionValueSource(name) === "cli");
      if (given.dryRun) {
        const found = await predictQuantized(ref, asked, hooks);
        const { denseBytes, leastBytes, mostBytes, matrices, met } = found;
        const range = leastBytes === mostBytes ? "" : ` to ${megabytes(mostBytes)}`;
        if (json) printJson(found);
        else {
          const now = `${matrices} matrices; weights take ${megabytes(denseBytes)} MB`;
          print(`${now}, and would take ${megabytes(leastBytes)}${range} MB\n`);
        }
        if (!met) process.exitCode = BUDGET_NOT_MET;
        return;
      }
      const made = await quantizeFolder(ref, asked, run, hooks);
      if (json) printJson(made);
      else printResult(made);
      if (!made.met) process.exitCode = BUDGET_NOT_MET;
    }),
  );
};
