/**
 * The graphs of a sequence-to-sequence model, with the inputs and outputs that transformers.js expects. Its
 * merged decoder has two branches, chosen by `use_cache_branch`; here one graph does for both: the encoder's
 * states are cut to those whose keys and values are not cached yet, which is all of them at first and none
 * later on. So `present.*.encoder.*` is worth keeping of the first call only, as in Optimum's graphs
 * (https://github.com/huggingface/optimum).
 */
import type { Value } from "../../ir/op.ts";
import { type Program, trace } from "../../ir/program.ts";
import type { TensorType } from "../../ir/tensor.ts";
import type { Model, Seq2SeqArchitecture } from "../../models/model.ts";
import { asConstants } from "../../nn/param.ts";
import { cast } from "../../ops/elementwise.ts";

// B batch, S source, U new tokens of the target, P earlier ones

const [B, S, U, P] = [
  "batch_size",
  "encoder_sequence_length",
  "decoder_sequence_length",
  "past_decoder_sequence_length",
];

const int64 = (...shape: string[]): TensorType => ({ dtype: "int64", shape });
const float = (...shape: (number | string)[]): TensorType => ({ dtype: "float32", shape });

const archOf = (model: Model): Seq2SeqArchitecture => model.arch as Seq2SeqArchitecture;

/** input_ids, attention_mask -> last_hidden_state */
export const sourceEncoderProgram = (model: Model): Program =>
  trace({ input_ids: int64(B, S), attention_mask: int64(B, S) }, (v) => {
    const inputs = { inputIds: v.input_ids as Value, attentionMask: v.attention_mask as Value };
    return { last_hidden_state: archOf(model).encode(asConstants(model.weights), inputs, model.config) };
  });

const mergedSpec = (model: Model) => {
  const { layers, kvHeads, headWidth } = model.arch.cache(model.config);
  const pair = (length: string) => {
    const type = float(B, kvHeads, length, headWidth);
    return { key: type, value: type };
  };
  return {
    encoder_attention_mask: int64(B, S),
    input_ids: int64(B, U),
    encoder_hidden_states: float(B, S, (model.config as { d_model: number }).d_model),
    past_key_values: Array.from({ length: layers }, () => ({
      decoder: pair(P),
      // Not S: at first it is empty.
      encoder: pair("encoder_sequence_length_out"),
    })),
    use_cache_branch: { dtype: "bool", shape: [1] } as TensorType,
  };
};

/**
 * encoder_attention_mask, input_ids, encoder_hidden_states, past_key_values.i.{decoder,encoder}.{key,value},
 * use_cache_branch -> logits, present.i.{decoder,encoder}.{key,value}
 */
export const mergedDecoderProgram = (model: Model): Program =>
  trace(mergedSpec(model), (v) => {
    const inputs = {
      decoderInputIds: v.input_ids,
      encoded: v.encoder_hidden_states,
      attentionMask: v.encoder_attention_mask,
      past: { layers: v.past_key_values, use: cast(v.use_cache_branch, "int64") },
    };
    const { logits, present } = archOf(model).decode(asConstants(model.weights), inputs, model.config);
    return { logits, present };
  });
