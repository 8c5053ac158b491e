/**
 * The tokenizer that any tokenizer.json describes: added tokens, normalizer, pre-tokenizer, model,
 * post-processor, decoder, each as the Rust library tokenizers (https://github.com/huggingface/tokenizers)
 * does it. We have our own because the JavaScript port approximates the character map of SentencePiece and
 * reads characters beyond the first plane by halves, so that ids differ from those that a model was trained
 * on.
 */

import { bpeEncoder, type ModelIds, type PieceEncoder } from "./bpe/anyBpe.ts";
import { tokenBytes } from "./bpe/byteLevel.ts";
import { encoding, type PlainEncoder } from "./inputs.ts";
import { asText, type Fields, object, refuse, show } from "./json.ts";
import { unigramEncoder, unigramVocab } from "./kinds/unigram.ts";
import { wordLevelEncoder, wordPieceEncoder } from "./kinds/wordPiece.ts";
import { endOf, specialIds } from "./specials.ts";
import { type AddedToken, addedTokensOf, checkId, partsOf } from "./steps/addedTokens.ts";
import { byteOf, decoderOf, type TokenDecoder } from "./steps/decoder.ts";
import { anyNormalizer } from "./steps/normalizer.ts";
import { piecesOf } from "./steps/pieces.ts";
import { templateOf } from "./steps/postProcessor.ts";
import { checkedId, type StreamDecoder, type Tokenizer } from "./tokenizer.ts";

type Ids = ReadonlyMap<string, number>;

const models: ReadonlyMap<string, [Tokenizer["kind"], (model: Fields, ids: ModelIds) => PieceEncoder]> =
  new Map([
    ["BPE", ["bpe", bpeEncoder]],
    ["WordPiece", ["wordpiece", wordPieceEncoder]],
    ["WordLevel", ["wordlevel", wordLevelEncoder]],
    ["Unigram", ["unigram", unigramEncoder]],
  ]);

/** The type of a model that does not say it, by what it has. */
const typeOf = (model: Fields): string => {
  if (model.type !== undefined) return asText(model.type);
  if (Array.isArray(model.merges)) return "BPE";
  if (Array.isArray(model.vocab)) return "Unigram";
  return model.continuing_subword_prefix === undefined ? "WordLevel" : "WordPiece";
};

const modelIds = (model: Fields, type: string): Map<string, number> => {
  if (type === "Unigram") return new Map(unigramVocab(model.vocab).map(([token], id) => [token, id]));
  const vocab = Object.entries(object(model.vocab, "model.vocab"));
  return new Map(vocab.map(([token, id]) => [token, checkId(token, id)]));
};

/** Tokens by id; an id of two tokens is refused, an id of none is a hole. */
const tokensById = (ids: Ids, added: readonly AddedToken[]): string[] => {
  const tokens: string[] = [];
  const put = (token: string, id: number): void => {
    const other = tokens[id];
    if (other !== undefined && other !== token)
      refuse(`gives the id ${id} to ${show(other)} and ${show(token)}`);
    tokens[id] = token;
  };
  for (const [token, id] of ids) put(token, id);
  for (const { content, id } of added) put(content, id);
  return tokens;
};

/** Characters alone stay text: where words are spelt, one may be special and needed. */
const textIds = (ids: Ids, specials: readonly AddedToken[]): Ids => {
  const barred = new Set(specials.map(({ content }) => content).filter((content) => [...content].length > 1));
  return new Map([...ids].filter(([token]) => !barred.has(token)));
};

/** Half a character alone is no text: it is read as the replacement character, as UTF-8 would. */
const wellFormed = (text: string): string => text.replace(/\p{Surrogate}/gu, "\ufffd");

const plainEncoder = (root: Fields, added: readonly AddedToken[], encode: PieceEncoder): PlainEncoder => {
  const normalize = anyNormalizer(root.normalizer);
  const cut = piecesOf(root.pre_tokenizer);
  const asWritten = partsOf(
    added.filter((token) => !token.normalized),
    (content) => content,
  );
  const inNormalized = partsOf(
    added.filter((token) => token.normalized),
    normalize,
  );
  return (text, out, special) => {
    for (const part of asWritten(wellFormed(text), special)) {
      if (typeof part === "number") {
        out.push(part);
        continue;
      }
      for (const inner of inNormalized(normalize(part.text), special)) {
        if (typeof inner === "number") out.push(inner);
        else
          for (const piece of cut({ text: inner.text, first: inner.first && part.first }))
            encode(piece.text, out.push);
      }
    }
  };
};

/**
 * Text piece by piece: the ids since the last certain text are decoded again with one before them, since what
 * a token adds depends on whether another stands before it. A run of byte tokens is certain when it ends.
 */
const streamOf =
  (
    decoder: TokenDecoder,
    decode: Tokenizer["decode"],
    isText: (id: number) => boolean,
    isByte: (id: number) => boolean,
  ) =>
  (prompt: ArrayLike<number> = []): StreamDecoder => {
    const before = Array.from(prompt).filter(isText);
    let held = before.slice(
      Math.max(
        0,
        before.findLastIndex((id) => !isByte(id)),
      ),
    );
    let shown = decode(held);
    return {
      push: (id) => {
        if (!isText(id)) return "";
        held.push(id);
        if (decoder.trims || isByte(id)) return "";
        const text = decode(held);
        if (text.endsWith("\ufffd")) return "";
        const fresh = text.slice(shown.length);
        held = [id];
        shown = decode(held);
        return fresh;
      },
      end: () => {
        const rest = decode(held).slice(shown.length);
        held = [];
        shown = "";
        return rest;
      },
    };
  };

const decodingOf = (decoder: TokenDecoder, tokens: readonly string[], specials: ReadonlySet<number>) => {
  const utf8 = new TextEncoder();
  const tokenOf = (id: number): string | undefined => tokens[checkedId(id)];
  const decode: Tokenizer["decode"] = (ids, { keepSpecial = false } = {}) => {
    const kept = Array.from(ids, (id) => (keepSpecial || !specials.has(id) ? tokenOf(id) : undefined));
    return decoder.text(kept.filter((token) => token !== undefined));
  };
  const bytesOf = (id: number): Uint8Array => {
    const token = tokenOf(id);
    if (token === undefined || specials.has(id)) return new Uint8Array(0);
    const byte = decoder.byteFallback ? byteOf(token) : undefined;
    if (byte !== undefined) return Uint8Array.of(byte);
    const own = decoder.byteLevel ? tokenBytes(token) : undefined;
    return own ?? utf8.encode(decoder.text(["a", token]).slice(decoder.text(["a"]).length));
  };
  const isByte = (id: number): boolean => decoder.byteFallback && byteOf(tokens[id] ?? "") !== undefined;
  const isText = (id: number): boolean => tokenOf(id) !== undefined && !specials.has(id);
  return {
    decode,
    bytesOf,
    decodeBytes: (ids: ArrayLike<number>) => utf8.encode(decode(ids)),
    streamDecoder: streamOf(decoder, decode, isText, isByte),
  };
};

/** The tokenizer of a tokenizer.json of any kind. Throws FormatError, naming the part that is wrong. */
export const pipelineTokenizer = (root: Fields, config: Fields): Tokenizer => {
  const model = object(root.model, "model");
  const type = typeOf(model);
  const [kind, encoderOf] = models.get(type) ?? refuse(`has a model of type ${show(type)}`);
  const ids = modelIds(model, type);
  const added = addedTokensOf(root.added_tokens);
  const tokens = tokensById(ids, added);
  const all = new Map([...ids, ...added.map(({ content, id }) => [content, id] as const)]);
  const specials = added.filter((token) => token.special);
  const roles = specialIds(
    config,
    specials.map(({ content }) => content),
    (token) => all.get(token),
  );
  const decoder = decoderOf(root.decoder);
  return {
    kind,
    vocabSize: tokens.length,
    get eos() {
      return endOf(roles, specials[0]?.id);
    },
    specials: roles,
    idOf: (token) => all.get(token),
    files: ({ modelMaxLength } = {}) => ({
      tokenizer: root,
      config: modelMaxLength === undefined ? config : { ...config, model_max_length: modelMaxLength },
    }),
    ...encoding(
      plainEncoder(root, added, encoderOf(model, { all: ids, text: textIds(ids, specials) })),
      templateOf(root.post_processor, tokens.length),
    ),
    ...decodingOf(decoder, tokens, new Set(specials.map(({ id }) => id))),
  };
};
