/**
 * What tokenizer_config.json changes of a tokenizer.json, as transformers 5 heeds it: a class of its own
 * builds BERT's normalizer and GPT-2's pre-tokenizer anew from the settings, and tokens that only the
 * settings name are added.
 * https://github.com/huggingface/transformers/blob/main/src/transformers/tokenization_utils_tokenizers.py
 */
import type { Fields } from "./json.ts";
import { contentOf } from "./specials.ts";
import type { Json } from "./tokenizer.ts";

const BERT_CLASS = /^(?:Bert|DistilBert|Electra|MobileBert|ConvBert|SqueezeBert|LayoutLM)Tokenizer(?:Fast)?$/;
const BERT_TYPES: ReadonlySet<string> = new Set(
  "bert distilbert electra mobilebert convbert squeezebert layoutlm megatron-bert nomic_bert ernie".split(
    " ",
  ),
);

const BYTES_CLASS = /^(?:GPT2|Roberta|Bart|Longformer|LED|CodeGen|Blenderbot|Deberta)Tokenizer(?:Fast)?$/;
const BYTES_TYPES: ReadonlySet<string> = new Set(
  "gpt2 gpt_neo gptj codegen opt phi starcoder2 roberta bart longformer led blenderbot deberta".split(" "),
);

const isObject = (value: Json | undefined): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether the folder's class, or that of its model where it names none, is one of a kind. */
const isOf = (config: Fields, modelType: string, named: RegExp, types: ReadonlySet<string>): boolean =>
  typeof config.tokenizer_class === "string" ? named.test(config.tokenizer_class) : types.has(modelType);

const flag = (value: Json | undefined, otherwise: boolean): boolean =>
  typeof value === "boolean" ? value : otherwise;

const withSettings = (root: Fields, config: Fields, modelType: string): Fields => {
  const { normalizer, pre_tokenizer: cutter } = root;
  if (
    isObject(normalizer) &&
    normalizer.type === "BertNormalizer" &&
    isOf(config, modelType, BERT_CLASS, BERT_TYPES)
  ) {
    const settings = {
      clean_text: true,
      handle_chinese_chars: flag(config.tokenize_chinese_chars, true),
      strip_accents: typeof config.strip_accents === "boolean" ? config.strip_accents : null,
      lowercase: flag(config.do_lower_case, true),
    };
    return { ...root, normalizer: { ...normalizer, ...settings } };
  }
  if (isObject(cutter) && cutter.type === "ByteLevel" && isOf(config, modelType, BYTES_CLASS, BYTES_TYPES))
    return { ...root, pre_tokenizer: { ...cutter, add_prefix_space: flag(config.add_prefix_space, false) } };
  return root;
};

const ROLES = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];

/** A token that the settings name; those with a role are special. */
const tokenOf = (token: Json | undefined, isRole: boolean): Fields | undefined => {
  const content = contentOf(token);
  if (content === undefined || content === "") return undefined;
  const given = isObject(token) ? token : { special: true };
  const special = isRole || flag(given.special, false);
  return {
    content,
    special,
    single_word: flag(given.single_word, false),
    lstrip: flag(given.lstrip, false),
    rstrip: flag(given.rstrip, false),
    normalized: flag(given.normalized, !special),
  };
};

/** The tokens that the settings name, in the order in which they are added. */
const named = (config: Fields): Fields[] => {
  const listed = isObject(config.added_tokens_decoder) ? Object.entries(config.added_tokens_decoder) : [];
  const inOrder = listed.sort(([a], [b]) => Number(a) - Number(b)).map(([, token]) => tokenOf(token, false));
  const roles = ROLES.map((role) => tokenOf(config[`${role}_token`], true));
  const more = config.extra_special_tokens ?? config.additional_special_tokens ?? [];
  const extra = Array.isArray(more) ? more : isObject(more) ? Object.values(more) : [];
  const found = [...inOrder, ...roles, ...extra.map((token: Json) => tokenOf(token, true))];
  return found.filter((token) => token !== undefined);
};

const countOf = (vocab: Json | undefined): number =>
  Array.isArray(vocab) ? vocab.length : isObject(vocab) ? Object.keys(vocab).length : 0;

/** Finds the id of a token of a model's `vocab`. */
const finder = (vocab: Json | undefined): ((token: string) => Json | undefined) => {
  if (isObject(vocab)) return (token) => (Object.hasOwn(vocab, token) ? vocab[token] : undefined);
  if (!Array.isArray(vocab)) return () => undefined;
  const ids = new Map(vocab.map((entry: Json, id) => [Array.isArray(entry) ? entry[0] : entry, id]));
  return (token) => ids.get(token);
};

/**
 * Added tokens, those that only the settings name with the ids that the reference gives them: that of the
 * vocabulary, else the next one. An empty token is passed over, and so is a second one of the same text.
 */
const withTokens = (root: Fields, config: Fields): Fields => {
  const { model, added_tokens: given = [] } = root;
  const list: readonly Json[] = Array.isArray(given) ? given : [];
  // What is malformed is named where it is read.
  if (!isObject(model) || given !== list || !list.every(isObject)) return root;
  const wanted = named(config);
  if (list.length === 0 && wanted.length === 0) return root;
  const idOf = finder(model.vocab);
  const count = countOf(model.vocab);
  const added = new Map<string, Fields>();
  let last = -1;
  const put = (token: Fields, content: string): void => {
    const known = added.get(content)?.id ?? idOf(content) ?? token.id;
    const id = known ?? (last >= count ? last + 1 : count);
    added.set(content, { ...token, id });
    if (typeof id === "number") last = Math.max(last, id);
  };
  for (const token of list as readonly Fields[]) {
    const { content } = token;
    if (typeof content !== "string") return root;
    if (content !== "" && !added.has(content)) put(token, content);
  }
  const listed = listedIn(config);
  const unknown = contentOf(config.unk_token);
  for (const token of wanted) {
    const content = String(token.content);
    // The vocabulary's word for unknown ones is no mark: texts show where the model made one.
    if (content === unknown && !listed.has(content) && idOf(content) !== undefined) continue;
    const before = added.get(content);
    const isListed = Object.entries(token).every(([name, value]) => before?.[name] === value);
    if (before === undefined || (!isListed && listed.has(content))) put(token, content);
  }
  return { ...root, added_tokens: [...added.values()] };
};

/** The tokens that the settings list with their flags: these hold, and not those of tokenizer.json. */
const listedIn = ({ added_tokens_decoder: listed }: Fields): ReadonlySet<string | undefined> =>
  new Set(isObject(listed) ? Object.values(listed).map(contentOf) : []);

/** A tokenizer.json with what its tokenizer_config.json says; `modelType` is config.json's `model_type`. */
export const withConfig = (root: Fields, config: Fields, modelType = ""): Fields =>
  withTokens(withSettings(root, config, modelType), config);
