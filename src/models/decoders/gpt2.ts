/**
 * GPT-2 (Radford et al. 2019, https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf):
 * pre-norm decoder, learnt positions, tied head. Weight names and config fields are those of Hugging Face's
 * GPT2LMHeadModel.
 */
import type { Value } from "../../ir/op.ts";
import { constant } from "../../ir/op.ts";
import { tensor } from "../../ir/tensor.ts";
import { type ActivationName, activations } from "../../nn/activations.ts";
import { type Attention, attention } from "../../nn/attention/attention.ts";
import { cacheWidth } from "../../nn/attention/cachedAttention.ts";
import { layerInput } from "../../nn/blocks.ts";
import { dropout } from "../../nn/dropout.ts";
import { conv1d, embed, type Linear, type Projection, project } from "../../nn/linear.ts";
import { type Norm, norm, normSpec } from "../../nn/norm.ts";
import { normal, type Param, type ParamSpec, param, type Weight, zerosInit } from "../../nn/param.ts";
import { add } from "../../ops/elementwise.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Tree } from "../../util/tree.ts";
import { checkFields, type Fields, flagField, intField, numberField, oneOf } from "../config.ts";
import { checkLength } from "../encoders/encoder.ts";
import { architecturesField, headOf } from "../head.ts";
import { type LinearNames, linearsOf } from "../linears.ts";
import type { Architecture, Inputs, Outputs } from "../model.ts";
import { freshRange, tokenField } from "./config.ts";
import { causalPaddingMask, classifierSpec, classify, type HeadFields, headFields } from "./head.ts";

// B batch, T time, C channels, V vocabulary

const classes = {
  "causal-lm": "GPT2LMHeadModel",
  "sequence-classification": "GPT2ForSequenceClassification",
  "token-classification": "GPT2ForTokenClassification",
  features: "GPT2Model",
};

/** config.json of a GPT-2. */
export interface Gpt2Config extends HeadFields {
  readonly model_type: "gpt2";
  readonly architectures: readonly string[];
  readonly vocab_size: number;
  readonly n_positions: number;
  readonly n_embd: number;
  readonly n_layer: number;
  readonly n_head: number;
  readonly n_inner: number | null;
  readonly activation_function: ActivationName;
  readonly resid_pdrop: number;
  readonly embd_pdrop: number;
  readonly attn_pdrop: number;
  readonly layer_norm_epsilon: number;
  readonly initializer_range: number;
  /** Whether scores are divided by the root of the heads' width, and whether by the layer's number too. */
  readonly scale_attn_weights: boolean;
  readonly scale_attn_by_inverse_layer_idx: boolean;
  readonly tie_word_embeddings: boolean;
  readonly bos_token_id: number;
  readonly eos_token_id: number;
  readonly pad_token_id: number | null;
}

/** One layer: norm and attention, norm and MLP. */
export type Block<T> = {
  ln_1: Norm<T>;
  attn: Attention<T>;
  ln_2: Norm<T>;
  mlp: { c_fc: Linear<T>; c_proj: Linear<T> };
};
/** The body and the head of one task; a tied head and features have none. */
export type Gpt2Params<T> = {
  transformer: { wte: { weight: T }; wpe: { weight: T }; h: Block<T>[]; ln_f: Norm<T> };
  /** Absent where the head is tied to the embedding. */
  lm_head?: { weight: T };
  /** The head of a classifier of texts. */
  score?: Projection<T>;
  /** The head of a classifier of tokens. */
  classifier?: Projection<T>;
};

/** The config of a new model: no dropout, and first weights that suit its width, unless told. */
export const gpt2Config = (fields: Partial<Gpt2Config> & { vocab_size: number }): Gpt2Config => {
  const dropout = { resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0, classifier_dropout: 0 };
  const initializer_range = freshRange(fields.n_embd ?? 768);
  return gpt2.parse({ model_type: "gpt2", ...dropout, initializer_range, ...fields });
};

/** Throws ConfigError for what a GPT-2 could be told to be and is not here. */
const refuseVariants = (f: Fields): void => {
  if (f.add_cross_attention !== true) return;
  throw new ConfigError("true is not supported for gpt2", { field: "add_cross_attention" });
};

const aliases = {
  hidden_size: "n_embd",
  max_position_embeddings: "n_positions",
  num_attention_heads: "n_head",
  num_hidden_layers: "n_layer",
} as const;

const parse = (json: unknown): Gpt2Config => {
  const f = checkFields(json, "gpt2", aliases);
  refuseVariants(f);
  const architectures = architecturesField(f, classes);
  const config: Gpt2Config = {
    model_type: "gpt2",
    architectures,
    vocab_size: intField(f, "vocab_size", 50257),
    n_positions: intField(f, "n_positions", 1024),
    n_embd: intField(f, "n_embd", 768),
    n_layer: intField(f, "n_layer", 12),
    n_head: intField(f, "n_head", 12),
    n_inner: f.n_inner == null ? null : intField(f, "n_inner", 0),
    activation_function: oneOf(f, "activation_function", activations, "gelu_new"),
    resid_pdrop: numberField(f, "resid_pdrop", 0.1, 0, 1),
    embd_pdrop: numberField(f, "embd_pdrop", 0.1, 0, 1),
    attn_pdrop: numberField(f, "attn_pdrop", 0.1, 0, 1),
    layer_norm_epsilon: numberField(f, "layer_norm_epsilon", 1e-5, 0, 1),
    initializer_range: numberField(f, "initializer_range", 0.02, 0, 10),
    scale_attn_weights: flagField(f, "scale_attn_weights", true),
    scale_attn_by_inverse_layer_idx: flagField(f, "scale_attn_by_inverse_layer_idx", false),
    tie_word_embeddings: flagField(f, "tie_word_embeddings", true),
    bos_token_id: intField(f, "bos_token_id", 0, 0),
    eos_token_id: intField(f, "eos_token_id", 0, 0),
    pad_token_id: tokenField(f, "pad_token_id", null),
    ...headFields(f, headOf({ classes }, { model_type: "gpt2", architectures, vocab_size: 1 })),
  };
  if (config.n_embd % config.n_head !== 0) {
    throw new ConfigError(`${config.n_embd} channels do not divide into ${config.n_head} heads`, {
      field: "n_head",
      hint: "choose a width (n_embd) that is a multiple of the number of heads",
    });
  }
  return config;
};

/** Projections into the residual stream start smaller by sqrt(2 * layers), as in the paper. */
const blockSpec = (c: Gpt2Config): Block<ParamSpec> => {
  const inner = c.n_inner ?? 4 * c.n_embd;
  const matrix = (k: number, n: number, std: number): Linear<ParamSpec> => ({
    weight: param([k, n], normal(std)),
    bias: param([n], zerosInit),
  });
  const std = c.initializer_range;
  const residual = std / Math.sqrt(2 * c.n_layer);
  return {
    ln_1: normSpec(c.n_embd),
    attn: { c_attn: matrix(c.n_embd, 3 * c.n_embd, std), c_proj: matrix(c.n_embd, c.n_embd, residual) },
    ln_2: normSpec(c.n_embd),
    mlp: { c_fc: matrix(c.n_embd, inner, std), c_proj: matrix(inner, c.n_embd, residual) },
  };
};

const headSpec = (c: Gpt2Config): Omit<Gpt2Params<ParamSpec>, "transformer"> => {
  const task = headOf({ classes }, c);
  const size = { width: c.n_embd, std: c.initializer_range };
  if (task === "causal-lm" && !c.tie_word_embeddings) {
    return { lm_head: { weight: param([c.vocab_size, size.width], normal(size.std)) } };
  }
  if (task === "sequence-classification") return { score: classifierSpec(task, c, size) };
  return task === "token-classification" ? { classifier: classifierSpec(task, c, size) } : {};
};

const WORDS = "transformer.wte.weight";

const roles: LinearNames["roles"] = {
  wte: "embedding",
  wpe: "position",
  "attn.c_attn": "qkv",
  "attn.c_proj": "o",
  "mlp.c_fc": "up",
  "mlp.c_proj": "down",
  lm_head: "head",
  score: "labels",
  classifier: "labels",
};

/** Whether the embedding is the head too. */
const headTied = (c: Gpt2Config): boolean => c.tie_word_embeddings && headOf({ classes }, c) === "causal-lm";

const params = (c: Gpt2Config): Gpt2Params<ParamSpec> => ({
  transformer: {
    wte: { weight: param([c.vocab_size, c.n_embd], normal(c.initializer_range)) },
    wpe: { weight: param([c.n_positions, c.n_embd], normal(c.initializer_range)) },
    h: Array.from({ length: c.n_layer }, () => blockSpec(c)),
    ln_f: normSpec(c.n_embd),
  },
  ...headSpec(c),
});

const positionsOf = (inputs: Inputs): Value => {
  if (inputs.positionIds !== undefined) return inputs.positionIds;
  const length = inputs.inputIds.shape[1];
  if (typeof length !== "number")
    throw new ConfigError("position ids are needed where the length is not fixed");
  return constant(
    tensor(
      "int32",
      [length],
      Int32Array.from({ length }, (_, i) => i),
    ),
  );
};

/** The factor of a layer's scores. */
const scaleOf = (c: Gpt2Config, layer: number): number => {
  const width = c.scale_attn_weights ? (c.n_embd / c.n_head) ** -0.5 : 1;
  return c.scale_attn_by_inverse_layer_idx ? width / (layer + 1) : width;
};

const body = (p: Gpt2Params<Param>["transformer"], inputs: Inputs, c: Gpt2Config) => {
  const activation = activations[c.activation_function];
  const drop = (x: Value, rate: number, site: string) => dropout(x, rate, site, inputs.dropoutSeed);
  const drops = (rate: number) => rate > 0 && inputs.dropoutSeed !== undefined;
  const { cache } = inputs;
  const mask = cache === undefined ? causalPaddingMask(inputs) : undefined;
  const present: Outputs["present"][number][] = [];
  checkLength(inputs.inputIds, c.n_positions);
  const embedded = add(embed(p.wte.weight, inputs.inputIds), embed(p.wpe.weight, positionsOf(inputs)));
  let x = drop(embedded, c.embd_pdrop, "embd"); // [B, T, C]
  p.h.forEach((block, i) => {
    const site = `h.${i}`;
    x = layerInput(inputs, x);
    const attended = attention(block.attn, norm(block.ln_1, x, c.layer_norm_epsilon), {
      heads: c.n_head,
      scale: scaleOf(c, i),
      ...(mask === undefined ? {} : { mask }),
      ...(cache === undefined ? {} : { cache: { ...cache, ...cache.layers[i]! } }),
      ...(drops(c.attn_pdrop) ? { dropProbs: (v: Value) => drop(v, c.attn_pdrop, `${site}.attn`) } : {}),
    });
    if (attended.present !== undefined) present.push(attended.present);
    x = add(x, drop(attended.out, c.resid_pdrop, `${site}.attn.out`));
    const inner = activation(conv1d(block.mlp.c_fc, norm(block.ln_2, x, c.layer_norm_epsilon)));
    x = add(x, drop(conv1d(block.mlp.c_proj, inner), c.resid_pdrop, `${site}.mlp`));
  });
  return { hidden: norm(p.ln_f, x, c.layer_norm_epsilon), present };
};

const forward = (tree: Tree<Param>, inputs: Inputs, c: Gpt2Config): Outputs => {
  const { transformer, lm_head, score, classifier } = tree as Gpt2Params<Param>;
  const { hidden, present } = body(transformer, inputs, c);
  const task = headOf({ classes }, c);
  if (task === "features") return { hidden, logits: hidden, present };
  const own = score ?? classifier;
  if (own !== undefined) {
    const logits = classify(own, hidden, inputs, { task, pad: c.pad_token_id, head: c });
    return { hidden, logits, present };
  }
  const head = (lm_head ?? transformer.wte).weight;
  return { hidden, head, logits: project(head, hidden), present };
};

/** GPT-2: causal language model, classifier of texts or tokens, or features. */
export const gpt2: Architecture<Gpt2Config, Gpt2Params<ParamSpec>> = {
  name: "gpt2",
  kind: "decoder",
  classes,
  base: "transformer",
  // Causal masks that older checkpoints store as buffers.
  rename: (name) => (/\.attn\.(bias|masked_bias)$/.test(name) ? null : name),
  tied: (c): Readonly<Record<string, string>> => (c.tie_word_embeddings ? { "lm_head.weight": WORDS } : {}),
  parse,
  params,
  forward,
  cache: (c) => ({
    vocab: c.vocab_size,
    layers: c.n_layer,
    kvHeads: c.n_head,
    headWidth: cacheWidth(c.n_embd / c.n_head),
    positions: c.n_positions,
  }),
  keepLayers: (config, weights, layers) => {
    if (config.scale_attn_by_inverse_layer_idx && layers.some((layer, i) => layer !== i)) {
      throw new ConfigError("ties each layer to its place: only the last ones can be dropped", {
        field: "scale_attn_by_inverse_layer_idx",
      });
    }
    const tree = weights as Gpt2Params<Weight>;
    const h = layers.map((i) => tree.transformer.h[i]!);
    const kept: Gpt2Params<Weight> = { ...tree, transformer: { ...tree.transformer, h } };
    return {
      config: { ...config, n_layer: layers.length },
      weights: kept,
    };
  },
  widths: { neurons: { "": "n_inner" } },
  linears: (c) =>
    linearsOf(params(c), { roles, layout: "kn", head: headTied(c) ? { path: WORDS } : undefined }),
};
