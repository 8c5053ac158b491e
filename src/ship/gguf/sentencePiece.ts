/**
 * SentencePiece's vocabularies for llama.cpp (Kudo & Richardson 2018, https://arxiv.org/abs/1808.06226): BPE,
 * whose order of merges becomes scores, and Unigram, which has its own.
 */
import type { Json } from "../../models/model.ts";
import type { PieceType, SentencePiece, SentencePieceModel } from "../../tokenizer/older/sentencepiece.ts";
import {
  bool,
  fieldsOf,
  type JsonFields,
  list,
  mergesOf,
  refuse,
  stepsOf,
  tokensById,
  tokenTypes,
  type VocabModel,
} from "./vocab.ts";

const BYTE = /^<0x[0-9A-F]{2}>$/;
const SPACE = "\u2581";

const typesOf = (tokens: ReadonlyMap<number, string>, unknown: number | undefined): Map<number, number> => {
  const types = new Map<number, number>();
  for (const [id, token] of tokens) if (BYTE.test(token)) types.set(id, tokenTypes.byte);
  if (unknown !== undefined) types.set(unknown, tokenTypes.unknown);
  return types;
};

const isSpaceReplace = (step: JsonFields): boolean =>
  step.type === "Replace" && fieldsOf(step.pattern).String === " " && step.content === SPACE;

/** Whether a text begins with a space that it does not have. */
const addsSpace = (steps: readonly JsonFields[]): boolean =>
  steps.some((step) => {
    if (step.type === "Prepend") return step.prepend === SPACE;
    if (step.type !== "Metaspace") return false;
    return step.prepend_scheme === undefined
      ? step.add_prefix_space !== false
      : step.prepend_scheme !== "never";
  });

/** BPE with byte fallback over text whose spaces are U+2581. Throws FormatError for other kinds. */
export const sentencePieceModel = (root: JsonFields): VocabModel => {
  const model = fieldsOf(root.model);
  const tokens = tokensById(model.vocab);
  const steps = [...stepsOf(root.normalizer), ...stepsOf(root.pre_tokenizer)];
  const spaced = steps.every((s) => isSpaceReplace(s) || s.type === "Prepend" || s.type === "Metaspace");
  if (!spaced || steps.length === 0)
    return refuse(`has BPE with byte fallback behind ${JSON.stringify(steps.map((s) => s.type ?? null))}`);
  const ids = new Map(Array.from(tokens, ([id, token]) => [token, id]));
  const scores = new Map<number, number>();
  mergesOf(model.merges).forEach(([a, b], rank) => {
    const id = ids.get(a + b) ?? refuse(`merge ${rank} makes a token that the vocabulary lacks`);
    if (!scores.has(id)) scores.set(id, -rank);
  });
  const types = typesOf(tokens, ids.get(String(model.unk_token)));
  const keys = { "tokenizer.ggml.add_space_prefix": bool(addsSpace(steps)) };
  return { kind: "llama", tokens, types, scores, keys, notes: [] };
};

const charsMap = (step: JsonFields | undefined): Uint8Array | undefined =>
  typeof step?.precompiled_charsmap === "string"
    ? Uint8Array.from(atob(step.precompiled_charsmap), (c) => c.charCodeAt(0))
    : undefined;

/** Throws FormatError where pieces have no scores. */
export const unigramModel = (root: JsonFields): VocabModel => {
  const model = fieldsOf(root.model);
  if (!Array.isArray(model.vocab)) return refuse("has a Unigram model without a vocabulary");
  const tokens = new Map<number, string>();
  const scores = new Map<number, number>();
  for (const [id, piece] of model.vocab.entries()) {
    const [token, score] = Array.isArray(piece) ? (piece as Json[]) : [];
    if (typeof token !== "string" || typeof score !== "number")
      return refuse(`piece ${id} is not a token and a score`);
    tokens.set(id, token);
    scores.set(id, score);
  }
  const normalizers = stepsOf(root.normalizer);
  const map = charsMap(normalizers.find(({ type }) => type === "Precompiled"));
  const steps = [...normalizers, ...stepsOf(root.pre_tokenizer)];
  const trims = steps.some(({ type }) => type === "WhitespaceSplit" || type === "Strip");
  const keys = {
    "tokenizer.ggml.add_space_prefix": bool(addsSpace(steps)),
    "tokenizer.ggml.remove_extra_whitespaces": bool(trims),
    ...(map === undefined ? {} : { "tokenizer.ggml.precompiled_charsmap": list("uint8", map) }),
  };
  const unknown = typeof model.unk_id === "number" ? model.unk_id : undefined;
  return { kind: "t5", tokens, types: typesOf(tokens, unknown), scores, keys, notes: [] };
};

const kindNumbers: Readonly<Record<PieceType, number>> = {
  normal: tokenTypes.normal,
  unknown: tokenTypes.unknown,
  control: tokenTypes.control,
  user: tokenTypes.userDefined,
  unused: tokenTypes.unused,
  byte: tokenTypes.byte,
};

/** A SentencePiece model as it is. */
export const piecesModel = (model: SentencePieceModel): VocabModel => {
  const { pieces, charsmap } = model;
  const byId = <T>(of: (piece: SentencePiece) => T): Map<number, T> =>
    new Map(pieces.map((piece, id) => [id, of(piece)]));
  const unigram = model.kind === "unigram";
  const mapped = charsmap.length > 0;
  return {
    kind: unigram ? "t5" : "llama",
    tokens: byId(({ piece }) => piece),
    types: byId(({ type }) => kindNumbers[type]),
    scores: byId(({ score }) => score),
    keys: {
      "tokenizer.ggml.add_space_prefix": bool(model.addDummyPrefix),
      "tokenizer.ggml.remove_extra_whitespaces": bool(model.removeExtraWhitespaces),
      ...(unigram && mapped ? { "tokenizer.ggml.precompiled_charsmap": list("uint8", charsmap) } : {}),
    },
    notes: mapped && !unigram ? ["llama.cpp does not apply the tokenizer's normalizer Precompiled"] : [],
  };
};
