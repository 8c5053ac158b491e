/** Reads a config file: a module that exports an object, JSON or YAML. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { extname, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ConfigError } from "../../util/errors.ts";
import type { RunConfig } from "./options.ts";
import { parseConfig } from "./schema.ts";
import type { Content } from "./text.ts";

const extensions = [".ts", ".mts", ".mjs", ".js", ".json", ".yaml", ".yml"];
/** Far above any config; a larger file was named by mistake. */
const MAX_BYTES = 1 << 20;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

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

const fromText = async (path: string, file: string): Promise<Content> => {
  if (statSync(path).size > MAX_BYTES) {
    throw new ConfigError("is larger than 1 MiB", { file, hint: "is this the file that you meant?" });
  }
  const text = readFileSync(path, "utf8").replace(/^\ufeff/, "");
  // Read when a file of text is there: the parser of YAML is a third of what else is loaded.
  const { fromJson, fromYaml } = await import("./text.ts");
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
  const { value, ...source } = isText ? await fromText(path, file) : await fromModule(path, file);
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
