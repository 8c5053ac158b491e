/**
 * generation_config.json: how the authors of a model mean it to generate. Field by field as transformers'
 * GenerationConfig reads it (https://huggingface.co/docs/transformers/main_classes/text_generation); where
 * there is no such file, config.json says it. What is not said stays absent, and is the caller's to choose.
 */
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Fields } from "../config.ts";
import type { Generation } from "../generation.ts";
import * as read from "./generationFields.ts";

export type { Generation, LogitsSettings } from "../generation.ts";

type Row<T> = readonly [field: string, read: read.Read<T>];
type Table<K extends keyof Generation> = { readonly [k in K]: Row<Exclude<Generation[k], undefined>> };

const always = {
  padId: ["pad_token_id", read.oneId],
  startId: ["decoder_start_token_id", read.oneId],
  bosId: ["bos_token_id", read.oneId],
  badIds: ["bad_words_ids", read.sequences],
  sequenceBias: ["sequence_bias", read.biases],
  encoderRepetitionPenalty: ["encoder_repetition_penalty", read.real({ above: 0 })],
  repetitionPenalty: ["repetition_penalty", read.real({ above: 0 })],
  noRepeatNgram: ["no_repeat_ngram_size", read.count(1, "off")],
  encoderNoRepeatNgram: ["encoder_no_repeat_ngram_size", read.count(1, "off")],
  minLength: ["min_length", read.count(1, "off")],
  minTokens: ["min_new_tokens", read.count(0)],
  maxTokens: ["max_new_tokens", read.count(1)],
  maxLength: ["max_length", read.count(1)],
  maxTime: ["max_time", read.real({ above: 0 })],
  stopTexts: ["stop_strings", read.texts],
  forcedBos: ["forced_bos_token_id", read.oneId],
  forcedEos: ["forced_eos_token_id", read.someIds],
  removeInvalid: ["remove_invalid_values", read.flag],
  decayLength: ["exponential_decay_length_penalty", read.decay],
  suppress: ["suppress_tokens", read.someIds],
  beginSuppress: ["begin_suppress_tokens", read.someIds],
  renormalize: ["renormalize_logits", read.flag],
  beams: ["num_beams", read.count(1)],
  lengthPenalty: ["length_penalty", read.real({})],
  earlyStopping: ["early_stopping", read.early],
} satisfies Partial<Table<keyof Generation>>;

/** Heeded where `do_sample` is true. */
const sampled = {
  temperature: ["temperature", read.real({ least: 0 })],
  topK: ["top_k", read.count(0, "off")],
  topP: ["top_p", read.share({ least: 0 })],
  minP: ["min_p", read.real({ least: 0, most: 1 })],
  topH: ["top_h", read.real({ above: 0, most: 1 })],
  typicalP: ["typical_p", read.share({ above: 0 })],
  epsilonCutoff: ["epsilon_cutoff", read.real({ least: 0, below: 1 })],
  etaCutoff: ["eta_cutoff", read.real({ least: 0, below: 1 })],
} satisfies Partial<Table<keyof Generation>>;

/** Fields that change transformers' texts and have no counterpart here, and the values that do so. */
const foreign: Readonly<Record<string, (value: unknown, all: Fields) => boolean>> = {
  num_return_sequences: (n) => typeof n === "number" && n > 1,
  num_beam_groups: (n) => typeof n === "number" && n > 1,
  diversity_penalty: (x, { num_beam_groups: groups }) => x !== 0 && typeof groups === "number" && groups > 1,
  penalty_alpha: (x) => typeof x === "number" && x > 0,
  guidance_scale: (x) => x !== 1,
  watermarking_config: () => true,
  token_healing: (x) => x === true,
  dola_layers: () => true,
  constraints: () => true,
  force_words_ids: () => true,
};

/** Fields by which a config says how a model generates. */
export const generationFields: readonly string[] = [
  "eos_token_id",
  "do_sample",
  ...[always, sampled].flatMap((table) => Object.values(table).map(([field]) => field)),
  ...Object.keys(foreign),
];

/** The entries of a table that the fields say; a value that is left out is noted. */
const readTable = <T extends Partial<Table<keyof Generation>>>(table: T, f: Fields, notes: string[]) =>
  Object.fromEntries(
    Object.entries(table).flatMap(([key, [field, readValue]]) => {
      if (read.absent(f[field])) return [];
      const value = readValue(f[field], field, (why) => notes.push(`${field} ${why}`));
      return value === undefined ? [] : [[key, value]];
    }),
  ) as Partial<Generation>;

/** Temperature 0, which is greedy, unless the file asks for sampling; 1 where it does not say. */
const sampling = (f: Fields, notes: string[]): Partial<Generation> & { temperature: number } => {
  const unheard: string[] = [];
  const drawn = !read.absent(f.do_sample) && read.flag(f.do_sample, "do_sample", () => {}) === true;
  const said = readTable(sampled, f, drawn ? notes : unheard);
  // 50 is the reference's own default; below 0 nothing is left out.
  const topK = read.absent(f.top_k) ? 50 : (said.topK ?? 0);
  return drawn ? { temperature: 1, ...said, topK } : { temperature: 0 };
};

/** Of a config: what it says itself, and, where it does not, what its text decoder's part says. */
const fromModel = (config: Fields): Fields => {
  const inner = (config.decoder ?? config.generator ?? config.text_config ?? {}) as Fields;
  const set = (fields: Fields) =>
    generationFields.flatMap((field) =>
      read.absent(fields[field]) ? [] : [[field, fields[field]] as const],
    );
  const bos = config.force_bos_token_to_be_generated === true ? config.bos_token_id : undefined;
  return {
    ...(read.absent(bos) ? {} : { forced_bos_token_id: bos }),
    ...Object.fromEntries([...set(inner), ...set(config)]),
  };
};

/** A model cannot start, end or pad without ids; those that the file does not give, the config does. */
const idsOf = (own: Fields, config: Fields): Fields => {
  // The file's own first id of any text is nearer than what the config says of the decoder.
  const start =
    own.decoder_start_token_id ?? (read.absent(own.bos_token_id) ? config.decoder_start_token_id : null);
  const others = ["eos_token_id", "bos_token_id", "pad_token_id"].map((f) => [f, own[f] ?? config[f]]);
  return { ...Object.fromEntries(others), decoder_start_token_id: start };
};

const objectOf = (json: unknown): Fields | undefined => {
  if (read.absent(json)) return undefined;
  if (typeof json === "object" && !Array.isArray(json)) return json as Fields;
  throw new ConfigError("must be an object", { field: "generation_config" });
};

/**
 * How a model generates, from its generation_config.json or, where there is none, its config.json; ids that
 * start, end and pad come from both. Throws ConfigError naming a field that cannot be read.
 */
export const generationOf = (json: unknown, config: unknown = {}): Generation => {
  const older = fromModel((config ?? {}) as Fields);
  const file = objectOf(json) ?? older;
  const own = { ...file, ...idsOf(file, older) };
  const notes: string[] = [];
  const stopIds = read.absent(own.eos_token_id)
    ? undefined
    : read.ids(own.eos_token_id, "eos_token_id", () => {});
  const general = readTable(always, own, notes);
  const drawn = sampling(own, notes);
  for (const [field, acts] of Object.entries(foreign)) {
    if (!read.absent(own[field]) && acts(own[field], own)) notes.push(`${field} is not known here`);
  }
  return {
    stopIds: stopIds ?? [],
    badIds: [],
    ...general,
    ...drawn,
    ...defined({
      endless: stopIds?.length === 0 ? true : undefined,
      notes: notes.length > 0 ? notes : undefined,
    }),
  };
};
