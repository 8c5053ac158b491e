/**
 * Tokens with a role beyond the end of a text, as encoders and encoder-decoders need them: what stands around
 * a text, hides a token, stands for a span.
 */
import { ConfigError } from "../../util/errors.ts";
import { loadTokenizer } from "../load.ts";
import type { Json, SpecialIds, Tokenizer } from "../tokenizer.ts";

/** Tokens with a role, and where they stand around a text. */
export interface Marks {
  /** The first ids of the vocabulary; what ends a text first. */
  readonly tokens: readonly string[];
  /** Which of them has which role. */
  readonly roles: Readonly<Partial<Record<keyof SpecialIds, string>>>;
  /** What stands before and after a text. */
  readonly around: readonly [before: readonly string[], after: readonly string[]];
  /** The class that transformers loads it with. */
  readonly tokenizerClass: string;
}

const BERT = ["[SEP]", "[PAD]", "[UNK]", "[CLS]", "[MASK]"] as const;
const ROBERTA = ["</s>", "<pad>", "<unk>", "<s>", "<mask>"] as const;
const SPANS = Array.from({ length: 100 }, (_, i) => `<extra_id_${i}>`);

/** The marks that families of models expect. */
export const marks = {
  bert: {
    tokens: BERT,
    roles: { sep: "[SEP]", pad: "[PAD]", unk: "[UNK]", cls: "[CLS]", mask: "[MASK]" },
    around: [["[CLS]"], ["[SEP]"]],
    tokenizerClass: "PreTrainedTokenizerFast",
  },
  roberta: {
    tokens: ROBERTA,
    roles: { bos: "<s>", eos: "</s>", pad: "<pad>", unk: "<unk>", cls: "<s>", sep: "</s>", mask: "<mask>" },
    around: [["<s>"], ["</s>"]],
    tokenizerClass: "PreTrainedTokenizerFast",
  },
  t5: {
    tokens: ["</s>", "<pad>", "<unk>", ...SPANS],
    roles: { eos: "</s>", pad: "<pad>", unk: "<unk>" },
    around: [[], ["</s>"]],
    tokenizerClass: "PreTrainedTokenizerFast",
  },
  marian: {
    tokens: ["</s>", "<pad>", "<unk>"],
    roles: { eos: "</s>", pad: "<pad>", unk: "<unk>" },
    around: [[], ["</s>"]],
    tokenizerClass: "PreTrainedTokenizerFast",
  },
} as const satisfies Readonly<Record<string, Marks>>;

type Fields = { readonly [key: string]: Json };

/** A template of a post-processor for one text and for two. */
const template = ({ around: [before, after] }: Marks, idOf: (token: string) => number): Json => {
  const special = (token: string, type_id: number): Json => ({ SpecialToken: { id: token, type_id } });
  const text = (id: "A" | "B", type_id: number): Json => ({ Sequence: { id, type_id } });
  const one = (type: number, name: "A" | "B") => [text(name, type), ...after.map((t) => special(t, type))];
  const used = [...new Set([...before, ...after])];
  const tokens = used.map((token) => [token, { id: token, ids: [idOf(token)], tokens: [token] }] as const);
  return {
    type: "TemplateProcessing",
    single: [...before.map((t) => special(t, 0)), ...one(0, "A")],
    pair: [...before.map((t) => special(t, 0)), ...one(0, "A"), ...one(1, "B")],
    special_tokens: Object.fromEntries(tokens),
  };
};

/**
 * A byte-level tokenizer, trained with `marks.tokens` as its special tokens, that knows their roles and puts
 * them around a text. Throws ConfigError where it lacks one.
 */
export const marked = (tokenizer: Tokenizer, given: Marks): Tokenizer => {
  const idOf = (token: string): number => {
    const id = tokenizer.idOf(token);
    if (id !== undefined) return id;
    throw new ConfigError(`has no token ${JSON.stringify(token)}`, { field: "tokenizer.specialTokens" });
  };
  const { tokenizer: json, config } = tokenizer.files();
  const roles = Object.entries(given.roles).map(([role, token]) => [`${role}_token`, token] as const);
  const { bos_token: _, eos_token: __, pad_token: ___, unk_token: ____, ...rest } = config as Fields;
  return loadTokenizer(
    { ...(json as Fields), post_processor: template(given, idOf) },
    { ...rest, tokenizer_class: given.tokenizerClass, ...Object.fromEntries(roles) },
  );
};
