/**
 * The heads of RoBERTa, XLM-RoBERTa and MPNet. Names are those of Hugging Face's RobertaLMHead and
 * RobertaClassificationHead.
 */
import type { Value } from "../../ir/op.ts";
import { type Linear, linear, project } from "../../nn/linear.ts";
import { type Norm, norm, normSpec } from "../../nn/norm.ts";
import { dense, type Param, type ParamSpec, param, zerosInit } from "../../nn/param.ts";
import { gelu, tanh } from "../../ops/elementwise.ts";
import type { LinearNames } from "../linears.ts";
import type { Outputs } from "../model.ts";
import { renameBert } from "./bertBody.ts";
import { type EncoderConfig, type EncoderHead, firstToken, labelCount, linearSpec } from "./encoder.ts";

// B batch, T time, C channels, V vocabulary

/** The decoder is the embedding and a bias where tied, else a matrix and bias of its own. */
type LmHead<T> = { dense: Linear<T>; layer_norm: Norm<T>; bias?: T; decoder?: Linear<T> };
type TextHead<T> = { dense: Linear<T>; out_proj: Linear<T> };
/** The head of one task; none for features. */
export type RobertaHead<T> = {
  lm_head?: LmHead<T>;
  /** Of texts the first, of tokens the second. */
  classifier?: TextHead<T> | Linear<T>;
};

interface HeadConfig extends EncoderConfig {
  readonly hidden_size: number;
  readonly initializer_range: number;
  readonly layer_norm_eps: number;
}

/** Type and first values of a head's weights. */
export const robertaHeadSpec = (c: HeadConfig, task: EncoderHead): RobertaHead<ParamSpec> => {
  const [width, std] = [c.hidden_size, c.initializer_range];
  if (task === "features") return {};
  const square = linearSpec(width, width, std);
  if (task === "masked-lm") {
    const decoder = c.tie_word_embeddings
      ? { bias: param([c.vocab_size], zerosInit) }
      : { decoder: linearSpec(width, c.vocab_size, std) };
    return { lm_head: { dense: square, layer_norm: normSpec(width), ...decoder } };
  }
  const labels = linearSpec(width, labelCount(c), std);
  return { classifier: task === "token-classification" ? labels : { dense: square, out_proj: labels } };
};

interface Read {
  readonly embedding: Param;
  readonly epsilon: number;
  drop(x: Value, site: string): Value;
}

/** hidden [B, T, C] -> [B, T, V], [B, labels] or [B, T, labels]; itself where there is no head. */
const robertaLogits = (
  { lm_head, classifier }: RobertaHead<Param>,
  hidden: Value,
  { embedding, epsilon, drop }: Read,
): Value => {
  if (lm_head !== undefined) {
    const ready = norm(lm_head.layer_norm, gelu(linear(lm_head.dense, hidden)), epsilon);
    return lm_head.decoder === undefined
      ? project(embedding, ready, dense(lm_head.bias!))
      : linear(lm_head.decoder, ready);
  }
  if (classifier === undefined) return hidden;
  if (!("out_proj" in classifier)) return linear(classifier, drop(hidden, "in"));
  const pooled = tanh(linear(classifier.dense, drop(firstToken(hidden), "in")));
  return linear(classifier.out_proj, drop(pooled, "out"));
};

/** The name here of a checkpoint's tensor: no head uses the pooler, and one of another task goes. */
export const renameRoberta = (base: string, task: EncoderHead, name: string): string | null => {
  if (name.startsWith("pooler.") || name.startsWith(`${base}.pooler.`)) return null;
  if (name.startsWith("lm_head.") && task !== "masked-lm") return null;
  return renameBert(name);
};

/** What a model is with a head over `hidden` [B, T, C]. */
export const robertaOutputs = (head: RobertaHead<Param>, hidden: Value, read: Read): Outputs => ({
  hidden,
  logits: robertaLogits(head, hidden, read),
  ...(head.lm_head === undefined ? {} : { readout: (x: Value) => robertaLogits(head, x, read) }),
  present: [],
});

/** The ties of the language model's head over the body `base`. */
export const robertaTied = (base: string, c: EncoderConfig): Readonly<Record<string, string>> => ({
  "lm_head.decoder.bias": "lm_head.bias",
  ...(c.tie_word_embeddings ? { "lm_head.decoder.weight": `${base}.embeddings.word_embeddings.weight` } : {}),
});

/** The roles of a head's matrices: of a classifier of texts "classifier" is two, of tokens one. */
export const robertaHeadRoles: LinearNames["roles"] = {
  "lm_head.dense": "transform",
  "lm_head.decoder": "head",
  "classifier.dense": "transform",
  "classifier.out_proj": "labels",
  classifier: "labels",
};

/** The embedding of the body `base` where it is the language model's head. */
export const robertaTiedHead = (base: string, c: EncoderConfig, head: EncoderHead): LinearNames["head"] =>
  c.tie_word_embeddings && head === "masked-lm"
    ? { path: `${base}.embeddings.word_embeddings.weight`, bias: "lm_head.bias" }
    : undefined;
