/** How probable a decoder finds what follows a context, and whole texts, as lm-evaluation-harness asks. */
import type { Reader } from "../../../evaluate/parity/reader.ts";
import { saidTokens } from "../../../evaluate/said.ts";
import type { Tokenizer } from "../../../tokenizer/index.ts";
import { DataError } from "../../../util/errors.ts";

/** How probable a continuation is. */
export interface Likelihood {
  /** Natural logarithm of its probability. */
  readonly logProb: number;
  /** Whether each of its tokens is the likeliest. */
  readonly greedy: boolean;
}

/** A decoder that is asked. */
export interface Asked {
  readonly reader: Reader;
  readonly tokenizer: Tokenizer;
  /** Most tokens that it takes. */
  readonly positions: number;
}

const prefixOf = ({ specials, eos }: Tokenizer): number => specials.bos ?? eos;

const encode = (tokenizer: Tokenizer, text: string, template = true): number[] =>
  Array.from(tokenizer.encode(text, { template, special: true }));

/**
 * Tokens of a context and of what follows it: those of both together, of which the first are the context's;
 * spaces at its end are of what follows.
 */
const parted = (tokenizer: Tokenizer, context: string, continuation: string) => {
  if (context === "") {
    return { before: [prefixOf(tokenizer)], after: encode(tokenizer, continuation, false) };
  }
  const kept = context.trimEnd();
  const whole = encode(tokenizer, context + continuation);
  const count = encode(tokenizer, kept).length;
  return { before: whole.slice(0, count), after: whole.slice(count) };
};

/** Nats of the tokens `after`, each given all before; the first are left out where they are too many. */
const saidOf = async ({ reader, positions }: Asked, before: readonly number[], after: readonly number[]) => {
  const ids = [...before, ...after].slice(-(positions + 1));
  const said = Math.min(after.length, ids.length - 1);
  await reader.start();
  const logits = await reader.read(ids.slice(0, -1), said);
  return saidTokens(logits, ids.slice(-said));
};

/** How probable `continuation` is behind `context`. Throws DataError where it has no token. */
export const likelihood = async (
  asked: Asked,
  context: string,
  continuation: string,
): Promise<Likelihood> => {
  const { before, after } = parted(asked.tokenizer, context, continuation);
  if (after.length === 0) throw new DataError(`${JSON.stringify(continuation)} has no token of its own`);
  const said = await saidOf(asked, before, after);
  return {
    logProb: -said.reduce((sum, { nats }) => sum + nats, 0),
    greedy: said.every(({ id, likeliest }) => id === likeliest),
  };
};

/** Log of the probability of a whole text, in windows of which each begins where the last ended. */
export const rollingLikelihood = async (asked: Asked, text: string): Promise<number> => {
  const { tokenizer, positions } = asked;
  const ids = encode(tokenizer, text);
  let nats = 0;
  for (let at = 0; at < ids.length; at += positions) {
    const window = ids.slice(at, at + positions);
    const context =
      at === 0 ? [prefixOf(tokenizer)] : ids.slice(Math.max(0, at + window.length - positions - 1), at);
    for (const said of await saidOf(asked, context, window)) nats += said.nats;
  }
  return -nats;
};
