/** anneal verify */
import { readFile } from "node:fs/promises";
import type { Command } from "commander";
import { targetTitles } from "../node/targets/index.ts";
import { type VerifyOptions, verifyFolder } from "../recipes/verify/verify.ts";
import { parityNotes, parityTable } from "../ship/verify/table.ts";
import { failsGate, failures, type ParityFile } from "../ship/verify/verify.ts";
import { DataError } from "../util/errors.ts";
import type { Group } from "./flags/flags.ts";
import { list, numberFrom, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { print, printJson, table } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Targets:
${Object.entries(targetTitles)
  .map(([name, what]) => `  ${name.padEnd(12)} ${what}`)
  .join("\n")}
Pages need playwright-core, onnxruntime-web and Chromium; llama.cpp needs node-llama-cpp and a
GGUF file in the folder (of anneal export --gguf, anneal optimize --target llama.cpp). A target
that is not on this machine is reported as not checked, and so is WebGPU of a page that is had in
software alone, unless asked for by name. Exit code 1 where a dtype fails, 4 where a target asked
for by name is not there.

Examples:
  $ npx anneal verify anneal-out/model                              every dtype, every target
  $ npx anneal verify anneal-out/model --target node-cpu,web-wasm --dtype q8,q4
  $ npx anneal verify model.Q4_K_M.gguf --target llama.cpp
  $ npx anneal verify anneal-out/model --prompts lines.txt --json`;

interface Given {
  readonly target?: readonly string[];
  readonly dtype?: readonly string[];
  readonly prompts?: string;
  readonly browser?: string;
  readonly count: number;
  readonly timeout: number;
}

const linesOf = async (file: string): Promise<string[]> => {
  const text = await readFile(file, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new DataError(`cannot be read (${cause.code})`, { file, cause });
  });
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  if (lines.length > 0) return lines;
  throw new DataError("has no prompts", { file, hint: "write one prompt a line" });
};

const printParity = (file: ParityFile): void => {
  const { titles, rows } = parityTable(file);
  const columns = titles.map((title, i) => ({
    title,
    of: (row: readonly string[]) => row[i]!,
    ...(i < 3 ? { align: "left" as const } : {}),
  }));
  const hints = Object.values(file.targets).flatMap(({ hint }) => (hint === undefined ? [] : [hint]));
  const lines = [table(rows, columns), "", ...parityNotes(file), ...new Set(hints)];
  print(`${[...lines, "", ...failures(file)].join("\n").trimEnd()}\n`);
};

/** 1 where something fails, 4 where a target was asked for by name and is not there. */
const codeOf = (file: ParityFile, asked: Pick<VerifyOptions, "targets" | "dtypes">): number => {
  if (failsGate(file, asked)) return 1;
  return asked.targets?.some((name) => file.targets[name]?.status === "not checked") ? 4 : 0;
};

const common = { common: true } as const;
const checked: Group = {
  title: "What is checked",
  flags: [
    { flag: "--target <names>", help: "only these targets, separated by commas", parse: list, ...common },
    { flag: "--dtype <names>", help: "only these dtypes, separated by commas", parse: list, ...common },
    { flag: "--prompts <file>", help: "a text file with a prompt in each line", ...common },
    {
      flag: "--count <n>",
      help: "how many prompts to read",
      parse: numberFrom(1, { whole: true }),
      fallback: 6,
      ...common,
    },
    { flag: "--browser <file>", help: "the program of Chromium or Chrome", ...common },
    {
      flag: "--timeout <s>",
      help: "longest that one dtype may take on one target, s",
      parse: numberFrom(1),
      fallback: 600,
      ...common,
    },
  ],
};

/** Adds the verb `verify`. */
export const register = (command: Command): void => {
  command.argument("<dir>", "a model's folder, one of graphs alone, or a GGUF file");
  withFlags(command, "verify", [checked]).action((dir: string, given: Given) =>
    runRecipe(command, async ({ seed, threads }, { ui, signal }, json) => {
      const { target, dtype, prompts, browser, count, timeout: timeoutSec } = given;
      const options = {
        ...(target === undefined ? {} : { targets: target }),
        ...(dtype === undefined ? {} : { dtypes: dtype }),
        ...(prompts === undefined ? {} : { prompts: await linesOf(prompts) }),
        ...(browser === undefined ? {} : { browser }),
        ...(signal === undefined ? {} : { signal }),
      };
      const file = await verifyFolder(dir, { ...options, count, seed, threads, timeoutSec }, ui);
      if (json) printJson(file);
      else printParity(file);
      const code = codeOf(file, options);
      if (code !== 0) process.exitCode = code;
    }),
  );
};
