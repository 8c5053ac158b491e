/**
 * Unigram language model (Kudo 2018, https://arxiv.org/abs/1804.10959): of all ways to cut a text into
 * tokens, the one of the greatest sum of scores, found by the Viterbi algorithm. As in the Rust tokenizers
 * library an unknown character costs 10 more than the least likely token, and unknown runs are one token.
 */
import { byteIds, type ModelIds, type PieceEncoder } from "../bpe/anyBpe.ts";
import { type Fields, object, refuse, show } from "../json.ts";
import type { Json } from "../tokenizer.ts";

const UNKNOWN_PENALTY = 10;

/** Longest token, UTF-16 units: a text is looked through that far from each of its places. */
const MAX_LENGTH = 1024;

/** Tokens and scores of a Unigram `vocab`, a list of pairs. Throws FormatError. */
export const unigramVocab = (vocab: Json | undefined): [token: string, score: number][] => {
  if (!Array.isArray(vocab) || vocab.length === 0) return refuse('has no list "model.vocab" of pairs');
  return vocab.map((entry: Json, id) => {
    const [token, score] = Array.isArray(entry) ? entry : [];
    if (typeof token === "string" && token.length > MAX_LENGTH)
      return refuse(`has a token ${id} of ${token.length} characters; ${MAX_LENGTH} are allowed`);
    if (typeof token === "string" && typeof score === "number" && Number.isFinite(score))
      return [token, score];
    return refuse(`has ${show(entry)} where token ${id} and its score are`);
  });
};

/** A trie in one map: (node, UTF-16 unit) -> node; nodes of whole tokens have ids. */
const trieOf = (tokens: readonly string[]) => {
  const edges = new Map<number, number>();
  const ids = new Map<number, number>();
  let nodes = 1;
  tokens.forEach((token, id) => {
    let node = 0;
    for (let i = 0; i < token.length; i++) {
      const key = node * 0x10000 + token.charCodeAt(i);
      node = edges.get(key) ?? nodes;
      if (node === nodes) edges.set(key, nodes++);
    }
    if (node !== 0) ids.set(node, id);
  });
  return { next: (node: number, unit: number) => edges.get(node * 0x10000 + unit), idOf: ids };
};

/**
 * What a model is cut by besides its vocabulary, as Marian's are: pieces that have no id and are unknown,
 * and tokens that no text is cut into.
 */
const piecesOf = (value: Json | undefined): { added: Vocab; barred: ReadonlySet<Json> } => {
  if (value === undefined) return { added: [], barred: new Set() };
  const { without_id: added, not_cut: barred } = object(value, "model.pieces");
  if (!Array.isArray(barred)) return refuse("has model.pieces without a list not_cut");
  const empty = Array.isArray(added) && added.length === 0;
  return { added: empty ? [] : unigramVocab(added), barred: new Set(barred) };
};

type Vocab = readonly (readonly [token: string, score: number])[];

const leastOf = (vocab: Vocab): number =>
  vocab.reduce((least, [, score]) => Math.min(least, score), Number.POSITIVE_INFINITY);

/** Cuts a text at the best places; an unknown run has id -1. Tokens with the text "" are not cut. */
const viterbi = (vocab: Vocab) => {
  const trie = trieOf(vocab.map(([token]) => token));
  const unknownScore = leastOf(vocab) - UNKNOWN_PENALTY;
  return (piece: string): { starts: Int32Array; ids: Int32Array } => {
    const scores = new Float64Array(piece.length + 1);
    const starts = new Int32Array(piece.length + 1).fill(-1);
    const ids = new Int32Array(piece.length + 1);
    const offer = (start: number, end: number, score: number, id: number): void => {
      const sum = scores[start]! + score;
      if (starts[end]! >= 0 && sum <= scores[end]!) return;
      [scores[end], starts[end], ids[end]] = [sum, start, id];
    };
    for (let start = 0; start < piece.length; ) {
      const width = piece.codePointAt(start)! > 0xffff ? 2 : 1;
      let single = false;
      let node: number | undefined = 0;
      for (let end = start; end < piece.length; ) {
        node = trie.next(node, piece.charCodeAt(end++));
        if (node === undefined) break;
        const id = trie.idOf.get(node);
        if (id === undefined) continue;
        offer(start, end, vocab[id]![1], id);
        if (end === start + width) single = true;
      }
      if (!single) offer(start, start + width, unknownScore, -1);
      start += width;
    }
    return { starts, ids };
  };
};

/** The encoder of a Unigram `model`. Throws FormatError where it is malformed. */
export const unigramEncoder = (model: Fields, ids: ModelIds): PieceEncoder => {
  const vocab = unigramVocab(model.vocab);
  const { unk_id: unknown = null } = model;
  if (unknown !== null && (typeof unknown !== "number" || vocab[unknown] === undefined))
    refuse(`has ${vocab.length} tokens and the unk_id ${show(unknown)}`);
  const bytes = model.byte_fallback === true ? byteIds(ids.all) : undefined;
  const { added, barred } = piecesOf(model.pieces);
  const best = viterbi([
    ...vocab.map(([token, score]): Vocab[number] => {
      if (barred.has(token)) return ["", Number.POSITIVE_INFINITY];
      return [ids.text.has(token) ? token : "", score];
    }),
    ...added,
  ]);
  const utf8 = new TextEncoder();
  const unknownRun = (run: string, push: (id: number) => void): void => {
    const whole = ids.text.get(run);
    const fallback = bytes === undefined ? [-1] : Array.from(utf8.encode(run), (b) => bytes[b]!);
    if (whole !== undefined) push(whole);
    else if (!fallback.includes(-1)) for (const id of fallback) push(id);
    else if (unknown === null) refuse(`has no unk_id, and no token for ${show(run)}`);
    else push(unknown as number);
  };
  return (piece, push) => {
    const { starts, ids: found } = best(piece);
    const cuts: number[] = [];
    for (let end = piece.length; end > 0; end = starts[end]!) cuts.push(end);
    let runStart = -1;
    for (let i = cuts.length - 1; i >= 0; i--) {
      const end = cuts[i]!;
      const isUnknown = found[end] === -1 || found[end] === unknown;
      if (isUnknown && runStart < 0) runStart = starts[end]!;
      if (found[end]! >= vocab.length) push(unknown as number);
      else if (!isUnknown) push(ids.text.get(piece.slice(starts[end], end)) ?? found[end]!);
      else if (i === 0 || (found[cuts[i - 1]!] !== -1 && found[cuts[i - 1]!] !== unknown)) {
        unknownRun(piece.slice(runStart, end), push);
        runStart = -1;
      }
    }
  };
};
