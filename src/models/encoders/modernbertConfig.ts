/** config.json of a ModernBERT, in the forms of transformers 4 (one number) and 5 (a type for each layer). */
import { type ActivationName, activations } from "../../nn/activations.ts";
import { ConfigError } from "../../util/errors.ts";
import { checkFields, type Fields, flagField, intField, numberField, oneOf } from "../config.ts";
import { architecturesField, headOf } from "../head.ts";
import type { Architecture } from "../model.ts";
import { checkHeads, type EncoderConfig, encoderLabels } from "./encoder.ts";

const layerTypes = { full_attention: true, sliding_attention: true } as const;
type LayerType = keyof typeof layerTypes;

const poolings = { cls: true, mean: true } as const;

/** Tokens that a text begins and ends with; the reference takes its own vocabulary's for those not named. */
const ENDS = ["bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"] as const;
type Ends = Partial<Record<(typeof ENDS)[number], number>>;

/** config.json of a ModernBERT. */
export interface ModernBertConfig extends EncoderConfig, Ends {
  readonly model_type: "modernbert";
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly hidden_activation: ActivationName;
  readonly max_position_embeddings: number;
  readonly initializer_range: number;
  readonly norm_eps: number;
  readonly norm_bias: boolean;
  readonly attention_bias: boolean;
  readonly attention_dropout: number;
  readonly embedding_dropout: number;
  readonly mlp_bias: boolean;
  readonly mlp_dropout: number;
  /** Whether the masked language model's logits have a bias. */
  readonly decoder_bias: boolean;
  /** What each layer's tokens see. */
  readonly layer_types: readonly LayerType[];
  /** Of every so many layers the first sees the whole text; absent where the types have another pattern. */
  readonly global_attn_every_n_layers?: number;
  /** Tokens that one sees in the other layers: half of them on each side. */
  readonly local_attention: number;
  readonly global_rope_theta: number;
  readonly local_rope_theta: number;
  /** What of a text a classifier reads. */
  readonly classifier_pooling: keyof typeof poolings;
  readonly classifier_dropout: number;
  readonly classifier_bias: boolean;
  readonly classifier_activation: ActivationName;
}

/** The types of layers are listed before a checkpoint's tensors are looked at. */
const MOST_LAYERS = 10_000;

const everyNth = (layers: number, n: number): LayerType[] =>
  Array.from({ length: layers }, (_, i) => (i % n === 0 ? "full_attention" : "sliding_attention"));

/** The types of layers as a config has them: by a number too, `every` where that fits, for older readers. */
export const typesField = (
  types: readonly LayerType[],
  every?: number,
): Pick<ModernBertConfig, "layer_types" | "global_attn_every_n_layers"> => {
  const fits = (n: number) => everyNth(types.length, n).every((type, i) => type === types[i]);
  const second = types.indexOf("full_attention", 1);
  const n = [every ?? 0, second < 0 ? types.length : second].find((count) => count > 0 && fits(count));
  return { layer_types: types, ...(n === undefined ? {} : { global_attn_every_n_layers: n }) };
};

const givenTypes = (f: Fields, layers: number) => {
  const { layer_types: types } = f;
  const every = intField(f, "global_attn_every_n_layers", 3);
  if (types == null) return typesField(everyNth(layers, every), every);
  if (!Array.isArray(types) || types.length !== layers) {
    throw new ConfigError(`must be a list of ${layers} types`, { field: "layer_types" });
  }
  for (const [i, type] of types.entries()) {
    const field = `layer_types.${i}`;
    oneOf({ [field]: type as unknown }, field, layerTypes, "full_attention");
  }
  return typesField(types as LayerType[], every);
};

/** The base of a kind of layer's rotary angles, in either form. Throws ConfigError for a scaling. */
const thetaField = (f: Fields, kind: LayerType, older: string, fallback: number): number => {
  const all = f.rope_parameters as Readonly<Record<string, Fields | null>> | null | undefined;
  const own = all?.[kind] ?? {};
  const scaling = f.rope_scaling ?? (own.rope_type === "default" ? undefined : own.rope_type);
  if (scaling != null) {
    throw new ConfigError(`${JSON.stringify(scaling)} is not supported for modernbert`, {
      field: f.rope_scaling == null ? `rope_parameters.${kind}.rope_type` : "rope_scaling",
    });
  }
  if (own.rope_theta == null) return numberField(f, older, fallback, 1, 1e9);
  const field = `rope_parameters.${kind}.rope_theta`;
  return numberField({ [field]: own.rope_theta }, field, fallback, 1, 1e9);
};

/** The classes by their heads. */
export const classes = {
  "masked-lm": "ModernBertForMaskedLM",
  "sequence-classification": "ModernBertForSequenceClassification",
  "token-classification": "ModernBertForTokenClassification",
  features: "ModernBertModel",
} as const satisfies Architecture["classes"];

const endsField = (f: Fields): Ends =>
  Object.fromEntries(
    ENDS.flatMap((name) => (typeof f[name] === "number" ? [[name, intField(f, name, 0, 0)]] : [])),
  );

const rate = (f: Fields, name: string): number => numberField(f, name, 0, 0, 1);

/** The fields of `json`, checked; throws ConfigError naming the field. */
export const parseModernBert = (json: unknown): ModernBertConfig => {
  const f = checkFields(json, "modernbert");
  const architectures = architecturesField(f, classes);
  const layers = intField(f, "num_hidden_layers", 22, 1, MOST_LAYERS);
  const config: ModernBertConfig = {
    model_type: "modernbert",
    architectures,
    tie_word_embeddings: flagField(f, "tie_word_embeddings", true),
    vocab_size: intField(f, "vocab_size", 50368),
    hidden_size: intField(f, "hidden_size", 768),
    intermediate_size: intField(f, "intermediate_size", 1152),
    num_hidden_layers: layers,
    num_attention_heads: intField(f, "num_attention_heads", 12),
    hidden_activation: oneOf(f, "hidden_activation", activations, "gelu"),
    max_position_embeddings: intField(f, "max_position_embeddings", 8192),
    initializer_range: numberField(f, "initializer_range", 0.02, 0, 10),
    norm_eps: numberField(f, "norm_eps", 1e-5, 0, 1),
    norm_bias: flagField(f, "norm_bias", false),
    attention_bias: flagField(f, "attention_bias", false),
    attention_dropout: rate(f, "attention_dropout"),
    embedding_dropout: rate(f, "embedding_dropout"),
    mlp_bias: flagField(f, "mlp_bias", false),
    mlp_dropout: rate(f, "mlp_dropout"),
    decoder_bias: flagField(f, "decoder_bias", true),
    ...givenTypes(f, layers),
    local_attention: intField(f, "local_attention", 128, 0),
    global_rope_theta: thetaField(f, "full_attention", "global_rope_theta", 160_000),
    local_rope_theta: thetaField(f, "sliding_attention", "local_rope_theta", 10_000),
    classifier_pooling: oneOf(f, "classifier_pooling", poolings, "cls"),
    classifier_dropout: rate(f, "classifier_dropout"),
    classifier_bias: flagField(f, "classifier_bias", false),
    classifier_activation: oneOf(f, "classifier_activation", activations, "gelu"),
    pad_token_id: intField(f, "pad_token_id", 50283, 0),
    ...endsField(f),
    ...encoderLabels(f, headOf({ classes }, { model_type: "", architectures, vocab_size: 1 })),
  };
  const { hidden_size: width, num_attention_heads: heads } = config;
  checkHeads(width, heads, "num_attention_heads");
  if ((width / heads) % 2 === 0) return config;
  throw new ConfigError(`heads of ${width / heads} have no halves to turn`, { field: "num_attention_heads" });
};
