/**
 * The decoding graph of a model, with the inputs and outputs that transformers.js expects. Padding on the
 * left is masked; past and present may be one shared buffer (GroupQueryAttention then writes its rows in
 * place).
 */
import type { Value } from "../ir/op.ts";
import { type Program, trace } from "../ir/program.ts";
import type { TensorType } from "../ir/tensor.ts";
import type { Model } from "../models/model.ts";
import { project } from "../nn/linear.ts";
import { asConstants } from "../nn/param.ts";
import { keepLast, lengthOf } from "../ops/dynamic.ts";
import { add, cast, equal, mul, sub, where } from "../ops/elementwise.ts";
import { reshape, sum } from "../ops/structure.ts";

// B batch, T new tokens, P past, S = P + T

const int64 = (...shape: (number | string)[]): TensorType => ({ dtype: "int64", shape });

interface DecoderInputs {
  readonly input_ids: Value;
  readonly attention_mask: Value;
  readonly position_ids: Value;
  readonly num_logits_to_keep: Value;
  readonly past_key_values: readonly { readonly key: Value; readonly value: Value }[];
}

const spec = (model: Model) => {
  const { layers, kvHeads, headWidth } = model.arch.cache(model.config);
  const past: TensorType = {
    dtype: "float32",
    shape: ["batch_size", kvHeads, "past_sequence_length", headWidth],
  };
  return {
    input_ids: int64("batch_size", "sequence_length"),
    attention_mask: int64("batch_size", "total_sequence_length"),
    position_ids: int64("batch_size", "sequence_length"),
    num_logits_to_keep: int64(),
    past_key_values: Array.from({ length: layers }, () => ({ key: past, value: past })),
  };
};

/** Every row has S - 1 as its last key; what padding there is, the bias hides. */
const shared = (mask: Value, positions: Value) => {
  const total = lengthOf(mask, 1);
  const blank = sum(mul(mask, 0), [1]); // [B]
  const hidden = where(equal(mask, 0), -1e9, 0);
  const rows = mul(cast(positions, "float32"), 0); // zeros [B, T]: they carry T into the bias
  const [b, t] = positions.shape;
  return {
    seqlensK: cast(add(blank, sub(total, 1)), "int32"),
    totalLength: cast(total, "int32"),
    bias: add(reshape(hidden, [b!, 1, 1, mask.shape[1]!]), reshape(rows, [b!, 1, t!, 1])), // [B, 1, T, S]
    total: mask.shape[1]!,
  };
};

/** input_ids, attention_mask, position_ids, num_logits_to_keep, past_key_values.i.* -> logits, present.i.* */
export const decoderProgram = (model: Model): Program =>
  trace(spec(model), (given) => {
    const v = given as unknown as DecoderInputs;
    const layers = v.past_key_values.map(({ key, value }) => ({ pastKey: key, pastValue: value }));
    const cache = { layers, ...shared(v.attention_mask, v.position_ids) };
    const inputs = { inputIds: v.input_ids, positionIds: v.position_ids, cache };
    const { hidden, head, present } = model.arch.forward(asConstants(model.weights), inputs, model.config);
    return { logits: project(head!, keepLast(hidden, v.num_logits_to_keep, "kept")), present };
  }) as unknown as Program;
