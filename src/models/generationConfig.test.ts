import { expect, test } from "vitest";
import { ConfigError } from "../util/errors.ts";
import { generationOf } from "./generationConfig.ts";

test("an empty file, or none, is greedy and says nothing", () => {
  const nothing = { stopIds: [], badIds: [], temperature: 0 };
  expect(generationOf({})).toEqual(nothing);
  expect(generationOf(undefined)).toEqual(nothing);
  expect(generationOf(null, { model_type: "gpt2" })).toEqual(nothing);
});

test("Llama's file: several ends, sampling", () => {
  const file = {
    bos_token_id: 128000,
    do_sample: true,
    eos_token_id: [128001, 128008, 128009],
    temperature: 0.6,
    top_p: 0.9,
    transformers_version: "4.42.3",
  };
  expect(generationOf(file)).toEqual({
    stopIds: [128001, 128008, 128009],
    bosId: 128000,
    badIds: [],
    temperature: 0.6,
    topK: 50,
    topP: 0.9,
  });
});

test("Marian's file: beams, forced and banned ids", () => {
  const file = {
    bad_words_ids: [[58100]],
    bos_token_id: 0,
    decoder_start_token_id: 58100,
    eos_token_id: 0,
    forced_eos_token_id: 0,
    max_length: 512,
    num_beams: 4,
    early_stopping: "never",
    length_penalty: -0.5,
    no_repeat_ngram_size: 3,
    min_new_tokens: 2,
    pad_token_id: 58100,
  };
  expect(generationOf(file)).toEqual({
    stopIds: [0],
    bosId: 0,
    padId: 58100,
    startId: 58100,
    forcedEosId: 0,
    badIds: [[58100]],
    maxLength: 512,
    minTokens: 2,
    beams: 4,
    earlyStopping: "never",
    lengthPenalty: -0.5,
    noRepeatNgram: 3,
    temperature: 0,
  });
});

test("ids that the file does not give come from the config, sampling does not", () => {
  const config = { eos_token_id: 5, bos_token_id: 4, pad_token_id: null, temperature: 0.3, num_beams: 7 };
  expect(generationOf({ bos_token_id: 9 }, config)).toEqual({
    stopIds: [5],
    bosId: 9,
    badIds: [],
    temperature: 0,
  });
});

test("top_k 0 and min_p 0 switch off; without do_sample what is said of sampling has no effect", () => {
  expect(generationOf({ do_sample: true, top_k: 0, min_p: 0 })).toMatchObject({ topK: 0, minP: 0 });
  expect(generationOf({ temperature: 0.7, top_k: 5 })).toEqual({ stopIds: [], badIds: [], temperature: 0 });
});

test.each([
  [[], "generation_config"],
  ["text", "generation_config"],
  [{ eos_token_id: "2" }, "eos_token_id"],
  [{ eos_token_id: [] }, "eos_token_id"],
  [{ eos_token_id: [1, -1] }, "eos_token_id"],
  [{ eos_token_id: 1.5 }, "eos_token_id"],
  [{ bad_words_ids: [1] }, "bad_words_ids"],
  [{ bad_words_ids: [[]] }, "bad_words_ids"],
  [{ do_sample: "yes" }, "do_sample"],
  [{ do_sample: true, temperature: 0 }, "temperature"],
  [{ do_sample: true, temperature: -1 }, "temperature"],
  [{ temperature: Number.POSITIVE_INFINITY }, "temperature"],
  [{ top_p: 1.1 }, "top_p"],
  [{ min_p: "0.1" }, "min_p"],
  [{ top_k: -1 }, "top_k"],
  [{ top_k: 1e300 }, "top_k"],
  [{ repetition_penalty: 0 }, "repetition_penalty"],
  [{ max_new_tokens: 0 }, "max_new_tokens"],
  [{ num_beams: 0 }, "num_beams"],
  [{ length_penalty: Number.NaN }, "length_penalty"],
  [{ early_stopping: "always" }, "early_stopping"],
])("%j is refused with the field", (file, field) => {
  let error: unknown;
  try {
    generationOf(file);
  } catch (e) {
    error = e;
  }
  expect(error).toBeInstanceOf(ConfigError);
  expect(error).toMatchObject({ details: { field } });
});
