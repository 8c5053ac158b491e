/** config.json and generation_config.json of an exported folder. */
import { generationFields } from "../../models/checkpoint/generationConfig.ts";
import { headOf } from "../../models/head.ts";
import type { Head, Json, Model } from "../../models/model.ts";
import { type Spellings, spelledJson } from "../../util/spelling.ts";
import type { ExportDtype } from "./dtype.ts";

type Fields = { readonly [field: string]: Json };

/** A JSON file's fields, with how its numbers are spelled where it came as text. */
export interface SourceJson {
  readonly fields: Fields;
  readonly spellings?: Spellings;
}

/**
 * Fields that transformers takes as real numbers only: without a point, reading a config or generating fails
 * (https://huggingface.co/docs/transformers/main_classes/text_generation).
 */
const reals: ReadonlySet<string> = new Set([
  ...["temperature", "top_p", "min_p", "top_h", "typical_p", "epsilon_cutoff", "eta_cutoff"],
  ...["repetition_penalty", "encoder_repetition_penalty", "length_penalty", "diversity_penalty"],
  ...["guidance_scale", "penalty_alpha", "initializer_factor", "initializer_range", "init_std"],
  ...["layer_norm_epsilon", "layer_norm_eps", "rms_norm_eps", "rope_theta", "classifier_dropout"],
  ...["dropout", "dropout_rate", "attention_dropout", "activation_dropout", "embd_pdrop", "resid_pdrop"],
  ...["attn_pdrop", "hidden_dropout_prob", "attention_probs_dropout_prob", "seq_classif_dropout"],
]);

/** The bytes of a JSON file, its numbers spelled as in its source, else as transformers reads them. */
export const spelledBytes = ({ fields, spellings }: SourceJson): Uint8Array =>
  new TextEncoder().encode(
    `${spelledJson(fields, spellings === undefined ? { reals } : { reals, spellings })}\n`,
  );

/** What an export adds to a checkpoint's config. */
export interface ConfigParts {
  /** The checkpoint's own config.json. */
  readonly source: SourceJson;
  /** Undefined where there are no graphs. */
  readonly defaultDtype: ExportDtype | undefined;
  /** Files of graphs that have their weights in a file beside them. */
  readonly external: readonly string[];
}

/**
 * The model's config with what transformers.js wants to know: the dtype to take, and which graphs have their
 * weights beside them. The cache's dtype it reads from the graph.
 */
export const configOf = (
  { arch, config }: Model,
  { source, defaultDtype, external }: ConfigParts,
): SourceJson => {
  const { "transformers.js_config": _, ...fields } = {
    ...source.fields,
    ...(config as Fields),
    ...(arch.kind === "seq2seq" ? { is_encoder_decoder: true } : {}),
  } as Fields;
  if (defaultDtype === undefined) return { ...source, fields };
  const beside = Object.fromEntries(external.map((file) => [file, 1]));
  const graphs = {
    dtype: defaultDtype,
    ...(external.length === 0 ? {} : { use_external_data_format: beside }),
  };
  return { ...source, fields: { ...fields, "transformers.js_config": graphs } };
};

const GENERATES: readonly Head[] = ["causal-lm", "seq2seq-lm"];

/**
 * The checkpoint's generation_config.json, else one of what its config says (`source` is that config as it
 * came); undefined for a model that does not generate.
 */
export const generationOf = (
  { arch, config }: Model,
  given?: SourceJson,
  source: SourceJson = { fields: {} },
): SourceJson | undefined => {
  if (given !== undefined) return given;
  if (!GENERATES.includes(headOf(arch, config))) return undefined;
  const fields = { ...source.fields, ...(config as Fields) };
  const known = generationFields.flatMap((name) =>
    fields[name] == null ? [] : [[name, fields[name]] as const],
  );
  const { positions } = arch.cache(config);
  const pad = fields.pad_token_id ?? fields.eos_token_id;
  return {
    ...source,
    fields: {
      ...(Number.isFinite(positions) ? { max_length: positions } : {}),
      ...Object.fromEntries(known),
      ...(pad == null ? {} : { pad_token_id: Array.isArray(pad) ? pad[0]! : pad }),
    },
  };
};
