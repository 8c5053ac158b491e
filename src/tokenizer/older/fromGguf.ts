/**
 * The vocabulary of a GGUF file as a tokenizer.json and a tokenizer_config.json
 * (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md#tokenizer): byte-level BPE ("gpt2"),
 * SentencePiece's BPE, whose scores are its merges ("llama"), WordPiece ("bert") and Unigram ("t5").
 */
import { type Metadata, needed } from "../../util/metadata.ts";
import type { Fields } from "../json.ts";
import type { Json } from "../tokenizer.ts";
import { fromSentencePiece } from "./fromSentencePiece.ts";
import { fromVocabTxt } from "./fromVocab.ts";
import { ggufSplit, ggufSplits } from "./ggufSplits.ts";
import { type AddedEntry, templateJson, tokenizerJson } from "./older.ts";
import type { PieceType, SentencePieceModel } from "./sentencepiece.ts";

const PREFIX = "tokenizer.ggml";
const TOKENS = `${PREFIX}.tokens`;
const TYPES = `${PREFIX}.token_type`;
const MODEL = `${PREFIX}.model`;
const PRE = `${PREFIX}.pre`;
const MERGES = `${PREFIX}.merges`;
const SCORES = `${PREFIX}.scores`;

/** Kinds of token by llama.cpp's numbers. */
const KINDS: readonly PieceType[] = ["normal", "normal", "unknown", "control", "user", "unused", "byte"];

/** Roles of tokens, and the keys of their ids. */
const ROLES = {
  bos: "bos_token_id",
  eos: "eos_token_id",
  unk: "unknown_token_id",
  sep: "seperator_token_id",
  pad: "padding_token_id",
  cls: "cls_token_id",
  mask: "mask_token_id",
} as const;

type Role = keyof typeof ROLES;

interface Vocabulary {
  /** By id. What fills the embedding behind the last token is left out. */
  readonly tokens: readonly string[];
  readonly kinds: readonly PieceType[];
  readonly roles: ReadonlyMap<Role, number>;
}

const BYTE = /^<0x[0-9A-F]{2}>$/;

const kindsOf = (m: Metadata, tokens: readonly string[], roles: ReadonlyMap<Role, number>): PieceType[] => {
  const types = m.numbers(TYPES);
  if (types === undefined) {
    const named = new Set(roles.values());
    return tokens.map((token, id) => (BYTE.test(token) ? "byte" : named.has(id) ? "control" : "normal"));
  }
  if (types.length !== tokens.length)
    m.fail(TYPES, `has ${types.length} entries for ${tokens.length} tokens`);
  return types.map((type, id) => KINDS[type] ?? m.fail(TYPES, `has the kind ${type} for the token ${id}`));
};

const rolesOf = (m: Metadata, count: number): Map<Role, number> => {
  const roles = new Map<Role, number>();
  for (const [role, name] of Object.entries(ROLES)) {
    const key = `${PREFIX}.${name}`;
    const id = m.count(key);
    if (id === undefined) continue;
    if (id >= count) m.fail(key, `is ${id}, but there are ${count} tokens`);
    roles.set(role as Role, id);
  }
  return roles;
};

/** Throws where a token stands twice: one of the two could not be told from the other. */
const refuseTwice = (m: Metadata, tokens: readonly string[], kinds: readonly PieceType[]): void => {
  const ids = new Map<string, number>();
  tokens.forEach((token, id) => {
    if (kinds[id] === "unused") return;
    const other = ids.get(token);
    if (other !== undefined) m.fail(TOKENS, `has ${JSON.stringify(token)} twice, as ${other} and as ${id}`);
    ids.set(token, id);
  });
};

const vocabularyOf = (m: Metadata): Vocabulary => {
  const all = needed(m, TOKENS, m.texts(TOKENS));
  if (all.length === 0) m.fail(TOKENS, "is empty");
  const roles = rolesOf(m, all.length);
  const allKinds = kindsOf(m, all, roles);
  const last = Math.max(
    allKinds.findLastIndex((kind) => kind !== "unused"),
    ...roles.values(),
  );
  const [tokens, kinds] = [all.slice(0, last + 1), allKinds.slice(0, last + 1)];
  refuseTwice(m, tokens, kinds);
  return { tokens, kinds, roles };
};

/** Tokens that are found in a text before the model sees it. */
const addedOf = ({ tokens, kinds }: Vocabulary): AddedEntry[] =>
  tokens.flatMap((content, id) => {
    const kind = kinds[id]!;
    if ((kind !== "control" && kind !== "user" && kind !== "unknown") || content === "") return [];
    const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
    return [{ id, content, ...plain, special: kind !== "user" }];
  });

/** Which tokens stand around a text. */
interface Around {
  readonly bos: boolean;
  readonly eos: boolean;
}

const aroundOf = (m: Metadata, usual: Around): Around => ({
  bos: m.flag(`${PREFIX}.add_bos_token`) ?? usual.bos,
  eos: m.flag(`${PREFIX}.add_eos_token`) ?? usual.eos,
});

const templateFor = ({ tokens, roles }: Vocabulary, { bos, eos }: Around): Json => {
  const [first, last] = [bos ? roles.get("bos") : undefined, eos ? roles.get("eos") : undefined];
  const used = [first, last].filter((id) => id !== undefined);
  if (used.length === 0) return null;
  const around = (text: string, type: string): string =>
    [first, text, last]
      .filter((part) => part !== undefined)
      .map((part) => `${typeof part === "number" ? tokens[part] : part}${type}`)
      .join(" ");
  const ids = new Map(used.map((id) => [tokens[id]!, id]));
  return templateJson(around("$A", ""), `${around("$A", "")} ${around("$B", "|1")}`, ids);
};

/** Merges as pairs: a space parts them, and each may begin with one. */
const mergesOf = (m: Metadata, ids: Fields): Json => {
  const merges = needed(m, MERGES, m.texts(MERGES));
  return merges.map((merge, i): Json => {
    const at = merge.indexOf(" ", 1);
    const pair = at < 0 ? [] : [merge.slice(0, at), merge.slice(at + 1)];
    const known = pair.length === 2 && [...pair, pair.join("")].every((part) => Object.hasOwn(ids, part));
    return known
      ? pair
      : m.fail(MERGES, `${i} (${JSON.stringify(merge)}) is no pair of tokens that make one`);
  });
};

const byteLevel = (m: Metadata, v: Vocabulary): Json => {
  const pre = m.text(PRE) ?? "default";
  const known = ggufSplits.flatMap(({ names }) => names).join(", ");
  const way =
    ggufSplit(pre) ?? m.fail(PRE, `is "${pre}", a way of splitting that is not known`, `known: ${known}`);
  // Added tokens too: the library tokenizers gives ids of its own to those that the vocabulary lacks.
  const vocab = Object.fromEntries(v.tokens.map((token, id) => [token, id]));
  const bytes = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };
  return tokenizerJson({
    added: addedOf(v),
    // llama.cpp applies none; Qwen's models were trained behind this one.
    normalizer: pre === "qwen2" ? { type: "NFC" } : null,
    pre_tokenizer: way.steps.length === 1 ? way.steps[0]! : { type: "Sequence", pretokenizers: way.steps },
    post_processor: templateFor(v, aroundOf(m, { bos: way.addBos === true, eos: false })),
    decoder: bytes,
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: way.ignoreMerges === true,
      vocab,
      merges: mergesOf(m, vocab),
    },
  });
};

/** The texts of the roles as tokenizer_config.json has them. */
const roleTexts = ({ tokens, roles }: Vocabulary): Fields =>
  Object.fromEntries(Array.from(roles, ([role, id]) => [`${role}_token`, tokens[id]!]));

const pieceModel = (m: Metadata, v: Vocabulary, kind: SentencePieceModel["kind"]): SentencePieceModel => {
  const scores = needed(m, SCORES, m.numbers(SCORES));
  if (scores.length < v.tokens.length)
    m.fail(SCORES, `has ${scores.length} entries for ${v.tokens.length} tokens`);
  const unknown = v.kinds.includes("unknown") ? -1 : (v.roles.get("unk") ?? 0);
  const charsmap = m.numbers(`${PREFIX}.precompiled_charsmap`) ?? [];
  return {
    kind,
    pieces: v.tokens.map((piece, id) => {
      const own = id === unknown ? "unknown" : v.kinds[id]!;
      // Found in the text before it is cut, and never by merging.
      return { piece, score: scores[id]!, type: own === "user" ? "unused" : own };
    }),
    byteFallback: v.kinds.includes("byte"),
    charsmap: Uint8Array.from(charsmap),
    addDummyPrefix: m.flag(`${PREFIX}.add_space_prefix`) ?? true,
    removeExtraWhitespaces: m.flag(`${PREFIX}.remove_extra_whitespaces`) ?? false,
    escapeWhitespaces: true,
  };
};

const pieces =
  (kind: SentencePieceModel["kind"], usual: Around) =>
  (m: Metadata, v: Vocabulary): Json => {
    const around = aroundOf(m, usual);
    const declared = addedOf(v).map(({ id, ...token }) => [String(id), token] as const);
    const config = {
      ...roleTexts(v),
      added_tokens_decoder: Object.fromEntries(declared) as Json,
      add_bos_token: around.bos && v.roles.has("bos"),
      add_eos_token: around.eos && v.roles.has("eos"),
    };
    return fromSentencePiece(pieceModel(m, v, kind), { config }, m.file);
  };

/** WordPiece, of whose tokens in the file those that begin a word have a space, and the others nothing. */
const wordPiece = (m: Metadata, v: Vocabulary): Json => {
  const lines = v.tokens.map((token, id) => {
    if (v.kinds[id] !== "normal" || /^\[.*\]$/.test(token)) return token;
    return token.startsWith("\u2581") ? token.slice(1) : `##${token}`;
  });
  const odd = lines.findIndex((line) => /[\r\n]/.test(line));
  if (odd >= 0) m.fail(TOKENS, `has a line break in the token ${odd}`);
  return fromVocabTxt(lines.join("\n"), { config: roleTexts(v) }, m.file);
};

const makers: Readonly<Record<string, (m: Metadata, v: Vocabulary) => Json>> = {
  gpt2: byteLevel,
  llama: pieces("bpe", { bos: true, eos: false }),
  bert: wordPiece,
  t5: pieces("unigram", { bos: false, eos: true }),
};

/** Chat templates: one, or that one and others with names. */
const templatesOf = (m: Metadata): Fields => {
  const key = "tokenizer.chat_template";
  const own = m.text(key);
  const names = m.texts("tokenizer.chat_templates") ?? [];
  if (names.length === 0) return own === undefined ? {} : { chat_template: own };
  const named = names.map((name) => ({
    name,
    template: needed(m, `${key}.${name}`, m.text(`${key}.${name}`)),
  }));
  const first = own === undefined ? [] : [{ name: "default", template: own }];
  return { chat_template: [...first, ...named] };
};

/** tokenizer.json and tokenizer_config.json of a file. Throws FormatError naming the key that is wrong. */
export const fromGguf = (m: Metadata): { readonly tokenizer: Json; readonly config: Json } => {
  const name = needed(m, MODEL, m.text(MODEL), "a file without a tokenizer gives weights alone");
  const make = Object.hasOwn(makers, name) ? makers[name] : undefined;
  if (make === undefined) {
    return m.fail(
      MODEL,
      `is "${name}", a kind that is not known`,
      `known: ${Object.keys(makers).join(", ")}`,
    );
  }
  const v = vocabularyOf(m);
  const longest = m.count(`${m.text("general.architecture")}.context_length`);
  const config = {
    tokenizer_class: "PreTrainedTokenizerFast",
    ...roleTexts(v),
    clean_up_tokenization_spaces: false,
    ...(longest === undefined ? {} : { model_max_length: longest }),
    ...templatesOf(m),
  };
  return { tokenizer: make(m, v), config };
};

/** Names of tokens that end a turn, which llama.cpp stops at whether the file says so or not. */
const TURN_ENDS = new Set(
  ["<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>"].concat([
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
  ]),
);

/** Ids that end a text or a turn, the text's own first. */
export const ggufStopIds = (m: Metadata): number[] => {
  const named = ["eos_token_id", "eot_token_id", "eom_token_id"].map((key) => m.count(`${PREFIX}.${key}`));
  const types = m.numbers(TYPES) ?? [];
  const usual = (m.texts(TOKENS) ?? []).flatMap((token, id) =>
    TURN_ENDS.has(token) && types[id] === KINDS.indexOf("control") ? [id] : [],
  );
  return [...new Set([...named, ...usual])].filter((id) => id !== undefined);
};
