/** anneal export */
import { basename } from "node:path";
import type { Command } from "commander";
import { adapterDirs, modelDir } from "../node/hub/hub.ts";
import { type ExportedFile, exportFolder } from "../recipes/export/export.ts";
import { ggufFolder } from "../recipes/export/gguf.ts";
import { ggufTypeOf } from "../ship/gguf/gguf.ts";
import { exportDtypes } from "../ship/onnx/dtype.ts";
import { ConfigError } from "../util/errors.ts";
import type { Group } from "./flags/flags.ts";
import { list, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { inLine, print, printJson, table } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal export anneal-out/model --out web --dtype fp16,q4f16   for a page on WebGPU
  $ npx anneal export checkpoint --dtype q8,q4 --default q8           into anneal-out/export
  $ npx anneal export checkpoint --gguf q8_0                          for llama.cpp
  $ npx anneal export checkpoint --json                               every dtype`;

interface Given {
  readonly dtype?: readonly string[];
  readonly default?: string;
  readonly gguf?: readonly string[];
  readonly out: string;
  readonly weights: boolean;
  readonly widen?: boolean;
  readonly adapter?: readonly string[];
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
  { out, adapter: adapters = [] }: Pick<Given, "out" | "adapter">,
): Promise<ExportedFile[]> => {
  const files: ExportedFile[] = [];
  for (const type of types) {
    const { path, sizeBytes, notes } = await ggufFolder(model, { type, out, adapters });
    files.push({ name: basename(path), sizeBytes });
    if (type === types[0]) for (const note of notes) process.stderr.write(`note: ${inLine(note)}\n`);
  }
  return files;
};

const common = { common: true } as const;
const names = Object.keys(exportDtypes).join(", ");
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
    { flag: "--adapter <folder>", help: "an adapter to merge; may be repeated", repeats: true },
    { flag: "--no-weights", help: "leave the dense weights out: the graphs have them already", ...common },
    {
      flag: "--gguf <types>",
      help: "GGUF instead (with --dtype, besides): f32, f16, q8_0, q4_0",
      parse: list,
      ...common,
    },
  ],
};

/** Throws ConfigError for what only graphs have, where GGUF alone is asked for. */
const checkGguf = ({ gguf, dtype, default: chosen, weights, widen = false }: Given): void => {
  if (gguf === undefined || dtype !== undefined) return;
  const said = { "--default": chosen !== undefined, "--no-weights": !weights, "--widen": widen };
  const [lost] = Object.entries(said).find(([, given]) => given) ?? [];
  if (lost === undefined) return;
  throw new ConfigError(`${lost} has no effect on GGUF, which has one dtype a file and all of its weights`, {
    hint: `add --dtype, to write graphs besides, or leave ${lost} out`,
  });
};

/** Adds the verb `export`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name");
  withFlags(command, "export", [written]).action((model: string, given: Given) =>
    runRecipe(command, async (_, hooks, json) => {
      checkGguf(given);
      const { dtype: dtypes, default: chosen, gguf = [] } = given;
      for (const type of gguf) ggufTypeOf(type); // Refuses a wrong one before anything is written.
      const alone = gguf.length > 0 && dtypes === undefined;
      const unsaid = command.getOptionValueSource("out") === "default";
      const out = alone && unsaid ? "anneal-out/gguf" : given.out;
      const adapters = await adapterDirs(given.adapter ?? [], hooks.hub);
      const options = {
        out,
        weights: given.weights,
        adapters,
        widen: given.widen ?? false,
        command: hooks.command,
        ui: hooks.ui,
        ...(hooks.signal === undefined ? {} : { signal: hooks.signal }),
        ...(dtypes === undefined ? {} : { dtypes }),
        ...(chosen === undefined ? {} : { default: chosen }),
      };
      const dir = await modelDir(model, hooks.hub);
      const result = alone ? { path: out, files: [], left: [] } : await exportFolder(dir, options);
      const ggufs = await exportGguf(dir, gguf, { out, adapter: adapters });
      const all = { ...result, files: [...result.files, ...ggufs] };
      if (json) printJson(all);
      else print(`${sizes(all.files)}\n${all.path}\n`);
    }),
  );
};
