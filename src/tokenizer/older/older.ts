/** What the older kinds of tokenizer files have in common when they are written as a tokenizer.json. */

import { type Fields, refuse } from "../json.ts";
import { contentOf } from "../specials.ts";
import { checkId } from "../steps/addedTokens.ts";
import type { Json } from "../tokenizer.ts";

/** A token of `added_tokens`, as a file has it. */
export type AddedEntry = {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
};

/** How files of a kind that is not known here can be made readable. */
export const SAVE_HINT =
  "save a tokenizer.json with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)";

/** What stands beside a vocabulary. */
export interface OlderOptions {
  /** tokenizer_config.json, with what special_tokens_map.json adds. */
  readonly config: Fields;
  /** added_tokens.json: ids of tokens beyond the vocabulary. */
  readonly added?: Fields;
  /** `model_type` of config.json. */
  readonly modelType?: string;
}

const ROLES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];

const entry = (token: Json | undefined, content: string, id: number, special: boolean): AddedEntry => {
  const flags = (typeof token === "object" && token !== null ? token : {}) as Fields;
  const is = (name: string, otherwise: boolean): boolean =>
    typeof flags[name] === "boolean" ? flags[name] : otherwise;
  return {
    id,
    content,
    single_word: is("single_word", false),
    lstrip: is("lstrip", false),
    rstrip: is("rstrip", false),
    normalized: is("normalized", !special),
    special: is("special", special),
  };
};

/**
 * The added tokens of a vocabulary: those that the files declare, and `given` ones, by id. A special token
 * that no file has an id for comes after all others, as in transformers. Throws FormatError for a bad id.
 */
export const addedEntries = (
  ids: ReadonlyMap<string, number>,
  { config, added = {} }: OlderOptions,
  given: readonly AddedEntry[] = [],
): AddedEntry[] => {
  const entries = new Map<string, AddedEntry>();
  const put = (made: AddedEntry): void => {
    if (!entries.has(made.content)) entries.set(made.content, made);
  };
  for (const [id, token] of Object.entries((config.added_tokens_decoder ?? {}) as Fields)) {
    const content = contentOf(token) ?? refuse(`and tokenizer_config.json have no text for the token ${id}`);
    put(entry(token, content, checkId(content, Number(id)), false));
  }
  for (const made of given) put(made);
  const beyond = new Map(Object.entries(added).map(([token, id]) => [token, checkId(token, id)]));
  let next =
    Math.max(0, ...ids.values(), ...beyond.values(), ...[...entries.values()].map(({ id }) => id)) + 1;
  const more = config.additional_special_tokens ?? config.extra_special_tokens;
  const specials = [...ROLES.map((role) => config[`${role}_token`]), ...(Array.isArray(more) ? more : [])];
  for (const token of specials) {
    const content = contentOf(token);
    if (content === undefined || content === "" || entries.has(content)) continue;
    put(entry(token, content, ids.get(content) ?? beyond.get(content) ?? next++, true));
  }
  for (const [content, id] of beyond) put(entry(undefined, content, id, false));
  return [...entries.values()].sort((a, b) => a.id - b.id);
};

/** A special token as most files declare it. */
export const specialEntry = (content: string, id: number, lstrip = false): AddedEntry =>
  entry({ lstrip }, content, id, true);

/** A template of ids around "$A" and "$B" as a post-processor. Tokens are names and ids. */
export const templateJson = (single: string, pair: string, tokens: ReadonlyMap<string, number>): Json => {
  const parts = (template: string): Json[] =>
    template.split(" ").map((part): Json => {
      const [id, type = "0"] = part.split("|");
      return id === "$A" || id === "$B"
        ? { Sequence: { id: id.slice(1), type_id: Number(type) } }
        : { SpecialToken: { id: id!, type_id: Number(type) } };
    });
  const special_tokens = Object.fromEntries(
    [...tokens].map(([id, number]) => [id, { id, ids: [number], tokens: [id] }]),
  );
  return { type: "TemplateProcessing", single: parts(single), pair: parts(pair), special_tokens };
};

/** A tokenizer.json from its parts. */
export const tokenizerJson = (parts: {
  readonly added: readonly AddedEntry[];
  readonly normalizer: Json;
  readonly pre_tokenizer: Json;
  readonly post_processor: Json;
  readonly decoder: Json;
  readonly model: Json;
}): Json => {
  const { added, ...rest } = parts;
  return { version: "1.0", truncation: null, padding: null, added_tokens: added, ...rest };
};
