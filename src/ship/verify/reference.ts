/** What shipped graphs are compared with: what a dense model, or other graphs of it, compute on prompts. */
import type { Engine } from "../../engine/engine.ts";
import type { Sessions } from "../../evaluate/parity/reader.ts";
import type { Reference } from "../../evaluate/parity/reference.ts";
import { headOf } from "../../models/head.ts";
import type { Model } from "../../models/model.ts";
import { rng } from "../../util/rng.ts";
import { mostRows } from "./continuation.ts";
import { denseOrigin, graphOrigin, type Origin } from "./origin.ts";

/** Prompts, tokens of a prompt and tokens of a continuation, unless told. */
const [COUNT, LENGTH, TOKENS] = [6, 16, 32];

/** How many prompts, of what and how long. */
export interface PromptOptions {
  /** Texts to read, as token ids; ids drawn from the vocabulary stand in for what is missing. */
  readonly texts?: readonly (readonly number[])[];
  /** How many prompts at most. */
  readonly count?: number;
  /** Tokens of a prompt at most. */
  readonly length?: number;
  /** Tokens of a continuation at most. */
  readonly tokens?: number;
  readonly seed?: number;
}

/** Prompts of at most `length` ids: the given texts, then ids drawn from the vocabulary. */
const promptsOf = (vocab: number, length: number, options: PromptOptions): number[][] => {
  const { texts = [], count = COUNT, seed = 1 } = options;
  const random = rng(seed, "verify");
  const given = texts.filter((ids) => ids.length > 0).slice(0, Math.max(1, count));
  const drawn = Math.max(0, count - given.length);
  return [
    ...given.map((ids) => ids.slice(0, length)),
    ...Array.from({ length: drawn }, (_, i) =>
      // Lengths differ, so that no place is always the last.
      Array.from({ length: Math.max(1, length - i) }, () => random.int(vocab)),
    ),
  ];
};

/** A model without its weights. */
export type Described = Pick<Model, "arch" | "config">;

/** Texts for an encoder, no longer than it takes. */
const encoderTexts = ({ arch, config }: Described, options: PromptOptions): number[][] => {
  const { vocab_size: vocab } = config as { vocab_size: number };
  const { positions } = arch.cache(config);
  return promptsOf(vocab, Math.min(options.length ?? LENGTH, positions), options);
};

type Maker = (origin: Origin, model: Described, options: PromptOptions) => Promise<Partial<Reference>>;

const makers: Readonly<Record<Model["arch"]["kind"], Maker>> = {
  async decoder(origin, { arch, config }, options) {
    const { vocab, positions } = arch.cache(config);
    const length = Math.max(1, Math.min(options.length ?? LENGTH, positions >> 1));
    const tokens = Math.min(options.tokens ?? TOKENS, positions - length);
    const count = Math.min(options.count ?? COUNT, mostRows(vocab, length + tokens));
    const prompts = promptsOf(vocab, length, { ...options, count }).map((prompt) => ({ prompt }));
    return { continuations: await origin.continuations(prompts, tokens) };
  },
  async encoder(origin, model, options) {
    return { runs: await origin.runs("model", encoderTexts(model, options)) };
  },
  async seq2seq(origin, model, options) {
    const { vocab, positions } = model.arch.cache(model.config);
    const { decoder_start_token_id: start = 0 } = model.config as { decoder_start_token_id?: number };
    const tokens = Math.min(options.tokens ?? TOKENS, positions - 1);
    const count = Math.min(options.count ?? COUNT, mostRows(vocab, 1 + tokens));
    const texts = encoderTexts(model, { ...options, count });
    const prompts = texts.map((source) => ({ source, prompt: [start] }));
    return {
      runs: await origin.runs("encoder_model", texts),
      continuations: await origin.continuations(prompts, tokens),
    };
  },
};

const referenceFrom = async (
  origin: Origin,
  model: Described,
  options: PromptOptions,
): Promise<Reference> => {
  const { arch, config } = model;
  // A decoder that labels or gives features reads whole texts, as an encoder does.
  const reads = arch.kind === "decoder" && headOf(arch, config) !== "causal-lm";
  const made = await makers[reads ? "encoder" : arch.kind](origin, model, options);
  return { runs: [], continuations: [], ...made };
};

/** What the dense `model` computes on prompts from `options`, on `engine`. */
export const referenceOf = (engine: Engine, model: Model, options: PromptOptions = {}): Promise<Reference> =>
  referenceFrom(denseOrigin(engine, model), model, options);

/** What the graphs of a model without weights compute on prompts from `options`. */
export const referenceOfGraphs = (
  sessions: Sessions,
  model: Described,
  options: PromptOptions = {},
): Promise<Reference> => referenceFrom(graphOrigin(sessions), model, options);
