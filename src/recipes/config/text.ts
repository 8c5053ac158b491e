/** Config files that are text, JSON or YAML, with the line of each field. */
import { type Document, isMap, isSeq, LineCounter, parseDocument } from "yaml";
import { ConfigError } from "../../util/errors.ts";
import { parseText } from "../../util/jsonText.ts";
import type { Source } from "./schema.ts";

/** What a config file holds, and where its fields stand. */
export interface Content extends Source {
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

/** The content of a YAML file. Throws ConfigError naming file and line. */
export const fromYaml = (text: string, file: string): Content => {
  const { document, lineCounter } = documentOf(text, "core");
  const [error] = document.errors;
  if (error !== undefined) {
    throw new ConfigError(error.message, { file, line: lineCounter.linePos(error.pos[0]).line });
  }
  return { file, value: valuesOf(document, file), lineOf: lineIn(document, lineCounter) };
};

/** The content of a JSON file. Throws ConfigError naming file and line. */
export const fromJson = (text: string, file: string): Content => {
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
