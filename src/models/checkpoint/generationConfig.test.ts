import { expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
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
    forcedEos: [0],
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

test("ids that start, end and pad come from the config where the file lacks them, and nothing else", () => {
  const config = {
    eos_token_id: 5,
    bos_token_id: 4,
    pad_token_id: null,
    temperature: 0.3,
    num_beams: 7,
    forced_eos_token_id: 5,
    bad_words_ids: [[3]],
  };
  expect(generationOf({ bos_token_id: 9 }, config)).toEqual({
    stopIds: [5],
    bosId: 9,
    badIds: [],
    temperature: 0,
  });
});

test("without a file the config says it, the part of its text decoder where it is silent itself", () => {
  const config = {
    model_type: "t5",
    num_beams: 4,
    max_length: 15,
    bad_words_ids: [[7]],
    length_penalty: 0.6,
  };
  expect(generationOf(undefined, { ...config, no_repeat_ngram_size: 2, top_k: 50 })).toEqual({
    stopIds: [],
    badIds: [[7]],
    maxLength: 15,
    noRepeatNgram: 2,
    beams: 4,
    lengthPenalty: 0.6,
    temperature: 0,
  });
  const outer = { num_beams: 2, text_config: { num_beams: 3, min_length: 4 } };
  expect(generationOf(null, outer)).toMatchObject({ beams: 2, minLength: 4 });
  expect(generationOf(null, { force_bos_token_to_be_generated: true, bos_token_id: 6 })).toMatchObject({
    forcedBos: 6,
  });
});

test("top_k 0 and min_p 0 switch off; without do_sample what is said of sampling has no effect", () => {
  expect(generationOf({ do_sample: true, top_k: 0, min_p: 0 })).toMatchObject({ topK: 0, minP: 0 });
  expect(generationOf({ temperature: 0.7, top_k: 5 })).toEqual({ stopIds: [], badIds: [], temperature: 0 });
});

test("what transformers takes to mean nothing is taken so", () => {
  const nothing = { stopIds: [], badIds: [], temperature: 0 };
  const file = {
    pad_token_id: -1,
    eos_token_id: null,
    forced_eos_token_id: null,
    forced_bos_token_id: -1,
    bad_words_ids: [],
    suppress_tokens: [],
    begin_suppress_tokens: [-1],
    sequence_bias: [],
    exponential_decay_length_penalty: [],
    min_length: 0,
    no_repeat_ngram_size: -1,
    encoder_no_repeat_ngram_size: 0,
    do_sample: false,
    temperature: 0,
    top_k: -1,
    top_p: 1.5,
    num_return_sequences: 1,
    num_beam_groups: 1,
    diversity_penalty: 0,
    penalty_alpha: null,
    guidance_scale: 1,
  };
  expect(generationOf(file)).toEqual(nothing);
  expect(generationOf({ bad_words_ids: [[]] })).toEqual(nothing);
  expect(generationOf({ eos_token_id: [] })).toEqual({ ...nothing, endless: true });
  expect(generationOf({ eos_token_id: [1, -1] })).toMatchObject({ stopIds: [1] });
  const drawn = { do_sample: true, temperature: 0, top_k: -1, top_p: 1.5, typical_p: 1 };
  expect(generationOf(drawn)).toEqual({ ...nothing, temperature: 0, topK: 0 });
});

test.each([
  [{ do_sample: true, temperature: -1 }, "temperature is -1, which is out of its range"],
  [{ do_sample: true, top_p: -0.1 }, "top_p is -0.1, which is out of its range"],
  [{ repetition_penalty: 0 }, "repetition_penalty is 0, which is out of its range"],
  [{ max_new_tokens: 0 }, "max_new_tokens is 0, less than 1"],
  [{ max_length: -1 }, "max_length is -1, less than 1"],
  [{ num_beams: 0 }, "num_beams is 0, less than 1"],
  [{ num_return_sequences: 3 }, "num_return_sequences is not known here"],
  [{ num_beam_groups: 2, diversity_penalty: 0.5 }, "num_beam_groups is not known here"],
  [{ penalty_alpha: 0.6, top_k: 4 }, "penalty_alpha is not known here"],
  [{ guidance_scale: 1.5 }, "guidance_scale is not known here"],
  [{ watermarking_config: { bias: 2 } }, "watermarking_config is not known here"],
])("%j is left out with a note", (file, note) => {
  const { notes, ...rest } = generationOf(file);
  expect(notes).toContain(note);
  expect(rest).toMatchObject({ stopIds: [], badIds: [] });
  for (const key of ["repetitionPenalty", "maxTokens", "maxLength", "beams", "topP"]) {
    expect(rest).not.toHaveProperty(key);
  }
});

test.each([
  [[], "generation_config"],
  ["text", "generation_config"],
  [{ eos_token_id: "2" }, "eos_token_id"],
  [{ eos_token_id: 1.5 }, "eos_token_id"],
  [{ bad_words_ids: [1] }, "bad_words_ids"],
  [{ do_sample: "yes" }, "do_sample"],
  [{ do_sample: true, temperature: Number.POSITIVE_INFINITY }, "temperature"],
  [{ min_p: "0.1" }, "min_p"],
  [{ sequence_bias: [[1, 2]] }, "sequence_bias"],
  [{ exponential_decay_length_penalty: 3 }, "exponential_decay_length_penalty"],
  [{ stop_strings: [1] }, "stop_strings"],
  [{ top_k: 1e300 }, "top_k"],
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
