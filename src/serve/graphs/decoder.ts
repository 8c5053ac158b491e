/**
 * The graph of a decoder, with the inputs and outputs that transformers.js expects. One that generates reads
 * on from a cache: padding on the left is masked; past and present may be one shared buffer
 * (GroupQueryAttention then writes its rows in place). One that classifies or gives features reads whole
 * texts, padded on either side.
 */
import { constant, type Value } from "../../ir/op.ts";
import { type Program, trace } from "../../ir/program.ts";
import type { TensorType } from "../../ir/tensor.ts";
import { headOf } from "../../models/head.ts";
import type { Head, Model } from "../../models/model.ts";
import { project } from "../../nn/linear.ts";
import { asConstants, asParams } from "../../nn/param.ts";
import { emptyCache } from "../../ops/attention.ts";
import { countUp, keepLast, lengthOf } from "../../ops/dynamic.ts";
import { add, cast, equal, mul, sub, where } from "../../ops/elementwise.ts";
import { reshape, sum } from "../../ops/structure.ts";
import { features } from "./encoder.ts";

// B batch, T new tokens, P past, S = P + T

const int64 = (...shape: (number | string)[]): TensorType => ({ dtype: "int64", shape });

const spec = (model: Model) => {
  const { layers, kvHeads, headWidth } = model.arch.cache(model.config);
  const past: TensorType = {
    dtype: model.cacheScales === undefined ? "float32" : "int8",
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

/** The steps of a layer's cache, where it is int8. */
const scalesAt = ({ cacheScales }: Model, layer: number) => {
  const own = cacheScales?.[layer];
  if (own === undefined) return {};
  const stepsOf = (part: keyof typeof own): Value => constant(own[part], `cache_scales.${layer}.${part}`);
  return { keyScale: stepsOf("key"), valueScale: stepsOf("value") };
};

/** Every row has S - 1 as its last key; what padding there is, the bias hides. Ids are [B, T]. */
const shared = (mask: Value, ids: Value) => {
  const total = lengthOf(mask, 1);
  const blank = sum(mul(mask, 0), [1]); // [B]
  const hidden = where(equal(mask, 0), -1e9, 0);
  const rows = cast(mul(ids, 0), "float32"); // zeros [B, T]: they carry T into the bias
  const [b, t] = ids.shape;
  return {
    seqlensK: cast(add(blank, sub(total, 1)), "int32"),
    totalLength: cast(total, "int32"),
    bias: add(reshape(hidden, [b!, 1, 1, mask.shape[1]!]), reshape(rows, [b!, 1, t!, 1])), // [B, 1, T, S]
    total: mask.shape[1]!,
  };
};

/**
 * input_ids, attention_mask, position_ids, num_logits_to_keep, past_key_values.i.* -> logits, present.i.*, of
 * a decoder that generates. Its weights are constants, but those of `inputs`, which are inputs `w.PATH`: a
 * model that still learns.
 */
export const generatingProgram = (model: Model, inputs: Readonly<Record<string, TensorType>> = {}): Program =>
  trace({ ...spec(model), w: inputs }, ({ w, ...v }) => {
    const layers = v.past_key_values.map(({ key, value }, i) => ({
      ...{ pastKey: key, pastValue: value },
      ...scalesAt(model, i),
    }));
    const cache = { layers, ...shared(v.attention_mask, v.position_ids) };
    const given = { inputIds: v.input_ids, positionIds: v.position_ids, cache };
    const params = asParams(model.weights, new Map(Object.entries(w)));
    const { hidden, head, present } = model.arch.forward(params, given, model.config);
    return { logits: project(head!, keepLast(hidden, v.num_logits_to_keep, "kept")), present };
  });

/** The inputs of a graph that reads whole texts; transformers.js counts positions for features only. */
const wholeSpec = (task: Head) => ({
  input_ids: int64("batch_size", "sequence_length"),
  attention_mask: int64("batch_size", "sequence_length"),
  ...(task === "features" ? { position_ids: int64("batch_size", "sequence_length") } : {}),
});

/**
 * input_ids and attention_mask -> logits; with position_ids -> what `features` gives where they are the
 * task. The attention is that of decoding against a cache of nothing, which takes any length.
 */
const reading = (model: Model, task: Head): Program =>
  trace(wholeSpec(task), (v) => {
    const { input_ids: ids, attention_mask: mask } = v;
    const { layers, kvHeads, headWidth } = model.arch.cache(model.config);
    const nothing = emptyCache(ids, kvHeads, headWidth);
    const past = Array.from({ length: layers }, () => ({ pastKey: nothing, pastValue: nothing }));
    // From 0 on for each row, as the reference counts where it is told no positions.
    const counted = add(mul(ids, 0), countUp(lengthOf(ids, 1), ids.shape[1]!)); // [B, T]
    const inputs = {
      inputIds: ids,
      attentionMask: mask,
      positionIds: v.position_ids ?? counted,
      cache: { layers: past, ...shared(mask, ids) },
    };
    const { logits } = model.arch.forward(asConstants(model.weights), inputs, model.config);
    return task === "features" ? features(logits, mask, model) : { logits };
  });

/** The graph of a decoder for its task. */
export const decoderProgram = (model: Model): Program => {
  const task = headOf(model.arch, model.config);
  return task === "causal-lm" ? generatingProgram(model) : reading(model, task);
};
