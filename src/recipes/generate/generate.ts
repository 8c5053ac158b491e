/** Text from a model: what continues a prompt, what answers a chat, what translates a source. */

import type { Session } from "../../engine/engine.ts";
import { readChatTemplates, renderChat, templateSpecials } from "../../node/model/template.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { beamSearch } from "../../serve/decode/beam.ts";
import { type Decoder, decoderOf } from "../../serve/decode/decoding.ts";
import { generate, generateBeams } from "../../serve/decode/generate.ts";
import { decodeTargets, type Seq2SeqDecoder, seq2seqDecoderOf } from "../../serve/decode/seq2seqDecoder.ts";
import { stopFilter } from "../../serve/decode/stop.ts";
import { type GraphName, graphNames } from "../../serve/graphs/graphs.ts";
import { chooseTemplate } from "../../template/chat.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Opened, type OpenOptions, openFolder, sessionsOf } from "../model/open.ts";
import { knownFault } from "../verify/parityFile.ts";
import { decodingOf, stopTexts, type TextOptions } from "./decoding.ts";

export type { TextOptions } from "./decoding.ts";

/** How a model is opened to write. */
export interface OpenTextOptions extends OpenOptions {
  readonly threads?: number;
  /**
   * Hears what the model's files ask for and do not get, and that the dtype failed parity; a warning of the
   * process unless told.
   */
  readonly warn?: (text: string) => void;
}

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
  const ids = tokenizer.encode(prompt, { template: true, special: given.specialTokens ?? true });
  return ids.length > 0 ? ids : Uint32Array.of(tokenizer.specials.bos ?? tokenizer.eos);
};

/** The graphs of a sequence-to-sequence model. */
type SourceGraph = Exclude<GraphName, "model">;

type Run = (given: TextOptions) => AsyncGenerator<string>;

const decoderRun = (decoder: Decoder, opened: Opened): Run =>
  async function* run(given) {
    const { tokenizer } = opened;
    const prompt = await promptIds(given, opened);
    // An answer in a chat stands alone; what continues a prompt begins with its space.
    const before = given.messages === undefined ? prompt : [];
    const { beams, eos, ...settings } = decodingOf(given, opened, prompt.length);
    if (beams > 1) {
      const [best] = await generateBeams(decoder, prompt, { ...settings, eos, beams });
      const stream = tokenizer.streamDecoder(before);
      yield best!.ids.map((id) => stream.push(id)).join("") + stream.end();
      return;
    }
    const stream = tokenizer.streamDecoder(before);
    for await (const id of generate(decoder, prompt, { ...settings, stopIds: eos, keepStop: true })) {
      yield stream.push(id);
    }
    yield stream.end();
  };

const seq2seqRun = (model: Seq2SeqDecoder, opened: Opened, pad: number): Run =>
  async function* run(given) {
    const { tokenizer, generation } = opened;
    if (given.messages !== undefined) throw new ConfigError("is no model for chats", { file: opened.dir });
    const source = tokenizer.encode(given.prompt ?? "", { template: true, special: true });
    const { beams, maxTokens: asked, ...settings } = decodingOf(given, opened, 1);
    const rows = await model.encode([source], beams);
    const maxTokens = Math.min(asked, model.shape.positions);
    const start = generation.startId ?? generation.bosId ?? pad;
    const options = { ...settings, maxTokens, start, sourceIds: [source] };
    const ids: number[] = [];
    if (beams > 1) {
      const [texts] = await beamSearch(rows, { ...options, beams });
      ids.push(...texts![0]!.ids);
    } else {
      for await (const { id } of decodeTargets(rows, { ...options, pad })) ids.push(id);
    }
    yield (tokenizer.target ?? tokenizer).decode(ids);
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

/** A model that writes. */
export interface TextModel {
  /** Whether its texts stand for the prompt (a translation) instead of behind it. */
  readonly translates: boolean;
  /** The text that the model makes, piece by piece. */
  run(given: TextOptions): AsyncGenerator<string>;
  dispose(): Promise<void>;
}

/** A sequence-to-sequence model over its loaded graphs. */
export const translatorOf = (
  opened: Opened,
  { encoder_model: encoder, decoder_model_merged: decoder }: Readonly<Record<SourceGraph, Session>>,
): TextModel => {
  const { arch, config, generation, tokenizer } = opened;
  const pad = generation.padId ?? tokenizer.specials.pad ?? tokenizer.eos;
  const model = seq2seqDecoderOf({ encoder, decoder }, arch.cache(config), pad);
  const run = seq2seqRun(model, opened, pad);
  return {
    translates: true,
    run: (given) => untilStop(run(given), stopTexts(given, generation)),
    dispose: () => model.dispose(),
  };
};

/**
 * Opens a model for many texts. Throws ConfigError for a model that makes none, and as `openFolder` and
 * `sessionsOf` do.
 */
export const textModel = async (ref: string, options: OpenTextOptions = {}): Promise<TextModel> => {
  const opened = await openFolder(ref, options);
  const { arch, config, generation } = opened;
  const { warn = (text) => process.emitWarning(text) } = options;
  for (const note of generation.notes ?? []) warn(`how ${opened.dir} generates: ${note}, and is not heeded`);
  if (arch.kind === "encoder") {
    throw new ConfigError(`is ${config.architectures[0]}, an encoder, which generates no text`, {
      file: opened.dir,
      hint: "generate with a causal or a sequence-to-sequence model",
    });
  }
  const fault = await knownFault(opened.dir, opened.dtype, graphNames[arch.kind]);
  if (fault !== undefined) warn(fault);
  const engine = await nodeEngine(options.threads ? { threads: options.threads } : {});
  const sessions = await sessionsOf(engine, opened);
  if (arch.kind === "seq2seq") return translatorOf(opened, sessions);
  const decoder = decoderOf(sessions.model, arch.cache(config));
  const run = decoderRun(decoder, opened);
  return {
    translates: false,
    run: (given) => untilStop(run(given), stopTexts(given, generation)),
    dispose: () => decoder.dispose(),
  };
};

/** The model, the text, and how it is written. */
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
