/**
 * What shipped graphs are compared with. Of what generates it is the training graph of the dense model, which
 * has no cache to go wrong; of an encoder, the same program compiled from the dense weights.
 */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import type { NamedTensors, Reference, ReferenceRun } from "../../evaluate/parity/reference.ts";
import type { Program } from "../../ir/program.ts";
import { type Tensor, tensorOf } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { graphsOf } from "../../serve/graphs.ts";
import { rng } from "../../util/rng.ts";
import { continuations, mostRows } from "./continuation.ts";

/** Prompts, tokens of a prompt and tokens of a continuation, unless told. */
const [COUNT, LENGTH, TOKENS] = [6, 16, 32];

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

/** What an encoder is fed: each text alone, then two together of which one is shorter, and padded. */
const encoderFeeds = (texts: readonly (readonly number[])[], program: Program): NamedTensors[] => {
  const wanted = Object.keys(program.inputs as object);
  const feedsOf = (rows: readonly (readonly number[])[]): NamedTensors => {
    const length = Math.max(...rows.map((ids) => ids.length));
    const of = (value: (ids: readonly number[], at: number) => number): Tensor => {
      const values = rows.flatMap((ids) => Array.from({ length }, (_, at) => value(ids, at)));
      return tensorOf("int64", [rows.length, length], values);
    };
    const all: Record<string, Tensor> = {
      input_ids: of((ids, at) => ids[at] ?? 0),
      attention_mask: of((ids, at) => (at < ids.length ? 1 : 0)),
      token_type_ids: of((ids, at) => (at < ids.length && at >= ids.length >> 1 ? 1 : 0)),
    };
    return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)));
  };
  const [first = [0]] = texts;
  const pair = [first, first.slice(0, Math.max(1, first.length - 3))];
  return [...texts.map((ids) => feedsOf([ids])), feedsOf(pair)];
};

/** Runs of one graph compiled from the dense weights. */
const runsOf = async (
  engine: Engine,
  graph: string,
  program: Program,
  texts: readonly (readonly number[])[],
): Promise<readonly ReferenceRun[]> => {
  const session = await compile(engine, program);
  try {
    const runs: ReferenceRun[] = [];
    for (const feeds of encoderFeeds(texts, program)) {
      runs.push({ graph, feeds, outputs: await session.run(feeds) });
    }
    return runs;
  } finally {
    await session.dispose();
  }
};

/** Texts for an encoder, no longer than it takes. */
const encoderTexts = (model: Model, options: PromptOptions): number[][] => {
  const { vocab_size: vocab } = model.config as { vocab_size: number };
  const { positions } = model.arch.cache(model.config);
  return promptsOf(vocab, Math.min(options.length ?? LENGTH, positions), options);
};

const makers: Readonly<
  Record<
    Model["arch"]["kind"],
    (engine: Engine, model: Model, options: PromptOptions) => Promise<Partial<Reference>>
  >
> = {
  async decoder(engine, model, options) {
    const { vocab, positions } = model.arch.cache(model.config);
    const length = Math.max(1, Math.min(options.length ?? LENGTH, positions >> 1));
    const tokens = Math.min(options.tokens ?? TOKENS, positions - length);
    const count = Math.min(options.count ?? COUNT, mostRows(vocab, length + tokens));
    const prompts = promptsOf(vocab, length, { ...options, count }).map((prompt) => ({ prompt }));
    return { continuations: await continuations(engine, model, prompts, tokens) };
  },
  async encoder(engine, model, options) {
    return { runs: await runsOf(engine, "model", graphsOf(model).model!, encoderTexts(model, options)) };
  },
  async seq2seq(engine, model, options) {
    const { vocab, positions } = model.arch.cache(model.config);
    const { decoder_start_token_id: start = 0 } = model.config as { decoder_start_token_id?: number };
    const tokens = Math.min(options.tokens ?? TOKENS, positions - 1);
    const count = Math.min(options.count ?? COUNT, mostRows(vocab, 1 + tokens));
    const texts = encoderTexts(model, { ...options, count });
    const prompts = texts.map((source) => ({ source, prompt: [start] }));
    return {
      runs: await runsOf(engine, "encoder_model", graphsOf(model).encoder_model!, texts),
      continuations: await continuations(engine, model, prompts, tokens),
    };
  },
};

/** What the dense `model` computes on prompts from `options`, on `engine`. */
export const referenceOf = async (
  engine: Engine,
  model: Model,
  options: PromptOptions = {},
): Promise<Reference> => ({
  runs: [],
  continuations: [],
  ...(await makers[model.arch.kind](engine, model, options)),
});
