/** Reads a config file: a module that exports an object, JSON or YAML. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { extname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type Document, isMap, isSeq, LineCounter, parseDocument } from "yaml";
import { ConfigError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
import type { RunConfig } from "./options.ts";
import { parseConfig, type Source } from "./schema.ts";

const extensions = [".ts", ".mts", ".mjs", ".js", ".json", ".yaml", ".yml"];
/** Far above any config; a larger file was named by mistake. */
const MAX_BYTES = 1 << 20;

interface Content extends Source {
  readonly value: unknown;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The line of the key or list item that `path` names, from the parsed document. */
const lineIn = (document: Document, counter: LineCounter) => (path: readonly PropertyKey[]) => {
  const parent = path.length > 1 ? document.getIn(path.slice(0, -1), true) : document.contents;
  const last = path[path.length - 1];
  let node: unknown;
  if (isMap(parent)) node = parent.items.find((pair) => String(pair.key) === String(last))?.key;
  else if (isSeq(parent)) node = parent.items[Number(last)];
  const range = (node as { range?: [number, number, number] } | undefined)?.range;
  return range ? counter.linePos(range[0]).line : undefined;
};

/** JSON is YAML too: the YAML parser gives lines and finds keys given twice, which JSON.parse does not. */
const documentOf = (text: string, schema: "json" | "core") => {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, schema, prettyErrors: false });
  return { document, lineCounter };
};

/** Aliases to nothing, and so many that they would fill the memory, show only when the values are made. */
const valuesOf = (document: Document, file: string): unknown => {
  try {
    return document.toJS();
  } catch (cause) {
    throw new ConfigError(messageOf(cause), { file, cause });
  }
};

const fromYaml = (text: string, file: string): Content => {
  const { document, lineCounter } = documentOf(text, "core");
  const [error] = document.errors;
  if (error !== undefined) {
    throw new ConfigError(error.message, { file, line: lineCounter.linePos(error.pos[0]).line });
  }
  return { file, value: valuesOf(document, file), lineOf: lineIn(document, lineCounter) };
};

const fromJson = (text: string, file: string): Content => {
  const { document, lineCounter } = documentOf(text, "json");
  let value: unknown;
  try {
    value = parseText(text);
  } catch (cause) {
    const position = /at position (\d+)/.exec(messageOf(cause))?.[1] ?? document.errors[0]?.pos[0];
    const at = lineCounter.linePos(Math.min(text.length, Number(position ?? text.length)));
    throw new ConfigError(messageOf(cause), { file, line: Math.max(1, at.line), cause });
  }
  const twice = document.errors.find(({ code }) => code === "DUPLICATE_KEY");
  if (twice !== undefined) {
    throw new ConfigError("a field is given twice", { file, line: lineCounter.linePos(twice.pos[0]).line });
  }
  return { file, value, lineOf: lineIn(document, lineCounter) };
};

const fromModule = async (path: string, file: string): Promise<Content> => {
  try {
    if (/\.m?ts$/.test(path)) {
      const { createJiti } = await import("jiti");
      const value = await createJiti(import.meta.url, { moduleCache: false }).import(path, { default: true });
      return { file, value };
    }
    const { default: value } = (await import(pathToFileURL(path).href)) as { default?: unknown };
    return { file, value };
  } catch (cause) {
    throw new ConfigError(`cannot be loaded: ${messageOf(cause)}`, { file, cause });
  }
};

const fromText = (path: string, file: string): Content => {
  if (statSync(path).size > MAX_BYTES) {
    throw new ConfigError("is larger than 1 MiB", { file, hint: "is this the file that you meant?" });
  }
  const text = readFileSync(path, "utf8").replace(/^\ufeff/, "");
  return extname(path) === ".json" ? fromJson(text, file) : fromYaml(text, file);
};

/** The config file to use: `config` if given, else the anneal.config.* of `cwd`, if there is one. */
export const findConfig = (config: string | undefined, cwd: string): string | undefined => {
  if (config !== undefined) {
    const path = resolve(cwd, config);
    if (!existsSync(path) || !statSync(path).isFile()) {
      throw new ConfigError("there is no such file", {
        file: config,
        hint: "check the path given to --config",
      });
    }
    return path;
  }
  const found = extensions
    .map((ext) => resolve(cwd, `anneal.config${ext}`))
    .filter((path) => existsSync(path));
  if (found.length > 1) {
    const names = found.map((path) => relative(cwd, path)).join(", ");
    throw new ConfigError(`there are ${found.length} config files: ${names}`, {
      hint: "choose one with --config",
    });
  }
  return found[0];
};

/** Reads the config at `path`. Throws ConfigError naming file, line and field. */
export const readConfig = async (path: string, cwd: string): Promise<RunConfig> => {
  const file = relative(cwd, path) || path;
  if (!extensions.includes(extname(path))) {
    throw new ConfigError(`"${extname(path)}" is no config format`, {
      file,
      hint: `use ${extensions.join(" ")}`,
    });
  }
  const isText = /\.(json|ya?ml)$/.test(path);
  const { value, ...source } = isText ? fromText(path, file) : await fromModule(path, file);
  if (value === undefined || value === null) {
    const hint = isText
      ? "remove it, or write options into it"
      : "write: export default { train: { steps: 100 } }";
    throw new ConfigError("has no content", { file, hint });
  }
  return parseConfig(withoutSchema(value), source);
};

/** `$schema` is the editor's. */
const withoutSchema = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "$schema")) return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== "$schema"));
};
