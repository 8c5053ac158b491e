/**
 * Span corruption (Raffel et al. 2020, https://arxiv.org/abs/1910.10683, 3.1.4): spans of a text are each
 * replaced by a sentinel, and the target says sentinel by sentinel what stood there.
 */
import { ConfigError } from "../../util/errors.ts";
import { type Rng, rng } from "../../util/rng.ts";

/** How much is taken out, and what stands for it. */
export interface SpanOptions {
  /** Ids that stand for the first span, the second ...; one more than there are spans ends no text here. */
  readonly sentinels: readonly number[];
  /** Share of the tokens that are taken out (0.15). */
  readonly rate?: number;
  /** Mean tokens of a span (3). */
  readonly meanSpan?: number;
}

/** Tokens of an example before and after. */
export interface SpanLengths {
  /** Tokens of running text that an example is made of. */
  readonly text: number;
  /** Tokens of a source and of a target, the end of each included. */
  readonly source: number;
  readonly target: number;
}

/** Halves go to the even number, as in the paper's code. */
const rounded = (x: number): number => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

const countsOf = (length: number, { rate = 0.15, meanSpan = 3 }: SpanOptions) => {
  const noise = Math.min(length - 1, Math.max(1, rounded(length * rate)));
  const spans = Math.max(1, Math.min(noise, length - noise, rounded(noise / meanSpan)));
  return { noise, spans };
};

/** Lengths of the examples whose source has at most `context` tokens. Throws ConfigError where none fits. */
export const spanLengths = (context: number, options: SpanOptions): SpanLengths => {
  const of = (text: number): SpanLengths => {
    const { noise, spans } = countsOf(text, options);
    return { text, source: text - noise + spans + 1, target: noise + spans + 1 };
  };
  let text = context + Math.ceil(context * (options.rate ?? 0.15)) + 2;
  while (text > 2 && of(text).source > context) text--;
  const lengths = of(text);
  const { spans } = countsOf(text, options);
  if (text > 2 && spans <= options.sentinels.length) return lengths;
  throw new ConfigError(
    text > 2
      ? `${spans} spans need as many sentinels, and the tokenizer has ${options.sentinels.length}`
      : `${context} tokens hold no text with a span taken out`,
    { field: "model.n_positions" },
  );
};

/** `parts` lengths of at least 1 that add up to `total`, each division as likely. */
const divided = (total: number, parts: number, random: Rng): number[] => {
  const cuts = new Set<number>();
  while (cuts.size < parts - 1) cuts.add(1 + random.int(total - 1));
  const ends = [...[...cuts].sort((a, b) => a - b), total];
  return ends.map((end, i) => end - (i === 0 ? 0 : ends[i - 1]!));
};

/**
 * A text's tokens with spans taken out of it, and those spans, each behind its sentinel; both without an end
 * token. A pure function of (tokens, options, seed, example). Throws ConfigError for too few sentinels.
 */
export const corruptSpans = (
  tokens: ArrayLike<number>,
  options: SpanOptions,
  { seed, example }: { readonly seed: number; readonly example: number },
): { readonly source: number[]; readonly target: number[] } => {
  const { noise, spans } = countsOf(tokens.length, options);
  if (spans > options.sentinels.length) {
    throw new ConfigError(`${spans} spans need as many sentinels, not ${options.sentinels.length}`);
  }
  const random = rng(seed, `spans/${example}`);
  const taken = divided(noise, spans, random);
  const left = divided(tokens.length - noise, spans, random);
  const source: number[] = [];
  const target: number[] = [];
  let at = 0;
  for (let i = 0; i < spans; i++) {
    const sentinel = options.sentinels[i]!;
    for (let k = 0; k < left[i]!; k++) source.push(tokens[at++]!);
    source.push(sentinel);
    target.push(sentinel);
    for (let k = 0; k < taken[i]!; k++) target.push(tokens[at++]!);
  }
  return { source, target };
};
