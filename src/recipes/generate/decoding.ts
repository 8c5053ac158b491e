/** How a text is decoded: the user's word first, then that of the model's files, then what is usual here. */
import type { Generation } from "../../models/checkpoint/generationConfig.ts";
import type { BeamOptions } from "../../serve/decode/beam.ts";
import type { SampleOptions } from "../../serve/decode/sample.ts";
import type { ChatMessage } from "../../template/chat.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Opened } from "../model/open.ts";

/** The text to go on from, and how tokens are chosen. */
export interface TextOptions
  extends Pick<SampleOptions, "temperature" | "topK" | "topP" | "minP" | "repetitionPenalty"> {
  /** What to continue or, for sequence-to-sequence, the source. */
  readonly prompt?: string;
  /**
   * Special tokens that a decoder's prompt names (marks of fill-in-the-middle, of a chat written by hand) are
   * read as such unless this is false. In a sequence-to-sequence source they always are (`>>fra<<`).
   */
  readonly specialTokens?: boolean;
  /** A chat instead: written as the model's own template says. */
  readonly messages?: readonly ChatMessage[];
  readonly maxTokens?: number;
  /** Texts that end the answer. */
  readonly stop?: readonly string[];
  /** Beam search with this many beams; the text then comes as a whole. */
  readonly beams?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Without a word from the user or the model: a little cooler than the model's own distribution. */
const USUAL: SampleOptions = { temperature: 0.8, topK: 40 };
const USUAL_TOKENS = 128;

/**
 * The settings of drawing. A decoder that continues a text draws where nobody says anything; chats (an answer
 * is
 * wanted there rather than variety), sequence-to-sequence models and beams do where the user or the model ask
 * for
 * it, as in transformers.
 */
const drawn = (given: TextOptions, { generation, arch }: Opened, beams: number): SampleOptions => {
  const { temperature, topK, topP, minP } = given;
  const asked = defined({ temperature, topK, topP, minP });
  if (generation.temperature > 0) return asked;
  const continues = arch.kind === "decoder" && beams === 1 && given.messages === undefined;
  return continues || Object.keys(asked).length > 0 ? { ...USUAL, ...asked } : { temperature: 0 };
};

/** Most new tokens behind `promptTokens`. Throws ConfigError where the model's limit leaves none. */
const limit = (given: TextOptions, { generation, dir }: Opened, promptTokens: number): number => {
  const { maxLength } = generation;
  const asked = given.maxTokens ?? generation.maxTokens;
  if (asked !== undefined || maxLength === undefined) return asked ?? USUAL_TOKENS;
  if (maxLength > promptTokens) return maxLength - promptTokens;
  throw new ConfigError(`is ${maxLength}, and the prompt has ${promptTokens} tokens already`, {
    file: dir,
    field: "max_length",
    hint: "shorten the prompt, or say how many tokens to write (--max-tokens)",
  });
};

/** Texts that end the answer. */
export const stopTexts = (given: TextOptions, { stopTexts: own = [] }: Generation): readonly string[] => [
  ...(given.stop ?? []),
  ...own,
];

/** Aborted by the user, or when the model's time is over. */
const untilTimeout = (signal: AbortSignal | undefined, seconds: number | undefined) => {
  if (seconds === undefined) return signal;
  const timeout = AbortSignal.timeout(Math.ceil(1000 * seconds));
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
};

/** All settings of one text whose decoder starts from `promptTokens` ids. */
export const decodingOf = (
  given: TextOptions,
  opened: Opened,
  promptTokens: number,
): Omit<BeamOptions, "start"> => {
  const { generation, tokenizer } = opened;
  const { stopIds, endless, beams: own = 1, ...settings } = generation;
  const beams = given.beams ?? own;
  const { repetitionPenalty, seed } = given;
  return {
    ...settings,
    ...drawn(given, opened, beams),
    ...defined({ repetitionPenalty, seed, signal: untilTimeout(given.signal, generation.maxTime) }),
    eos: stopIds.length > 0 || endless ? stopIds : [tokenizer.eos],
    maxTokens: limit(given, opened, promptTokens),
    beams,
  };
};
