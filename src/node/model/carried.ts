/**
 * What a model's folder has besides its weights and graphs, to be taken along when the model goes on: the
 * tokenizer's files, the parts that sentence-transformers knows it by, its licence, what lies beside them.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Json } from "../../models/model.ts";
import { FormatError } from "../../util/errors.ts";
import { type Spellings, spellingsIn } from "../../util/spelling.ts";
import { MARKER } from "../files/files.ts";
import { isGguf } from "./ggufFile.ts";
import { findFile, readJson, readJsonIfThere, readText } from "./modelFile.ts";

type Fields = { readonly [field: string]: Json };

/** A JSON file's fields, and how their numbers are spelled. */
export interface SpelledFields {
  readonly fields: Fields;
  readonly spellings: Spellings;
}

/** What a folder has besides weights and graphs. */
export interface Carried {
  readonly config: SpelledFields;
  /** generation_config.json, where it is there. */
  readonly generation?: SpelledFields;
  /** README.md, where it is there. */
  readonly card?: string;
  /** Files by name, as they are. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Names of files and folders that stay: weights in other forms, graphs, what is too large. */
  readonly left: readonly string[];
}

/** What is made anew for the new folder. */
const MADE = new Set([
  ...["config.json", "generation_config.json", "README.md", "parity.json", "report.html", MARKER],
  ...["model.safetensors.index.json", "onnx"],
]);

const WEIGHTS =
  /\.(safetensors|bin|pt|pth|ckpt|pkl|pickle|h5|msgpack|npz|npy|tflite|ot|onnx|onnx_data|gguf)$/i;
/** Those of them that are read, and written anew. */
const OWN_WEIGHTS = /^model(-\d+-of-\d+)?\.safetensors$/;

/** Vocabularies may be as large as they are; other files are text and small. */
const TOKENIZER = /^(tokenizer|special_tokens_map|added_tokens|vocab|merges)[\w.]*$|\.(model|spm)$/;
const MAX_OTHER = 2 ** 24;

/** Folders that belong to a model: named templates, and what modules.json names. */
const TEMPLATES = "additional_chat_templates";

const spelled = async (dir: string, name: string): Promise<SpelledFields | undefined> => {
  const fields = await readJsonIfThere(dir, name);
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) return undefined;
  const text = (await isGguf(dir)) ? "" : await readText(dir, name);
  return { fields: fields as Fields, spellings: spellingsIn(text) };
};

/** Folders of the modules that sentence-transformers puts after the model, as modules.json names them. */
const modulesIn = async (dir: string): Promise<string[]> => {
  const modules = await readJsonIfThere(dir, "modules.json");
  if (!Array.isArray(modules)) return [];
  const paths = modules.map((module) => (module as { path?: unknown } | null)?.path);
  return paths.filter((path): path is string => typeof path === "string" && /^\w[\w.-]*$/.test(path));
};

/** The path of a file to take along; undefined for one that is to be left. */
const takenPath = async (dir: string, name: string): Promise<string | undefined> => {
  // A link that leaves the folder is left too: what it leads to is no part of the model.
  const path = await findFile(dir, name).catch((error) => {
    if (error instanceof FormatError) return undefined;
    throw error;
  });
  if (path === undefined || TOKENIZER.test(name)) return path;
  return (await stat(path)).size > MAX_OTHER && !name.includes("/") ? undefined : path;
};

/** Files of a folder by their names from `dir` on, in order; hidden ones are nobody's. */
const namesIn = async (dir: string, folders: ReadonlySet<string>) => {
  const [files, left]: [string[], string[]] = [[], []];
  for (const entry of (await readdir(dir, { withFileTypes: true })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const { name } = entry;
    if (name.startsWith(".") || MADE.has(name) || OWN_WEIGHTS.test(name)) continue;
    if (entry.isDirectory()) {
      if (!folders.has(name)) left.push(`${name}/`);
      else for (const inner of (await readdir(join(dir, name))).sort()) files.push(`${name}/${inner}`);
    } else if (WEIGHTS.test(name)) left.push(name);
    else files.push(name);
  }
  return { files, left };
};

/**
 * Reads what the folder `dir` has besides its weights; of a GGUF file, what its header says. Throws as
 * `readJson`.
 */
export const readCarried = async (dir: string): Promise<Carried> => {
  await readJson(dir, "config.json");
  const config = (await spelled(dir, "config.json")) ?? { fields: {}, spellings: new Map() };
  const generation = await spelled(dir, "generation_config.json");
  const said = { config, ...(generation === undefined ? {} : { generation }) };
  if (await isGguf(dir)) return { ...said, files: new Map(), left: [] };
  const names = await namesIn(dir, new Set([...(await modulesIn(dir)), TEMPLATES]));
  const files = new Map<string, Uint8Array>();
  const left = [...names.left];
  for (const name of names.files) {
    const path = await takenPath(dir, name);
    if (path === undefined) left.push(name);
    else files.set(name, await readFile(path));
  }
  const card =
    (await findFile(dir, "README.md")) === undefined ? undefined : await readText(dir, "README.md");
  return { ...said, ...(card === undefined ? {} : { card }), files, left };
};
