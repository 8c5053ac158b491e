/**
 * What a model's folder passes on to one that is made of it: its files, its settings, what its card says.
 */
import { basename } from "node:path";
import type { Json } from "../../models/model.ts";
import { type Carried, readCarried } from "../../node/model/carried.ts";
import { isGguf } from "../../node/model/ggufFile.ts";
import { readChatTemplates } from "../../node/model/template.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import type { CardSource } from "../../report/run/sourceCard.ts";
import { jsonBytes } from "../../ship/onnx/files.ts";
import type { ChatTemplate } from "../../template/chat.ts";
import { spelledJson, spellingsIn } from "../../util/spelling.ts";

/** What one folder passes on to another. */
export interface Source extends Omit<Carried, "card"> {
  readonly card: CardSource;
}

/** Files of which a tokenizer is made. */
const OLDER = [
  ...["tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt"],
  ...["spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model", "source.spm"],
];

/**
 * The files that are taken along. What transformers.js cannot do without, older checkpoints lack: it is
 * made of what they have.
 */
const withTokenizer = async (dir: string, { files }: Carried): Promise<Map<string, Uint8Array>> => {
  const all = new Map(files);
  const complete = files.has("tokenizer.json") && files.has("tokenizer_config.json");
  const some = OLDER.some((name) => files.has(name)) || (await isGguf(dir));
  if (complete || !some) return all;
  const { tokenizer, config } = (await readTokenizer(dir)).files();
  if (!files.has("tokenizer.json")) all.set("tokenizer.json", jsonBytes(tokenizer));
  if (!files.has("tokenizer_config.json")) all.set("tokenizer_config.json", jsonBytes(config));
  return all;
};

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** tokenizer_config.json with these templates in it, which is where transformers.js looks. */
const withInline = (bytes: Uint8Array, templates: readonly ChatTemplate[]): Uint8Array => {
  const text = decoder.decode(bytes);
  const config = JSON.parse(text) as { readonly chat_template?: Json };
  const [first, ...others] = templates;
  const inline = others.length === 0 && first!.name === "default" ? first!.template : templates;
  if (JSON.stringify(config.chat_template) === JSON.stringify(inline)) return bytes;
  const fields = { ...config, chat_template: inline };
  return encoder.encode(`${spelledJson(fields, { spellings: spellingsIn(text) })}\n`);
};

/**
 * Puts the chat templates wherever readers look for them: inline in tokenizer_config.json
 * (transformers.js), and as files of their own, which transformers prefers.
 */
const addTemplates = (files: Map<string, Uint8Array>, templates: readonly ChatTemplate[]): void => {
  const config = files.get("tokenizer_config.json");
  if (templates.length === 0 || config === undefined) return;
  const other = /^additional_chat_templates\/(.*)\.jinja$/;
  const named = Array.from(files).flatMap(([path, bytes]) => {
    const name = other.exec(path)?.[1];
    if (name === undefined || templates.some((t) => t.name === name)) return [];
    return [{ name, template: decoder.decode(bytes) }];
  });
  const all = [...templates, ...named];
  files.set("tokenizer_config.json", withInline(config, all));
  for (const { name, template } of all) {
    const path = name === "default" ? "chat_template.jinja" : `additional_chat_templates/${name}.jinja`;
    if (/^[\w-]+$/.test(name) && !files.has(path)) files.set(path, encoder.encode(template));
  }
};

/** A model's name on the Hub, where `ref` is one or `dir` is in the Hub's cache. */
const hubName = (ref: string, dir: string): string | undefined => {
  const cached = /models--([\w.-]+?)--([\w.-]+)[\\/]snapshots[\\/]/.exec(dir);
  if (cached === null) return undefined;
  const [id] = ref.split("@");
  return /^[\w.-]+\/[\w.-]+$/.test(id!) ? id : `${cached[1]}/${cached[2]}`;
};

/** The YAML before a card's text, and that text. What is no YAML of fields says nothing. */
const readCard = async (text: string): Promise<Pick<CardSource, "fields" | "text">> => {
  const [whole, yaml] = /^---\r?\n([\s\S]*?)\r?\n---[^\S\n]*(?:\n|$)/.exec(text) ?? ["", ""];
  if (whole === "") return { fields: {}, text };
  const { parse } = await import("yaml");
  try {
    const fields = parse(yaml!) as unknown;
    const known = typeof fields === "object" && fields !== null && !Array.isArray(fields);
    // Through JSON, so that dates and the like become texts.
    return { fields: known ? JSON.parse(JSON.stringify(fields)) : {}, text: text.slice(whole!.length) };
  } catch {
    return { fields: {}, text: text.slice(whole!.length) };
  }
};

/** What the folder or GGUF file `dir`, which `ref` named, passes on; `template` is its chat template where it
 * has none. Throws as `readCarried` does. */
export const sourceIn = async (
  dir: string,
  ref: string = dir,
  { template }: { readonly template?: ChatTemplate } = {},
): Promise<Source> => {
  const { card = "", ...carried } = await readCarried(dir);
  const files = await withTokenizer(dir, carried);
  const own = await readChatTemplates(dir);
  const templates = own.length === 0 && template !== undefined ? [template] : own;
  addTemplates(files, templates);
  const name = hubName(ref, dir);
  const said = { title: name ?? basename(dir), chats: templates.length > 0, ...(await readCard(card)) };
  return { ...carried, files, card: name === undefined ? said : { ...said, name } };
};
