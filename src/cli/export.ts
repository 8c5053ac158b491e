/** anneal export */
import { basename } from "node:path";
import type { Command } from "commander";
import { CALIBRATION_TOKENS, quantize } from "../compress/quantize.ts";
import { type RoundingName, roundingMethods } from "../compress/rounding/methods.ts";
import { adapterDirs, modelDir } from "../node/hub/hub.ts";
import type { RunOptions } from "../recipes/config/options.ts";
import { type ExportedFile, exportFolder } from "../recipes/export/export.ts";
import { ggufFiles } from "../recipes/export/gguf.ts";
import { ggufMixOf } from "../ship/gguf/mixes.ts";
import { anyModelDtypes, exportDtypes } from "../ship/onnx/dtype.ts";
import { dtypesFrom } from "../ship/onnx/export.ts";
import { defined } from "../util/defined.ts";
import { ConfigError } from "../util/errors.ts";
import type { Group } from "./flags/flags.ts";
import { list, numberFrom, oneOf, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { inLine, print, printJson, table } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal export anneal-out/model --out web --dtype fp16,q4f16   for a page on WebGPU
  $ npx anneal export checkpoint --dtype q8,q4 --default q8           into anneal-out/export
  $ npx anneal export checkpoint --gguf Q4_K_M,Q8_0 --data book.txt   for llama.cpp
  $ npx anneal export checkpoint --dtype q4 --quantize-method gptq    better and slower
  $ npx anneal export checkpoint --json                               every dtype`;

interface Given {
  readonly dtype?: readonly string[];
  readonly default?: string;
  readonly gguf?: readonly string[];
  readonly out: string;
  readonly weights: boolean;
  readonly widen?: boolean;
  readonly cache?: "int8";
  readonly adapter?: readonly string[];
  readonly importance: boolean;
  readonly quantizeMethod?: string;
  readonly calibrationTokens: number;
}

const sizes = (files: readonly ExportedFile[]): string =>
  table(files, [
    { title: "file", of: ({ name }) => name, align: "left" },
    { title: "MB", of: ({ sizeBytes }) => (sizeBytes / 1e6).toFixed(2) },
  ]);

/** A GGUF file of each type in the folder `out`; what llama.cpp does otherwise goes to stderr. */
const exportGguf = async (
  model: string,
  types: readonly string[],
  options: Parameters<typeof ggufFiles>[2],
): Promise<ExportedFile[]> => {
  const files = types.length === 0 ? [] : await ggufFiles(model, types, options);
  for (const note of files[0]?.notes ?? []) process.stderr.write(`note: ${inLine(note)}\n`);
  return files.map(({ path, sizeBytes }) => ({ name: basename(path), sizeBytes }));
};

const common = { common: true } as const;
const names = anyModelDtypes.join(", ");
const written: Group = {
  title: "What is written",
  flags: [
    { flag: "--dtype <names>", help: `with commas between: ${names} (default: all)`, parse: list, ...common },
    { flag: "--out <dir>", help: "the folder to write", fallback: "anneal-out/export", ...common },
    {
      flag: "--default <name>",
      help: "dtype for who asks for none (default: the folder's, else q8)",
      ...common,
    },
    {
      flag: "--widen",
      help: "packed weights become float32 when a graph is loaded: for decoders on WebAssembly",
    },
    {
      flag: "--cache <dtype>",
      help: "int8: the cache of keys and values in the packed dtypes, on processors (default: float32)",
      parse: oneOf(["int8"] as const),
    },
    { flag: "--adapter <folder>", help: "an adapter to merge; may be repeated", repeats: true },
    { flag: "--no-weights", help: "leave the dense weights out: the graphs have them already", ...common },
    {
      flag: "--gguf <types>",
      help: "GGUF instead (with --dtype, besides), by llama.cpp's names: Q8_0, Q6_K, Q4_K_M, Q4_0, F16 ...",
      parse: list,
      ...common,
    },
  ],
};

const rounding: Group = {
  title: "Rounding",
  flags: [
    {
      flag: "--quantize-method <name>",
      help: `how 4 bits of ONNX are chosen: ${Object.keys(roundingMethods).join(", ")} (default: search)`,
      ...common,
    },
    {
      flag: "--calibration-tokens <n>",
      help: "tokens of the text that are looked at, at most",
      parse: numberFrom(1, { whole: true }),
      fallback: CALIBRATION_TOKENS,
      ...common,
    },
    { flag: "--no-importance", help: "of GGUF: all inputs count alike, and no text is read", ...common },
  ],
};

/** Throws ConfigError for a method that there is not, and where nothing of 4 bits is asked for. */
const checkMethod = ({ quantizeMethod: method, dtype, gguf }: Given): void => {
  if (method === undefined) return;
  quantize({ bits: 4, method: method as RoundingName });
  const dtypes = dtype ?? (gguf === undefined ? ["q4"] : []);
  if (dtypesFrom(dtypes, "--dtype").some((name) => exportDtypes[name].packed?.bits === 4)) return;
  throw new ConfigError("--quantize-method has no effect where no ONNX of 4 bits is written", {
    hint: "add --dtype q4, or leave it out",
  });
};

/** Whether graphs are made on a text: the user's, or the default where a method is named that reads some. */
const readsText = ({ quantizeMethod }: Given, { data }: RunOptions): boolean =>
  data.paths.length > 0 ||
  (quantizeMethod !== undefined && roundingMethods[quantizeMethod as RoundingName].reads !== "nothing");

/** Throws ConfigError for what only graphs have, where GGUF alone is asked for. */
const checkGguf = ({ gguf, dtype, default: chosen, weights, widen = false, cache }: Given): void => {
  if (gguf === undefined || dtype !== undefined) return;
  const said = {
    "--default": chosen !== undefined,
    "--no-weights": !weights,
    "--widen": widen,
    "--cache": cache !== undefined,
  };
  const [lost] = Object.entries(said).find(([, given]) => given) ?? [];
  if (lost === undefined) return;
  throw new ConfigError(`${lost} has no effect on GGUF, which has one dtype a file and all of its weights`, {
    hint: `add --dtype, to write graphs besides, or leave ${lost} out`,
  });
};

/** Adds the verb `export`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name");
  withFlags(command, "export", [written, rounding]).action((model: string, given: Given) =>
    runRecipe(command, async (run, hooks, json) => {
      checkGguf(given);
      checkMethod(given);
      const { dtype: dtypes, default: chosen, gguf = [], calibrationTokens: tokens } = given;
      for (const type of gguf) ggufMixOf(type); // Refuses a wrong one before anything is written.
      const alone = gguf.length > 0 && dtypes === undefined;
      const unsaid = command.getOptionValueSource("out") === "default";
      const out = alone && unsaid ? "anneal-out/gguf" : given.out;
      const adapters = await adapterDirs(given.adapter ?? [], hooks.hub);
      const text = { run, tokens };
      const method = given.quantizeMethod as RoundingName | undefined;
      const options = {
        ...{ out, adapters, weights: given.weights, widen: given.widen ?? false },
        ...{ command: hooks.command, ui: hooks.ui },
        ...defined({ signal: hooks.signal, dtypes, default: chosen, cache: given.cache }),
        ...(method === undefined ? {} : { rounding: { method } }),
        ...(readsText(given, run) ? { text } : {}),
      };
      const dir = await modelDir(model, hooks.hub);
      const result = alone ? { path: out, files: [], left: [] } : await exportFolder(dir, options);
      const weighed = given.importance ? { text } : {};
      const ggufs = await exportGguf(dir, gguf, { out, adapters, hooks, ...weighed });
      const all = { ...result, files: [...result.files, ...ggufs] };
      if (json) printJson(all);
      else print(`${sizes(all.files)}\n${all.path}\n`);
    }),
  );
};
