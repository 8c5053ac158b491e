/** Text from a model: what continues a prompt, what answers a chat, what translates a source. */
import { nodeEngine } from "../node/engine.ts";
import { readChatTemplates, renderChat, templateSpecials } from "../node/template.ts";
import { type BeamOptions, beamSearch } from "../serve/beam.ts";
import { type ChatMessage, chooseTemplate } from "../serve/chat.ts";
import { type Decoder, decoderOf } from "../serve/decoding.ts";
import { generate, generateBeams } from "../serve/generate.ts";
import type { SampleOptions } from "../serve/sample.ts";
import { type Seq2SeqDecoder, seq2seqDecoderOf } from "../serve/seq2seqDecoder.ts";
import { stopFilter } from "../serve/stop.ts";
import { defined } from "../util/defined.ts";
import { ConfigError } from "../util/errors.ts";
import { type Opened, type OpenOptions, openFolder, sessionsOf } from "./open.ts";

export interface OpenTextOptions extends OpenOptions {
  readonly threads?: number;
}

export interface TextOptions extends SampleOptions {
  /** What to continue or, for sequence-to-sequence, the source. */
  readonly prompt?: string;
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
const usual: SampleOptions = { temperature: 0.8, topK: 40 };

/** How to draw: the user's word first, then that of a model that asks for sampling. */
const sampling = (given: TextOptions, { generation }: Opened): SampleOptions => {
  const { temperature, topK, topP, minP, repetitionPenalty } = given;
  const own = generation.temperature > 0 ? generation : usual;
  return {
    ...defined({ temperature: own.temperature, topK: own.topK, topP: own.topP, minP: own.minP }),
    ...defined({ repetitionPenalty: generation.repetitionPenalty }),
    ...defined({ temperature, topK, topP, minP, repetitionPenalty }),
  };
};

const stopIds = ({ generation, tokenizer }: Opened): readonly number[] =>
  generation.stopIds.length > 0 ? generation.stopIds : [tokenizer.eos];

/** The ids of a prompt; a chat's template brings its own special tokens. */
const promptIds = async (given: TextOptions, opened: Opened): Promise<Uint32Array> => {
  const { dir, tokenizer } = opened;
  const { prompt = "", messages } = given;
  if (messages !== undefined) {
    const template = chooseTemplate(await readChatTemplates(dir));
    const specials = templateSpecials(tokenizer);
    const text = await renderChat(template, messages, { addGenerationPrompt: true, specials });
    return tokenizer.encode(text, { special: true });
  }
  const ids = tokenizer.encode(prompt, { template: true });
  return ids.length > 0 ? ids : Uint32Array.of(tokenizer.specials.bos ?? tokenizer.eos);
};

const beamOptions = (given: TextOptions, opened: Opened, maxTokens: number) => {
  const { generation } = opened;
  const { minTokens, lengthPenalty, earlyStopping, noRepeatNgram, forcedEosId } = generation;
  const known = { minTokens, lengthPenalty, earlyStopping, noRepeatNgram, forcedEos: forcedEosId };
  return {
    eos: stopIds(opened),
    maxTokens,
    badIds: generation.badIds.flatMap((ids) => (ids.length === 1 ? ids : [])),
    ...defined({ ...known, signal: given.signal }),
  } satisfies Omit<BeamOptions, "start" | "beams">;
};

type Run = (given: TextOptions) => AsyncGenerator<string>;

const decoderRun = (decoder: Decoder, opened: Opened): Run =>
  async function* run(given) {
    const { tokenizer } = opened;
    const { maxTokens = 128, beams = 1, seed, signal } = given;
    const prompt = await promptIds(given, opened);
    if (beams > 1) {
      const [best] = await generateBeams(decoder, prompt, {
        ...beamOptions(given, opened, maxTokens),
        beams,
      });
      yield tokenizer.decode(best!.ids);
      return;
    }
    const stream = tokenizer.streamDecoder();
    const asked = { ...sampling(given, opened), maxTokens, stopIds: stopIds(opened) };
    for await (const id of generate(decoder, prompt, { ...asked, ...defined({ seed, signal }) })) {
      yield stream.push(id);
    }
    yield stream.end();
  };

/** Beam search as the model's own configuration says. */
const seq2seqRun = (model: Seq2SeqDecoder, opened: Opened, pad: number): Run =>
  async function* run(given) {
    const { tokenizer, generation } = opened;
    if (given.messages !== undefined) throw new ConfigError("is no model for chats", { file: opened.dir });
    const { maxTokens = generation.maxTokens ?? 128, beams = generation.beams ?? 1 } = given;
    const source = tokenizer.encode(given.prompt ?? "", { template: true });
    const rows = await model.encode([source], beams);
    const start = generation.startId ?? pad;
    const [texts] = await beamSearch(rows, { ...beamOptions(given, opened, maxTokens), beams, start });
    yield (tokenizer.target ?? tokenizer).decode(texts![0]!.ids);
  };

async function* untilStop(pieces: AsyncGenerator<string>, stops: readonly string[]): AsyncGenerator<string> {
  const filter = stopFilter(stops);
  for await (const piece of pieces) {
    const text = filter.push(piece);
    if (text !== "") yield text;
    if (filter.stopped) return;
  }
  const rest = filter.end();
  if (rest !== "") yield rest;
}

export interface TextModel {
  /** Whether its texts stand for the prompt (a translation) instead of behind it. */
  readonly translates: boolean;
  /** The text that the model makes, piece by piece. */
  run(given: TextOptions): AsyncGenerator<string>;
  dispose(): Promise<void>;
}

/**
 * Opens a model for many texts. Throws ConfigError for a model that makes none, and as `openFolder` and
 * `sessionsOf` do.
 */
export const textModel = async (ref: string, options: OpenTextOptions = {}): Promise<TextModel> => {
  const opened = await openFolder(ref, options);
  const { arch, config, generation, tokenizer } = opened;
  if (arch.kind === "encoder") {
    throw new ConfigError(`is ${config.architectures[0]}, an encoder, which generates no text`, {
      file: opened.dir,
      hint: "generate with a causal or a sequence-to-sequence model",
    });
  }
  const engine = await nodeEngine(options.threads ? { threads: options.threads } : {});
  const sessions = await sessionsOf(engine, opened);
  const shape = arch.cache(config);
  if (arch.kind === "decoder") {
    const decoder = decoderOf(sessions.model, shape);
    const run = decoderRun(decoder, opened);
    return {
      translates: false,
      run: (given) => untilStop(run(given), given.stop ?? []),
      dispose: () => decoder.dispose(),
    };
  }
  const pad = generation.padId ?? tokenizer.specials.pad ?? tokenizer.eos;
  const { encoder_model: encoder, decoder_model_merged: decoder } = sessions;
  const model = seq2seqDecoderOf({ encoder, decoder }, shape, pad);
  const run = seq2seqRun(model, opened, pad);
  return {
    translates: true,
    run: (given) => untilStop(run(given), given.stop ?? []),
    dispose: () => model.dispose(),
  };
};

export interface GenerateTextOptions extends TextOptions, OpenTextOptions {
  /** A model's folder, or a model of the Hub as org/name. */
  readonly model: string;
}

/** One text of a model, piece by piece. Throws as `textModel` does. */
export async function* generateText({ model: ref, ...given }: GenerateTextOptions): AsyncGenerator<string> {
  const model = await textModel(ref, given);
  try {
    yield* model.run(given);
  } finally {
    await model.dispose();
  }
}
