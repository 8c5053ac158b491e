/** Texts for sources: a sequence-to-sequence model, one source at a time or many at once. */
import type { Session } from "../../engine/engine.ts";
import { beamSearch } from "../../serve/decode/beam.ts";
import { decodeTargets, type Seq2SeqDecoder, seq2seqDecoderOf } from "../../serve/decode/seq2seqDecoder.ts";
import { stopFilter } from "../../serve/decode/stop.ts";
import type { GraphName } from "../../serve/graphs/graphs.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Opened } from "../model/open.ts";
import { decodingOf, stopTexts, type TextOptions } from "./decoding.ts";

/** The graphs of a sequence-to-sequence model. */
export type SourceGraph = Exclude<GraphName, "model">;

/** What is said for many sources. */
export interface TranslateOptions extends Omit<TextOptions, "prompt" | "messages"> {
  /** Told how many sources are done. */
  readonly onDone?: (done: number) => void;
}

/** A sequence-to-sequence model that writes. */
export interface Translator {
  readonly translates: true;
  /** The text for one source (`prompt`). */
  run(given: TextOptions): AsyncGenerator<string>;
  /** The texts for many, in their order: those of like lengths decode together. Throws as `run`. */
  runAll(sources: readonly string[], given?: TranslateOptions): Promise<string[]>;
  dispose(): Promise<void>;
}

/** Rows (beams of all sources) that decode together. */
const ROWS = 256;

/** The text up to the first of `stops`. */
const stopped = (text: string, stops: readonly string[]): string => {
  const filter = stopFilter(stops);
  const kept = filter.push(text);
  return filter.stopped ? kept : kept + filter.end();
};

interface Running {
  readonly model: Seq2SeqDecoder;
  readonly opened: Opened;
  readonly pad: number;
}

/** Ids for sources of any lengths, those that end a text among them. */
const targetIds = async (
  { model, opened, pad }: Running,
  sources: readonly Uint32Array[],
  given: TextOptions,
): Promise<readonly (readonly number[])[]> => {
  const { generation } = opened;
  const { beams, maxTokens: asked, ...settings } = decodingOf(given, opened, 1);
  const rows = await model.encode(sources, beams);
  const maxTokens = Math.min(asked, model.shape.positions);
  const start = generation.startId ?? generation.bosId ?? pad;
  const options = { ...settings, maxTokens, start, sourceIds: sources };
  if (beams > 1) {
    const texts = await beamSearch(rows, { ...options, beams, sources: sources.length });
    return texts.map(([best]) => best!.ids);
  }
  const ids = sources.map((): number[] => []);
  for await (const { row, id } of decodeTargets(rows, { ...options, pad })) ids[row]!.push(id);
  return ids;
};

const textsFor = async (
  running: Running,
  sources: readonly Uint32Array[],
  given: TextOptions,
): Promise<string[]> => {
  const { tokenizer, generation } = running.opened;
  const stops = stopTexts(given, generation);
  const by = tokenizer.target ?? tokenizer;
  return (await targetIds(running, sources, given)).map((ids) => stopped(by.decode(ids), stops));
};

/** Sources by their places, those of like lengths together, few enough that all rows fit. */
const groupsOf = (sources: readonly Uint32Array[], rows: number): number[][] => {
  const order = Array.from(sources.keys()).sort((a, b) => sources[a]!.length - sources[b]!.length || a - b);
  const size = Math.max(1, Math.floor(ROWS / rows));
  return Array.from({ length: Math.ceil(order.length / size) }, (_, i) =>
    order.slice(i * size, (i + 1) * size),
  );
};

/** A sequence-to-sequence model over its loaded graphs. */
export const translatorOf = (
  opened: Opened,
  { encoder_model: encoder, decoder_model_merged: decoder }: Readonly<Record<SourceGraph, Session>>,
): Translator => {
  const { arch, config, generation, tokenizer } = opened;
  const pad = generation.padId ?? tokenizer.specials.pad ?? tokenizer.eos;
  const model = seq2seqDecoderOf({ encoder, decoder }, arch.cache(config), pad);
  const running = { model, opened, pad };
  const idsOf = (text: string) => tokenizer.encode(text, { template: true, special: true });
  return {
    translates: true,
    async *run(given) {
      if (given.messages !== undefined) throw new ConfigError("is no model for chats", { file: opened.dir });
      const [text] = await textsFor(running, [idsOf(given.prompt ?? "")], given);
      if (text !== "") yield text!;
    },
    async runAll(sources, { onDone = () => {}, ...given } = {}) {
      const ids = sources.map(idsOf);
      const texts = new Array<string>(sources.length).fill("");
      let done = 0;
      for (const places of groupsOf(ids, given.beams ?? generation.beams ?? 1)) {
        given.signal?.throwIfAborted();
        const group = places.map((i) => ids[i]!);
        for (const [k, text] of (await textsFor(running, group, given)).entries()) texts[places[k]!] = text;
        done += places.length;
        onDone(done);
      }
      return texts;
    },
    dispose: () => model.dispose(),
  };
};
