/** Text from a model: what continues a prompt, what answers a chat, what translates a source. */

import { readChatTemplates, renderChat, templateSpecials } from "../../node/model/template.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { type Decoder, decoderOf } from "../../serve/decode/decoding.ts";
import { generate, generateBeams } from "../../serve/decode/generate.ts";
import { stopFilter } from "../../serve/decode/stop.ts";
import { graphNames } from "../../serve/graphs/graphs.ts";
import { chooseTemplate } from "../../template/chat.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Opened, type OpenOptions, openFolder, sessionsOf } from "../model/open.ts";
import { knownFault } from "../verify/parityFile.ts";
import { decodingOf, stopTexts, type TextOptions } from "./decoding.ts";
import { type TranslateOptions, translatorOf } from "./translate.ts";

export type { TextOptions } from "./decoding.ts";

/** How a model is opened to write. */
export interface OpenTextOptions extends OpenOptions {
  readonly threads?: number;
  /**
   * Hears what the model's files ask for and do not get, and that the dtype failed parity; a warning of the
   * process unless told.
   */
  readonly warn?: (text: string) => void;
  /** Hears what takes long before the first text. */
  readonly note?: (text: string) => void;
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
  /** Of a model that translates: the texts for many sources, in their order. */
  runAll?(sources: readonly string[], given?: TranslateOptions): Promise<string[]>;
  dispose(): Promise<void>;
}

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
  const sessions = await sessionsOf(engine, opened, options.note);
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
