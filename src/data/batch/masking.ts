/** Masking tokens for an encoder to fill in (Devlin et al. 2019, https://arxiv.org/abs/1810.04805, 3.1). */
import { ConfigError } from "../../util/errors.ts";
import { type Rng, rng } from "../../util/rng.ts";

/** Label of a token that is not to be filled in. */
const UNMASKED = -100;

/** Blocks of random numbers that a text has for itself: enough for some 2^24 tokens. */
const BLOCKS = 2 ** 24;

/** How much is masked, and what never is. */
export interface MaskingOptions {
  /** Size of the vocabulary. */
  readonly vocab: number;
  /** Id of the mask token. */
  readonly maskId: number;
  /** Ids that are never masked nor drawn: those of padding, class, separator, mask. */
  readonly special: ReadonlySet<number>;
  /** Share of the other tokens that are to be filled in (0.15): `maskedCount` says how many. */
  readonly rate?: number;
  /**
   * Whether a token goes on a word that the one before began: whole words are then masked or left, a token's
   * mark of its own fate each (as in BERT's later checkpoints); words that would be too many tokens are left.
   * Each token is a word of its own unless told.
   */
  readonly continues?: (id: number) => boolean;
  /**
   * What stands in the place of a chosen token: mostly the mask ("mask" unless told), or a token drawn from
   * the text itself, which may be the same one ("text").
   */
  readonly fate?: "mask" | "text";
  readonly seed: number;
  /** Number of the text: each has draws of its own. */
  readonly step: number;
}

/** Tokens with masks, and what belongs there. */
export interface Masked {
  /** The tokens with masks in them. */
  readonly ids: Int32Array;
  /** The token where one is to be filled in, -100 elsewhere. */
  readonly labels: Int32Array;
}

/** Draws ids of the vocabulary, or of the places in a text that may be chosen; none is special. */
const drawer = (tokens: ArrayLike<number>, { vocab, special, fate }: MaskingOptions, random: Rng) => {
  const own = fate === "text" ? Array.from(tokens).filter((id) => !special.has(id)) : [];
  return (): number => {
    if (fate === "text") return own[random.int(own.length)]!;
    for (;;) {
      const id = random.int(vocab);
      if (!special.has(id)) return id;
    }
  };
};

const checkOptions = ({ vocab, maskId, special, rate = 0.15 }: MaskingOptions): void => {
  if (!(rate > 0 && rate <= 1)) {
    throw new ConfigError(`must be above 0 and at most 1, not ${rate}`, { field: "rate" });
  }
  if (!Number.isInteger(maskId) || maskId < 0 || maskId >= vocab) {
    throw new ConfigError(`is ${maskId}, outside the vocabulary of ${vocab}`, { field: "maskId" });
  }
  let left = vocab;
  for (const id of special) if (id >= 0 && id < vocab) left--;
  if (left === 0) throw new ConfigError("has no tokens but special ones", { field: "vocab" });
};

/** How many of a text's `free` tokens, those that are not special, are to be filled in: at least one. */
export const maskedCount = (free: number, rate = 0.15): number =>
  free === 0 ? 0 : Math.max(1, Math.round(rate * free));

/** The places of the tokens that may be masked, word by word. */
const wordsOf = (tokens: ArrayLike<number>, options: MaskingOptions): number[][] => {
  const { special, continues = () => false } = options;
  const words: number[][] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (special.has(tokens[i]!)) continue;
    const goesOn = i > 0 && !special.has(tokens[i - 1]!) && continues(tokens[i]!);
    if (goesOn) words.at(-1)!.push(i);
    else words.push([i]);
  }
  return words;
};

/** The places that are to be filled in: words in a drawn order, as long as they fit. */
const chosen = (words: number[][], wanted: number, random: Rng): number[] => {
  const places: number[] = [];
  for (let i = 0; i < words.length && places.length < wanted; i++) {
    const j = i + random.int(words.length - i);
    [words[i], words[j]] = [words[j]!, words[i]!];
    if (places.length + words[i]!.length <= wanted) places.push(...words[i]!);
  }
  return places.sort((a, b) => a - b);
};

/**
 * A share `rate` of a text's tokens is to be filled in, the same number for all texts of a length, as in
 * BERT's own code: 80 % of them become the mask, 10 % a random token, 10 % stay (see `fate`). A pure
 * function of (tokens, options). Throws ConfigError for a rate or an id out of range.
 */
export const maskTokens = (tokens: ArrayLike<number>, options: MaskingOptions): Masked => {
  checkOptions(options);
  const { maskId, rate, seed, step, fate: kind = "mask" } = options;
  const random = rng(seed, "masking", step * BLOCKS);
  const ids = Int32Array.from(tokens);
  const labels = new Int32Array(ids.length).fill(UNMASKED);
  const drawn = drawer(tokens, options, random);
  const words = wordsOf(tokens, options);
  const free = words.reduce((sum, word) => sum + word.length, 0);
  for (const i of chosen(words, maskedCount(free, rate), random)) {
    labels[i] = tokens[i]!;
    const fate = random.uniform();
    if (kind === "text") ids[i] = drawn();
    else if (fate < 0.8) ids[i] = maskId;
    else if (fate < 0.9) ids[i] = drawn();
  }
  return { ids, labels };
};
