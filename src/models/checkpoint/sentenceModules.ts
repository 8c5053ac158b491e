/**
 * How sentence-transformers stores an embedding model: modules.json lists what follows on what, the model
 * itself first; the folder of its Pooling says how hidden states become a vector
 * (https://sbert.net/docs/sentence_transformer/usage/custom_models.html).
 */
import { ConfigError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import type { Json, Pooling, PoolingMode } from "../model.ts";
import { poolingModes } from "../pooling.ts";

/** The file that lists the modules. */
export const MODULES = "modules.json";

/** The modules after the model itself that are computed here, in their order. */
const KNOWN = ["Pooling", "Normalize"] as const;

/** What modules.json says: where the Pooling's config.json is, and whether Normalize follows it. */
export interface SentenceModules {
  readonly poolingConfig: string;
  readonly normalize: boolean;
}

type Fields = { readonly [field: string]: Json };

const fieldsOf = (json: Json, file: string, field?: string): Fields => {
  if (typeof json === "object" && json !== null && !Array.isArray(json)) return json as Fields;
  throw new ConfigError(`must be an object, not ${JSON.stringify(json)}`, {
    file,
    ...(field === undefined ? {} : { field }),
  });
};

/** The class of a module: those of sentence-transformers moved between its packages over time. */
const classOf = (type: Json | undefined): string | undefined =>
  typeof type === "string" ? /^sentence_transformers\.(?:\w+\.)*(\w+)$/.exec(type)?.[1] : undefined;

/**
 * The modules of an embedding model. Throws ConfigError naming one that is not computed here: sentence
 * vectors would be others without it. `file` names modules.json.
 */
export const sentenceModules = (modules: Json, file: string): SentenceModules => {
  if (!Array.isArray(modules)) throw new ConfigError("must be a list of modules", { file });
  const all = modules.map((module: Json, i) => fieldsOf(module, file, String(i)));
  const wanted = ["Transformer", ...KNOWN];
  const wrong = all.findIndex(({ type }, i) => i >= wanted.length || classOf(type) !== wanted[i]);
  if (wrong >= 0) {
    throw new ConfigError(`is ${JSON.stringify(all[wrong]!.type)}, a module that is not supported`, {
      file,
      field: `${wrong}.type`,
      hint: `supported: ${wanted.join(", then ")}; without it there is last_hidden_state alone`,
    });
  }
  const path = all[1]?.path;
  if (typeof path === "string" && /^\w[\w.-]*$/.test(path)) {
    return { poolingConfig: `${path}/config.json`, normalize: all.length === wanted.length };
  }
  throw new ConfigError("names no folder of a Pooling", { file, field: "1.path" });
};

/** The fields by which older versions say the mode, one of them true. */
const flags: Readonly<Record<string, string>> = {
  pooling_mode_cls_token: "cls",
  pooling_mode_max_tokens: "max",
  pooling_mode_mean_tokens: "mean",
  pooling_mode_mean_sqrt_len_tokens: "mean_sqrt_len_tokens",
  pooling_mode_weightedmean_tokens: "weightedmean",
  pooling_mode_lasttoken: "lasttoken",
};

/** The modes that a Pooling's config asks for, side by side where they are several. */
const modesIn = (fields: Fields): { readonly modes: readonly Json[]; readonly field: string } => {
  const { pooling_mode: given } = fields;
  if (given != null) return { modes: Array.isArray(given) ? given : [given], field: "pooling_mode" };
  const set = Object.keys(flags).filter((flag) => fields[flag] === true);
  if (set.length === 0) return { modes: ["mean"], field: "pooling_mode" };
  return { modes: set.map((flag) => flags[flag]!), field: set.at(-1)! };
};

/**
 * The mode of a Pooling's config.json, which `file` names. Throws ConfigError for one that is not computed
 * here.
 */
export const poolingMode = (config: Json, file: string): PoolingMode => {
  const fields = fieldsOf(config, file);
  const { modes, field } = modesIn(fields);
  const mode = poolingModes.find((name) => name === modes[0]);
  if (modes.length !== 1 || mode === undefined) {
    const asked = modes.map((m) => (typeof m === "string" ? m : JSON.stringify(m))).join(" beside ");
    const near = nearest(asked, poolingModes);
    throw new ConfigError(`asks for the pooling ${asked}, which is not supported`, {
      file,
      field,
      hint: `${near === undefined ? "" : `did you mean "${near}"? `}supported: ${poolingModes.join(", ")}`,
    });
  }
  if (fields.include_prompt !== false) return mode;
  throw new ConfigError("leaves prompts out of the vectors, which a graph that sees tokens alone cannot", {
    file,
    field: "include_prompt",
    hint: "the hidden states are in last_hidden_state",
  });
};

/** The paths of `names` by which sentence-transformers takes a folder for an embedding model. */
export const sentenceNames = (names: readonly string[]): readonly string[] =>
  names.filter((name) =>
    /^(modules|config_sentence_transformers|sentence_bert_config)\.json$|^\d_\w+\//.test(name),
  );

/** The files by which sentence-transformers knows a model with this pooling, as JSON by name. */
export const sentenceFiles = (pooling: Pooling, width: number): ReadonlyMap<string, Json> => {
  const modules = [
    ["", "Transformer"],
    ["1_Pooling", "Pooling"],
    ...(pooling.normalize ? [["2_Normalize", "Normalize"]] : []),
  ];
  const listed = modules.map(([path, name], idx) => ({
    idx,
    name: String(idx),
    path: path!,
    type: `sentence_transformers.models.${name}`,
  }));
  const set = Object.entries(flags).map(([flag, mode]) => [flag, mode === pooling.mode] as const);
  return new Map<string, Json>([
    [MODULES, listed],
    [
      "config_sentence_transformers.json",
      { prompts: {}, default_prompt_name: null, similarity_fn_name: "cosine" },
    ],
    ["1_Pooling/config.json", { word_embedding_dimension: width, ...Object.fromEntries(set) }],
  ]);
};
