/**
 * generation_config.json: how the authors of a model mean it to generate. Field by field as transformers'
 * GenerationConfig reads it (https://huggingface.co/docs/transformers/main_classes/text_generation); what a
 * file does not say stays absent, and is the caller's to choose.
 */
import { defined } from "../util/defined.ts";
import { ConfigError } from "../util/errors.ts";
import type { Fields } from "./config.ts";

export interface Generation {
  /** Ids that end a text. */
  readonly stopIds: readonly number[];
  readonly bosId?: number;
  readonly padId?: number;
  /** Sequence-to-sequence: the decoder's first id. */
  readonly startId?: number;
  /** The id of the very first and the very last place. */
  readonly forcedBosId?: number;
  readonly forcedEosId?: number;
  /** Ids, and sequences of them, that are never generated. */
  readonly badIds: readonly (readonly number[])[];
  /** Most new tokens. */
  readonly maxTokens?: number;
  /** Most tokens with the prompt. */
  readonly maxLength?: number;
  readonly minTokens?: number;
  /** 0 unless the file asks for sampling. */
  readonly temperature: number;
  /** 50 where the file asks for sampling and does not say: the reference's own default. */
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly noRepeatNgram?: number;
  readonly beams?: number;
  readonly lengthPenalty?: number;
  readonly earlyStopping?: boolean | "never";
}

const wrong = (field: string, must: string, value: unknown): never => {
  throw new ConfigError(`must be ${must}, not ${JSON.stringify(value)}`, { field });
};

const absent = (value: unknown): value is null | undefined => value === null || value === undefined;
const isId = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;

const idList = (f: Fields, field: string): number[] | undefined => {
  const value = f[field];
  if (absent(value)) return undefined;
  const list = Array.isArray(value) ? value : [value];
  return list.length > 0 && list.every(isId) ? list : wrong(field, "a token's id or a list of them", value);
};

/** One id; of a list, the first. */
const oneId = (f: Fields, field: string): number | undefined => idList(f, field)?.[0];

const sequences = (f: Fields, field: string): number[][] => {
  const value = f[field];
  if (absent(value)) return [];
  const good = Array.isArray(value) && value.every((s) => Array.isArray(s) && s.length > 0 && s.every(isId));
  return good ? (value as number[][]) : wrong(field, "a list of lists of ids", value);
};

const count = (f: Fields, field: string, min: number): number | undefined => {
  const value = f[field];
  if (absent(value)) return undefined;
  return Number.isSafeInteger(value) && (value as number) >= min
    ? (value as number)
    : wrong(field, `an integer of at least ${min}`, value);
};

/** A number in (above, most]. */
const real = (f: Fields, field: string, above: number, most: number): number | undefined => {
  const value = f[field];
  if (absent(value)) return undefined;
  return typeof value === "number" && value > above && value <= most
    ? value
    : wrong(field, `a number above ${above}${most === Number.MAX_VALUE ? "" : ` and up to ${most}`}`, value);
};

const flag = (f: Fields, field: string): boolean | undefined => {
  const value = f[field];
  return absent(value) || typeof value === "boolean"
    ? (value ?? undefined)
    : wrong(field, "true or false", value);
};

const early = (f: Fields): boolean | "never" | undefined =>
  f.early_stopping === "never" ? "never" : flag(f, "early_stopping");

const sampling = (f: Fields): Pick<Generation, "temperature" | "topK" | "topP" | "minP"> => {
  const temperature = real(f, "temperature", 0, Number.MAX_VALUE) ?? 1;
  const topK = count(f, "top_k", 0);
  const shares = defined({ topP: real(f, "top_p", 0, 1), minP: f.min_p === 0 ? 0 : real(f, "min_p", 0, 1) });
  if (flag(f, "do_sample") !== true) return { temperature: 0 };
  return { temperature, topK: topK ?? 50, ...shares };
};

/**
 * How a model generates, from its generation_config.json and, for ids that it does not give, its config.json.
 * Throws ConfigError naming the field.
 */
export const generationOf = (json: unknown, config: unknown = {}): Generation => {
  if (!absent(json) && (typeof json !== "object" || Array.isArray(json))) {
    throw new ConfigError("must be an object", { field: "generation_config" });
  }
  const own = (json ?? {}) as Fields;
  const older = (config ?? {}) as Fields;
  const ids: Fields = Object.fromEntries(
    ["eos_token_id", "bos_token_id", "pad_token_id", "decoder_start_token_id", "forced_bos_token_id"]
      .concat("forced_eos_token_id", "bad_words_ids")
      .map((field) => [field, own[field] ?? older[field]]),
  );
  return {
    stopIds: idList(ids, "eos_token_id") ?? [],
    badIds: sequences(ids, "bad_words_ids"),
    ...sampling(own),
    ...defined({
      bosId: oneId(ids, "bos_token_id"),
      padId: oneId(ids, "pad_token_id"),
      startId: oneId(ids, "decoder_start_token_id"),
      forcedBosId: oneId(ids, "forced_bos_token_id"),
      forcedEosId: oneId(ids, "forced_eos_token_id"),
      maxTokens: count(own, "max_new_tokens", 1),
      maxLength: count(own, "max_length", 1),
      minTokens: count(own, "min_new_tokens", 0),
      repetitionPenalty: real(own, "repetition_penalty", 0, Number.MAX_VALUE),
      noRepeatNgram: count(own, "no_repeat_ngram_size", 0),
      beams: count(own, "num_beams", 1),
      lengthPenalty: real(own, "length_penalty", -Number.MAX_VALUE, Number.MAX_VALUE),
      earlyStopping: early(own),
    }),
  };
};
