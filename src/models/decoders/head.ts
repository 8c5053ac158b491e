/** What all decoders share: masks, and the heads that label a text or each token. */
import { constant, type Value } from "../../ir/op.ts";
import { tensorOf } from "../../ir/tensor.ts";
import { dropout } from "../../nn/dropout.ts";
import { paddingMask } from "../../nn/encoderBlock.ts";
import { type Projection, project } from "../../nn/linear.ts";
import { dense, normal, type Param, type ParamSpec, param, zerosInit } from "../../nn/param.ts";
import { causalMask } from "../../ops/attention.ts";
import { countUp, lengthOf } from "../../ops/dynamic.ts";
import { add, cast, equal, mul, where } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { reduceMax } from "../../ops/reduce.ts";
import { concat, reshape, slice } from "../../ops/structure.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Fields, numberField } from "../config.ts";
import { type Labels, labelCount, labelsField } from "../encoders/encoder.ts";
import type { Head, Inputs } from "../model.ts";

// B batch, T time, C channels, L labels

/** The config's fields of a classifier; absent for other tasks. */
export interface HeadFields extends Partial<Labels> {
  /** Dropout before a token classifier. */
  readonly classifier_dropout?: number;
}

/** The tasks that decoders have heads for. */
export type DecoderTask = Exclude<Head, "masked-lm" | "replaced-token-detection" | "seq2seq-lm">;

/** Reads what a head for `task` needs. Throws ConfigError naming the field. */
export const headFields = (f: Fields, task: Head): HeadFields => ({
  ...(task === "sequence-classification" || task === "token-classification" ? labelsField(f) : {}),
  ...(task === "token-classification"
    ? { classifier_dropout: numberField(f, "classifier_dropout", 0.1, 0, 1) }
    : {}),
});

/** A classifier's matrix [L, C]; a token classifier has a bias. */
export const classifierSpec = (
  task: Head,
  labels: HeadFields,
  { width, std }: { readonly width: number; readonly std: number },
): Projection<ParamSpec> => {
  const count = labelCount(labels as Labels);
  const weight = param([count, width], normal(std));
  return task === "token-classification" ? { weight, bias: param([count], zerosInit) } : { weight };
};

/** Additive [B, 1, groups T, T]: hides what is of another text than a token. */
const documentMask = (documents: Value, groups: number): Value => {
  const [b, t] = documents.shape as readonly [number, number];
  const same = equal(reshape(documents, [b, 1, t, 1]), reshape(documents, [b, 1, 1, t]));
  const mask = where(same, 0, -1e9); // [B, 1, T, T]
  return groups === 1 ? mask : concat(new Array<Value>(groups).fill(mask), 2);
};

/**
 * Additive [1 or B, 1, groups T, T]: hides what comes later, what is padding, and other texts of a row.
 * Throws ConfigError where the length is not fixed.
 */
export const causalPaddingMask = ({ inputIds, attentionMask, documentIds }: Inputs, groups = 1): Value => {
  const length = inputIds.shape[1];
  if (typeof length !== "number") {
    throw new ConfigError("a fixed length is needed where there is no cache", { field: "inputIds" });
  }
  const causal = constant(causalMask(length, groups));
  const own = documentIds === undefined ? causal : add(causal, documentMask(documentIds, groups));
  return attentionMask === undefined ? own : add(own, paddingMask(attentionMask));
};

/** 0 .. T-1 as [1, T] of the dtype of `ids` [B, T]. */
const countedLike = (ids: Value): Value => {
  const length = ids.shape[1]!;
  const counted =
    typeof length === "string"
      ? cast(countUp(lengthOf(ids, 1), length), ids.dtype)
      : constant(
          tensorOf(
            ids.dtype,
            [length],
            Array.from({ length }, (_, i) => i),
          ),
        );
  return reshape(counted, [1, length]);
};

/**
 * The hidden state of each row's last token [B, T, C] -> [B, C]: the last that is not `pad` where the config
 * has one, else the last that the attention mask counts, else that at the end.
 */
export const lastToken = (hidden: Value, inputs: Inputs, pad: number | null): Value => {
  const { inputIds, attentionMask } = inputs;
  const [b, t, c] = hidden.shape;
  if (pad === null && attentionMask === undefined) {
    if (typeof t !== "number") {
      throw new ConfigError("is needed to find the end of texts of any length", { field: "pad_token_id" });
    }
    return reshape(slice(hidden, 1, t - 1, t), [b!, c!]);
  }
  const from = pad === null ? attentionMask! : inputIds;
  const places = countedLike(from); // [1, T]
  const counted = pad === null ? mul(from, places) : where(equal(from, pad), 0, places);
  const hit = cast(equal(places, reduceMax(counted)), hidden.dtype); // [B, T]
  return reshape(matmul(reshape(hit, [b!, 1, t!]), hidden), [b!, c!]);
};

/** Which head, the id of padding, and what the config says of labels. */
export interface ClassifyOptions {
  readonly task: Head;
  readonly pad: number | null;
  readonly head: HeadFields;
}

/** Logits of a classifier: [B, L] for texts, [B, T, L] for tokens. */
export const classify = (
  p: Projection<Param>,
  hidden: Value,
  inputs: Inputs,
  { task, pad, head }: ClassifyOptions,
): Value => {
  const bias = p.bias === undefined ? undefined : dense(p.bias);
  if (task === "sequence-classification") return project(p.weight, lastToken(hidden, inputs, pad), bias);
  const kept = dropout(hidden, head.classifier_dropout ?? 0, "classifier", inputs.dropoutSeed);
  return project(p.weight, kept, bias);
};
