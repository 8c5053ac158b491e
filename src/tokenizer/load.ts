/** Reads a tokenizer.json: fast for byte-level BPE and our character kind, by `pipeline.ts` otherwise. */
import { FormatError } from "../util/errors.ts";
import { mergesOf } from "./bpe/anyBpe.ts";
import { byteLevelTokenizer } from "./bpe/byteLevelTokenizer.ts";
import { type Fields, object, refuse } from "./json.ts";
import { CHAR_SPECIALS, charTokenizerOf } from "./kinds/char.ts";
import { withConfig } from "./overrides.ts";
import { pipelineTokenizer } from "./pipeline.ts";
import { endOf, specialIds } from "./specials.ts";
import { type AddedToken, addedTokensOf, checkId } from "./steps/addedTokens.ts";
import { templateOf } from "./steps/postProcessor.ts";
import { checkDecoder, normalizerOf, preTokenizerOf } from "./steps/preTokenizer.ts";
import type { Json, Tokenizer } from "./tokenizer.ts";

/** Tokens by id, without holes. */
const tokensOf = (vocab: Fields, added: readonly AddedToken[]): string[] => {
  const byId = new Map<number, string>();
  const put = (token: string, value: Json | undefined) => {
    const id = checkId(token, value);
    const other = byId.get(id);
    if (other !== undefined && other !== token)
      refuse(`gives the id ${id} to ${JSON.stringify(other)} and ${JSON.stringify(token)}`);
    byId.set(id, token);
  };
  for (const [token, id] of Object.entries(vocab)) put(token, id);
  for (const { content, id } of added) put(content, id);
  return Array.from(
    { length: byId.size },
    (_, id) => byId.get(id) ?? refuse(`has no token with the id ${id}`),
  );
};

const addedOf = (value: Json | undefined): AddedToken[] => {
  const added = addedTokensOf(value);
  for (const token of added) {
    if (token.lstrip || token.rstrip || token.single_word)
      refuse(`has the added token ${JSON.stringify(token.content)} with lstrip, rstrip or single_word`);
  }
  return added;
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
  Array.from(tokens).every((token, id) => id < CHAR_SPECIALS.length || [...(token ?? "")].length === 1);

const byteLevel = (root: Fields, config: Fields): Tokenizer => {
  const model = object(root.model, "model");
  checkModel(model);
  checkDecoder(root.decoder);
  const added = addedOf(root.added_tokens);
  const tokens = tokensOf(object(model.vocab, "model.vocab"), added);
  const contents = (special: boolean): string[] =>
    added.filter((token) => token.special === special).map(({ content }) => content);
  const specials = contents(true);
  const idOf = (token: string): number | undefined => {
    const id = tokens.indexOf(token);
    return id < 0 ? undefined : id;
  };
  const roles = specialIds(config, specials, idOf);
  const eos = tokens[endOf(roles, specials[0] === undefined ? undefined : idOf(specials[0]))]!;
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
    template: templateOf(root.post_processor, tokens.length),
    roles,
  });
};

/** The character tokenizer of a file that `charTokenizer` wrote; undefined for other files. */
const ownChar = (root: Fields, model: Fields): Tokenizer | undefined => {
  const { vocab } = model;
  if (typeof vocab !== "object" || vocab === null || Array.isArray(vocab)) return undefined;
  const entries = Object.entries(vocab as Fields);
  const tokens: string[] = [];
  // Ids without holes: a hole may be of any size.
  for (const [token, id] of entries) {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= entries.length) return undefined;
    tokens[id] = token;
  }
  return isChar(root, model, tokens) ? charTokenizerOf(tokens.slice(CHAR_SPECIALS.length)) : undefined;
};

/** What the files beside tokenizer.json say. */
export interface LoadOptions {
  /** `model_type` of the config.json beside, which says the class where tokenizer_config.json does not. */
  readonly modelType?: string;
}

/**
 * The tokenizer that a tokenizer.json (and tokenizer_config.json) describes. Special tokens around a text are
 * put where `encode` is asked for the `template`. Throws FormatError, naming the part, where it is malformed.
 */
export const loadTokenizer = (json: Json, config: Json = {}, options: LoadOptions = {}): Tokenizer => {
  const given = object(json, "tokenizer");
  const own = ownChar(given, object(given.model, "model"));
  if (own !== undefined) return own;
  const settings = object(config, "tokenizer_config");
  const root = withConfig(given, settings, options.modelType);
  try {
    return byteLevel(root, settings);
  } catch (error) {
    // What the fast kind does not know, the general one may.
    if (!(error instanceof FormatError)) throw error;
    return pipelineTokenizer(root, settings);
  }
};
