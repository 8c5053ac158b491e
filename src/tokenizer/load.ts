/** Reads a tokenizer.json back: byte-level BPE of any origin, and our character kind. */
import { FormatError } from "../util/errors.ts";
import { byteLevelTokenizer } from "./byteLevelTokenizer.ts";
import { CHAR_SPECIALS, charTokenizerOf } from "./char.ts";
import { checkDecoder, type Fields, normalizerOf, object, preTokenizerOf, refuse } from "./preTokenizer.ts";
import type { Json, Tokenizer } from "./tokenizer.ts";

/** Ids above this are not believed. */
const MAX_ID = 1 << 22;

/** Tokens by id, without holes. */
const tokensOf = (vocab: Fields, added: readonly Fields[]): string[] => {
  const byId = new Map<number, string>();
  const put = (token: Json | undefined, id: Json | undefined) => {
    if (typeof token !== "string") return refuse(`has an added token without text: ${JSON.stringify(token)}`);
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id > MAX_ID) {
      return refuse(`gives ${JSON.stringify(token)} the id ${JSON.stringify(id)}`);
    }
    const other = byId.get(id);
    if (other !== undefined && other !== token) {
      refuse(`gives the id ${id} to ${JSON.stringify(other)} and ${JSON.stringify(token)}`);
    }
    return byId.set(id, token);
  };
  for (const [token, id] of Object.entries(vocab)) put(token, id);
  for (const { content, id } of added) put(content, id);
  return Array.from(
    { length: byId.size },
    (_, id) => byId.get(id) ?? refuse(`has no token with the id ${id}`),
  );
};

const mergesOf = (merges: Json | undefined): [string, string][] => {
  if (!Array.isArray(merges)) return refuse("has no list of merges");
  return merges.map((merge: Json, i) => {
    const pair: Json = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(pair) || pair.length !== 2) return refuse(`merge ${i} is not a pair`);
    return [String(pair[0]), String(pair[1])];
  });
};

const addedOf = (value: Json | undefined): Fields[] => {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return refuse("has added_tokens that are not a list");
  return value.map((token: Json, i) => {
    const fields = object(token, `added_tokens[${i}]`);
    for (const flag of ["lstrip", "rstrip", "single_word"]) {
      if (fields[flag] === true) refuse(`has the added token ${JSON.stringify(fields.content)} with ${flag}`);
    }
    return fields;
  });
};

const checkModel = (model: Fields): void => {
  const type = model.type ?? (Array.isArray(model.merges) ? "BPE" : null);
  if (type !== "BPE") refuse(`has a model of type ${JSON.stringify(type)}`);
  for (const part of ["continuing_subword_prefix", "end_of_word_suffix", "byte_fallback", "dropout"]) {
    if (model[part]) refuse(`has a BPE model with ${part} ${JSON.stringify(model[part])}`);
  }
};

/** Whether a file is of the kind that `charTokenizer` writes. */
const isChar = (root: Fields, model: Fields, tokens: readonly string[]): boolean =>
  Array.isArray(model.merges) &&
  model.merges.length === 0 &&
  model.unk_token === "<unk>" &&
  (root.decoder as Fields | null)?.type === "Fuse" &&
  root.normalizer === null &&
  CHAR_SPECIALS.every((token, id) => tokens[id] === token) &&
  tokens.every((token, id) => id < CHAR_SPECIALS.length || [...token].length === 1);

const eosOf = (config: Fields, specials: readonly string[]): string => {
  const named = config.eos_token ?? specials[0];
  const token = typeof named === "object" && named !== null ? (named as Fields).content : named;
  return typeof token === "string"
    ? token
    : refuse("and tokenizer_config.json name no token that ends a text");
};

const byteLevel = (root: Fields, model: Fields, tokens: readonly string[], config: Fields): Tokenizer => {
  checkDecoder(root.decoder);
  const added = addedOf(root.added_tokens);
  const contents = (special: boolean): string[] =>
    added.filter((t) => (t.special !== false) === special).map((t) => String(t.content));
  const specials = contents(true);
  const eos = eosOf(config, specials);
  if (!tokens.includes(eos)) refuse(`does not have the end-of-text token ${JSON.stringify(eos)}`);
  const normalize = normalizerOf(root.normalizer);
  return byteLevelTokenizer({
    tokens,
    merges: mergesOf(model.merges),
    specialTokens: [eos, ...specials.filter((s) => s !== eos)],
    addedTokens: contents(false).filter((token) => token !== eos),
    split: preTokenizerOf(root.pre_tokenizer),
    ...(normalize === undefined ? {} : { normalize }),
    ignoreMerges: model.ignore_merges === true,
    files: { tokenizer: root, config },
  });
};

/**
 * The tokenizer that a tokenizer.json (and tokenizer_config.json) describes. Post-processors are not applied:
 * `encode` adds no special token. Throws FormatError, naming the part, for other kinds.
 */
export const loadTokenizer = (json: Json, config: Json = {}): Tokenizer => {
  const root = object(json, "tokenizer");
  const model = object(root.model, "model");
  checkModel(model);
  const tokens = tokensOf(object(model.vocab, "model.vocab"), addedOf(root.added_tokens));
  if (isChar(root, model, tokens)) return charTokenizerOf(tokens.slice(CHAR_SPECIALS.length));
  try {
    return byteLevel(root, model, tokens, object(config, "tokenizer_config"));
  } catch (error) {
    if (!(error instanceof FormatError) || error.details.file !== undefined) throw error;
    return refuse(error.message);
  }
};
