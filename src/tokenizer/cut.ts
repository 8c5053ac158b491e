/**
 * Vocabularies cut to the tokens that a corpus uses (Abdaoui et al. 2020, https://arxiv.org/abs/2010.05609, cut
 * multilingual ones to a language). A corpus has the same tokens afterwards, under new ids: what was never
 * chosen there was never in the way. Other texts are written with what is left, down to single characters.
 */
import { mergesOf } from "./bpe/anyBpe.ts";
import { asText, type Fields, object, refuse, show } from "./json.ts";
import type { Json, TokenizerFiles } from "./tokenizer.ts";

/** A tokenizer with fewer tokens. */
export interface CutTokenizer {
  readonly files: TokenizerFiles;
  /** The former id of each token, ascending: the rows that a model keeps. */
  readonly ids: Uint32Array;
}

/** The tokens that byte-pair merging makes on its way to each token of `used`, which merges need. */
const derivation = (merges: readonly [string, string][], used: Iterable<string>): Set<string> => {
  const ranks = new Map(merges.map(([a, b], rank) => [`${a} ${b}`, rank]));
  const all = new Set<string>();
  for (const token of used) {
    const parts = [...token];
    for (const part of parts) all.add(part);
    while (parts.length > 1) {
      let [best, at] = [Number.POSITIVE_INFINITY, -1];
      for (let i = 0; i + 1 < parts.length; i++) {
        const rank = ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? Number.POSITIVE_INFINITY;
        if (rank < best) [best, at] = [rank, i];
      }
      if (at < 0) break;
      parts.splice(at, 2, parts[at]! + parts[at + 1]!);
      all.add(parts[at]!);
    }
  }
  return all;
};

/** Marks of a space in front, as byte-level and SentencePiece vocabularies write it. */
const SPACES = /^[\u0120\u2581]/;

/** A word as it stands elsewhere: behind a space or not, at the beginning of a sentence or within. */
const formsOf = (token: string): string[] => {
  const bare = token.replace(SPACES, "");
  const [first = "", ...rest] = bare;
  const words = [first.toLowerCase(), first.toUpperCase()].map((letter) => letter + rest.join(""));
  return words.flatMap((word) => [word, `\u0120${word}`, `\u2581${word}`]);
};

/** Characters of a token, without the mark that says it goes on with a word. */
const bareLength = (token: string, prefix: string): number =>
  [...(prefix !== "" && token.startsWith(prefix) ? token.slice(prefix.length) : token)].length;

const isByte = (token: string): boolean => /^<0x[0-9A-F]{2}>$/.test(token);

const idsOf = (model: Fields): [token: string, id: number][] => {
  const { vocab } = model;
  if (Array.isArray(vocab))
    return vocab.map((entry: Json, id) => [asText((entry as readonly Json[])[0]), id]);
  return Object.entries(object(vocab, "model.vocab")) as [string, number][];
};

const PARTS = ["end_of_word_suffix", "dropout"];

/** The names of tokens that stay: those used, those on the way to them, single characters, bytes. */
const keptOf = (
  model: Fields,
  entries: readonly [string, number][],
  used: ReadonlySet<number>,
): Set<string> => {
  for (const part of PARTS) if (model[part]) refuse(`has a model with ${part}: its vocabulary is not cut`);
  const prefix = asText(model.continuing_subword_prefix ?? "");
  const isBpe = Array.isArray(model.merges);
  if (isBpe && prefix !== "")
    refuse(`has a BPE model with a prefix ${show(prefix)}: its vocabulary is not cut`);
  const kept = new Set<string>([asText(model.unk_token ?? "")]);
  const known = new Map(entries);
  for (const [token, id] of entries) {
    if (isByte(token) || bareLength(token, prefix) === 1) kept.add(token);
    if (!used.has(id)) continue;
    kept.add(token);
    for (const form of formsOf(token)) if (known.has(form)) kept.add(form);
  }
  return isBpe ? new Set([...kept, ...derivation(mergesOf(model.merges), kept)]) : kept;
};

/** The `model` with what is kept of it, its ids by `newId`. */
const cutModel = (model: Fields, kept: ReadonlySet<string>, newId: (id: number) => number): Fields => {
  const { vocab, merges, unk_id: unknown } = model;
  if (Array.isArray(vocab)) {
    const pieces = vocab.filter((entry: Json) => kept.has(asText((entry as readonly Json[])[0])));
    return { ...model, vocab: pieces, ...(typeof unknown === "number" ? { unk_id: newId(unknown) } : {}) };
  }
  const entries = idsOf(model).filter(([token]) => kept.has(token));
  const cut = { ...model, vocab: Object.fromEntries(entries.map(([token, id]) => [token, newId(id)])) };
  if (!Array.isArray(merges)) return cut;
  const pairs = mergesOf(merges);
  const stays = ([a, b]: readonly [string, string]) => kept.has(a) && kept.has(b) && kept.has(a + b);
  return { ...cut, merges: merges.filter((_: Json, i) => stays(pairs[i]!)) };
};

/** A post-processor with its ids by `newId`. */
const renumberedSteps = (value: Json | undefined, newId: (id: number) => number): Json => {
  if (typeof value !== "object" || value === null) return value ?? null;
  if (Array.isArray(value)) {
    const [token, id] = value;
    if (value.length === 2 && typeof token === "string" && typeof id === "number") return [token, newId(id)];
    return value.map((step: Json) => renumberedSteps(step, newId));
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [
      name,
      name === "ids" && Array.isArray(field)
        ? field.map((id: Json) => newId(Number(id)))
        : renumberedSteps(field, newId),
    ]),
  );
};

/**
 * Cuts a tokenizer to the tokens `used`, the same words behind a space or not and with a capital or not, what
 * merges make on the way to them, single characters, bytes and special tokens; a token keeps its place among
 * the others. Throws FormatError for a model whose tokens depend on more than that (ends of words, dropout).
 */
export const cutTokenizer = (
  { tokenizer, config }: TokenizerFiles,
  used: ReadonlySet<number>,
): CutTokenizer => {
  const root = object(tokenizer, "tokenizer");
  const model = object(root.model, "model");
  const added = (Array.isArray(root.added_tokens) ? root.added_tokens : []) as readonly Fields[];
  const entries = idsOf(model);
  const kept = keptOf(model, entries, used);
  if (typeof model.unk_id === "number") kept.add(entries[model.unk_id]?.[0] ?? "");
  for (const { content } of added) kept.add(asText(content));
  const ids = new Set(entries.filter(([token]) => kept.has(token)).map(([, id]) => id));
  for (const { id } of added) ids.add(Number(id));
  const sorted = Uint32Array.from([...ids]).sort();
  const places = new Map(Array.from(sorted, (id, place) => [id, place]));
  const newId = (id: number): number => places.get(id) ?? refuse(`names an id ${id} that no token has`);
  const settings = object(config ?? {}, "tokenizer_config");
  const { added_tokens_decoder: decoder } = settings;
  const decoded = Object.entries((decoder ?? {}) as Fields).map(([id, token]) => [newId(Number(id)), token]);
  return {
    ids: sorted,
    files: {
      tokenizer: {
        ...root,
        added_tokens: added.map((token) => ({ ...token, id: newId(Number(token.id)) })),
        post_processor: renumberedSteps(root.post_processor, newId),
        model: cutModel(model, kept, newId),
      },
      config:
        decoder === undefined ? settings : { ...settings, added_tokens_decoder: Object.fromEntries(decoded) },
    },
  };
};
