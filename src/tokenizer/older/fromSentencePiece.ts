/**
 * SentencePiece models as a tokenizer.json that encodes as SentencePiece does (T5, XLM-R, ALBERT, Llama,
 * Gemma), and Marian's two models with one vocabulary.
 */
import { FormatError } from "../../util/errors.ts";
import { asText, escaped, type Fields } from "../json.ts";
import { contentOf } from "../specials.ts";
import { checkId } from "../steps/addedTokens.ts";
import type { Json } from "../tokenizer.ts";
import {
  type AddedEntry,
  addedEntries,
  type OlderOptions,
  SAVE_HINT,
  specialEntry,
  templateJson,
  tokenizerJson,
} from "./older.ts";
import type { SentencePiece, SentencePieceModel } from "./sentencepiece.ts";

const base64 = (bytes: Uint8Array): string => {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(text);
};

const sequence = (list: "normalizers" | "pretokenizers" | "decoders", steps: readonly Json[]): Json =>
  steps.length === 0 ? null : { type: "Sequence", [list]: steps };

const replace = (pattern: Json, content: string): Json => ({ type: "Replace", pattern, content });

const metaspace = (prepend_scheme: string, split: boolean): Json => ({
  type: "Metaspace",
  replacement: "\u2581",
  prepend_scheme,
  split,
});

const charsmapOf = (model: SentencePieceModel): Json[] =>
  model.charsmap.length === 0 ? [] : [{ type: "Precompiled", precompiled_charsmap: base64(model.charsmap) }];

/** SentencePiece's own normalizer, step by step. */
const normalizerOf = (model: SentencePieceModel, everywhere: boolean): Json => {
  const steps = charsmapOf(model);
  if (model.removeExtraWhitespaces)
    steps.push(replace({ Regex: "\\A +| +\\z" }, ""), replace({ Regex: " {2,}" }, " "));
  if (model.escapeWhitespaces) steps.push(replace({ String: " " }, "\u2581"));
  // Metaspace leaves the prefix out before a mark; SentencePiece does not.
  if (model.addDummyPrefix && everywhere) steps.push(replace({ Regex: "\\A\u2581" }, "\u2581\u2581"));
  return sequence("normalizers", steps);
};

const cutterOf = (model: SentencePieceModel, everywhere: boolean): Json => {
  const steps: Json[] = [];
  if (model.addDummyPrefix) steps.push(metaspace(everywhere ? "always" : "first", false));
  const own = model.pieces.filter(({ type }) => type === "user").map(({ piece }) => piece);
  if (own.length > 0) {
    const Regex = own
      .sort((a, b) => b.length - a.length)
      .map(escaped)
      .join("|");
    steps.push({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
  }
  return sequence("pretokenizers", steps);
};

const decoderOf = (model: SentencePieceModel): Json => {
  const strip = { type: "Strip", content: " ", start: 1, stop: 0 };
  return sequence("decoders", [
    replace({ String: "\u2581" }, " "),
    ...(model.byteFallback ? [{ type: "ByteFallback" }] : []),
    { type: "Fuse" },
    ...(model.addDummyPrefix ? [strip] : []),
  ]);
};

/** Every way to make a normal piece of two others, the best piece first. */
const mergesOf = (pieces: readonly SentencePiece[]): Json[] => {
  const normal = new Set(pieces.filter(({ type }) => type === "normal").map(({ piece }) => piece));
  const ranked = pieces.map((piece, id) => ({ ...piece, id })).filter(({ piece }) => normal.has(piece));
  ranked.sort((a, b) => b.score - a.score || a.id - b.id);
  return ranked.flatMap(({ piece }) => {
    const pairs: Json[] = [];
    let at = 0;
    for (const char of piece) {
      at += char.length;
      if (normal.has(piece.slice(0, at)) && normal.has(piece.slice(at)))
        pairs.push([piece.slice(0, at), piece.slice(at)]);
    }
    return pairs;
  });
};

const bpeModel = ({ pieces, byteFallback }: SentencePieceModel): Json => ({
  type: "BPE",
  dropout: null,
  unk_token: pieces.find(({ type }) => type === "unknown")!.piece,
  continuing_subword_prefix: null,
  end_of_word_suffix: null,
  fuse_unk: true,
  byte_fallback: byteFallback,
  ignore_merges: pieces.some(({ type }) => type === "user"),
  vocab: Object.fromEntries(pieces.map(({ piece }, id) => [piece, id])),
  merges: mergesOf(pieces),
});

type Vocab = readonly (readonly [token: string, score: number])[];

const unigramModel = (vocab: Vocab, unk_id: number, byte_fallback: boolean): Json => ({
  type: "Unigram",
  unk_id,
  vocab,
  byte_fallback,
});

interface Family {
  /** Tokens in the order of their ids. */
  readonly vocab: Vocab;
  /** What stands around one text and around two, in the notation of `templateJson`. */
  readonly around: readonly [single: string, pair: string];
  /** White space alone is what parts words. */
  readonly words: boolean;
  readonly specials: readonly string[];
}

const T5: readonly string[] = ["$A </s>", "$A </s> $B </s>"];

const t5 = (vocab: Vocab, config: Fields): Family => {
  const count = typeof config.extra_ids === "number" ? Math.min(config.extra_ids, 10_000) : 100;
  const known = new Set(vocab.map(([token]) => token));
  const extra = Array.from({ length: count }, (_, i) => `<extra_id_${count - 1 - i}>`);
  const fresh = extra.filter((token) => !known.has(token));
  const all = [...vocab, ...fresh.map((token) => [token, 0] as const)];
  return { vocab: all, around: [T5[0]!, T5[1]!], words: true, specials: extra };
};

/** XLM-R's ids are not those of its SentencePiece model: https://github.com/facebookresearch/fairseq */
const xlmRoberta = (vocab: Vocab): Family => {
  const first = ["<s>", "<pad>", "</s>", "<unk>"];
  return {
    vocab: [...first.map((token) => [token, 0] as const), ...vocab.slice(3), ["<mask>", 0]],
    around: ["<s> $A </s>", "<s> $A </s> </s> $B </s>"],
    words: true,
    specials: [...first, "<mask>"],
  };
};

/** Pegasus: ids after 103 tokens of its own. https://github.com/google-research/pegasus */
const pegasus = (vocab: Vocab): Family => {
  const masks = ["<mask_1>", "<mask_2>", ...Array.from({ length: 101 }, (_, i) => `<unk_${i + 2}>`)];
  const first = ["<pad>", "</s>", ...masks];
  return {
    vocab: [...first.map((token) => [token, 0] as const), ...vocab.slice(2)],
    around: [T5[0]!, T5[1]!],
    words: true,
    specials: first,
  };
};

const plainFamily = (vocab: Vocab, { config, modelType = "" }: OlderOptions): Family => {
  const has = (token: string): boolean => vocab.some(([known]) => known === token);
  const name = (role: string, usual: string): string => contentOf(config[`${role}_token`]) ?? usual;
  const base = { vocab, words: false, specials: [] };
  if (has("[CLS]") && has("[SEP]"))
    return { ...base, around: ["[CLS] $A [SEP]", "[CLS] $A [SEP] $B|1 [SEP]|1"] };
  const family = asText(config.tokenizer_class ?? modelType);
  const usesBos = config.add_bos_token ?? /^(?:llama|gemma|mistral|codellama)/i.test(family);
  const bos = usesBos === true ? `${name("bos", "<s>")} ` : "";
  const eos = config.add_eos_token === true ? ` ${name("eos", "</s>")}` : "";
  const second = (part: string): string =>
    part
      .replace("$A", "$B")
      .split(" ")
      .map((word) => `${word}|1`)
      .join(" ");
  return { ...base, around: [`${bos}$A${eos}`, `${bos}$A${eos} ${second(`${bos}$A${eos}`)}`] };
};

const UNKNOWN_FAMILIES = /^(?:camembert|mbart|nllb|barthez|m2m|seamless|plbart|xglm)/i;

const familyOf = (model: SentencePieceModel, options: OlderOptions, file: string): Family => {
  const vocab: Vocab = model.pieces.map(({ piece, score }) => [piece, score]);
  const name = asText(options.config.tokenizer_class ?? options.modelType ?? "");
  if (UNKNOWN_FAMILIES.test(name)) {
    throw new FormatError(`has ids that ${name} changes in a way of its own`, {
      file,
      hint: SAVE_HINT,
    });
  }
  if (/^(?:mt5|umt5|t5|byt5|longt5)/i.test(name)) return t5(vocab, options.config);
  if (/^xlm-?_?roberta/i.test(name)) return xlmRoberta(vocab);
  if (/^(?:big_?bird_?)?pegasus/i.test(name)) {
    const starts = ["<pad>", "</s>", "<unk>"].every((token, id) => vocab[id]?.[0] === token);
    if (starts && options.config.offset === undefined) return pegasus(vocab);
    throw new FormatError("has other first pieces or another offset than Pegasus has", {
      file,
      hint: SAVE_HINT,
    });
  }
  return plainFamily(vocab, options);
};

/** Pieces with a role as added tokens, at the family's ids. */
const declared = (
  model: SentencePieceModel,
  family: Family,
  ids: ReadonlyMap<string, number>,
): AddedEntry[] => [
  ...family.specials.map((token) => specialEntry(token, ids.get(token)!, token === "<mask>")),
  ...model.pieces
    .filter(({ piece, type }) => (type === "control" || type === "unknown") && ids.has(piece))
    .map(({ piece }) => specialEntry(piece, ids.get(piece)!)),
];

const aroundJson = ({ around }: Family, ids: ReadonlyMap<string, number>, file: string): Json => {
  const names = new Set(around.flatMap((part) => part.split(" ")).map((part) => part.split("|")[0]!));
  names.delete("$A");
  names.delete("$B");
  const tokens = [...names].map((token): [string, number] => {
    const id = ids.get(token);
    if (id !== undefined) return [token, id];
    throw new FormatError(`has no piece ${JSON.stringify(token)}, which stands around a text`, { file });
  });
  return templateJson(around[0], around[1], new Map(tokens));
};

/** A SentencePiece model as a tokenizer.json. Throws FormatError where the family's ids are not known. */
export const fromSentencePiece = (model: SentencePieceModel, options: OlderOptions, file: string): Json => {
  const family = familyOf(model, options, file);
  const ids = new Map(family.vocab.map(([token], id) => [token, id]));
  const everywhere = options.config.legacy !== false;
  const unknown = model.pieces.find(({ type }) => type === "unknown")!.piece;
  const words = metaspace("always", true);
  return tokenizerJson({
    added: addedEntries(ids, options, declared(model, family, ids)),
    normalizer: family.words ? sequence("normalizers", charsmapOf(model)) : normalizerOf(model, everywhere),
    pre_tokenizer: family.words
      ? sequence("pretokenizers", [{ type: "WhitespaceSplit" }, words])
      : cutterOf(model, everywhere),
    post_processor: aroundJson(family, ids, file),
    decoder: family.words ? words : decoderOf(model),
    model:
      model.kind === "bpe"
        ? bpeModel(model)
        : unigramModel(family.vocab, ids.get(unknown)!, model.byteFallback),
  });
};

/** Score of a token that is no piece: readers that know nothing of it take it where nothing else can be. */
const FOREIGN = -10_000;

/**
 * One of Marian's two SentencePiece models with the ids of its vocab.json as a tokenizer.json. Throws
 * FormatError where the ids have holes or <unk> or </s> is absent.
 */
export const fromMarian = (model: SentencePieceModel, vocab: Fields, options: OlderOptions): Json => {
  const file = "vocab.json";
  const cut = model.pieces.filter(({ type }) => type === "normal" || type === "user");
  const scores = new Map(cut.map(({ piece, score }) => [piece, score]));
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(vocab)) tokens[checkId(token, id)] = token;
  for (let id = 0; id < tokens.length; id++)
    if (tokens[id] === undefined) throw new FormatError(`has no token with the id ${id}`, { file });
  const ids = new Map(tokens.map((token, id) => [token, id]));
  for (const token of ["<unk>", "</s>"])
    if (!ids.has(token)) throw new FormatError(`has no token ${JSON.stringify(token)}`, { file });
  const special = tokens.filter((token) => /^(?:<unk>|<\/s>|<pad>|>>.+<<)$/.test(token));
  const around = templateJson("$A </s>", "$A $B </s>", new Map([["</s>", ids.get("</s>")!]]));
  return tokenizerJson({
    added: addedEntries(
      ids,
      options,
      special.map((token) => specialEntry(token, ids.get(token)!)),
    ),
    normalizer: normalizerOf(model, true),
    pre_tokenizer: cutterOf(model, true),
    post_processor: around,
    decoder: decoderOf(model),
    model: {
      ...(unigramModel(
        tokens.map((token) => [token, scores.get(token) ?? FOREIGN]),
        ids.get("<unk>")!,
        false,
      ) as Fields),
      // A text is cut by the model's pieces, also by those that have no id.
      pieces: {
        without_id: cut.filter(({ piece }) => !ids.has(piece)).map(({ piece, score }) => [piece, score]),
        not_cut: tokens.filter((token) => !scores.has(token)),
      },
    },
  });
};
