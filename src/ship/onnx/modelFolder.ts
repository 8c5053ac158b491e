/**
 * The folder of a model that was made here, in the layout of transformers.js: its dense weights to go on
 * from, every dtype's graphs, the tokenizer's files, and what the checkpoint that it began with passes on.
 */
import { headOf } from "../../models/head.ts";
import type { Json, Model } from "../../models/model.ts";
import { defined } from "../../util/defined.ts";
import type { ExportDtype, TaughtDtype } from "./dtype.ts";
import { exportFiles } from "./export.ts";
import type { SourceJson } from "./exportConfig.ts";
import { type Files, jsonBytes } from "./files.ts";

/** What a folder takes over from the checkpoint that its model comes from. */
export interface FolderSource {
  readonly config: SourceJson;
  readonly generation?: SourceJson;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** What a shipped folder says besides its weights. */
export interface FolderOptions {
  /** The dtype that a user gets who asks for none; of a folder that has graphs. */
  readonly dtype?: TaughtDtype;
  /** Contents of tokenizer.json and tokenizer_config.json, of a model without a checkpoint. */
  readonly tokenizer: { readonly tokenizer: Json; readonly config: Json };
  /** End-of-text id. */
  readonly eos: number;
  /** The model in each dtype; those already made for measuring are not made again. */
  readonly forms: Readonly<Partial<Record<TaughtDtype, Model>>>;
  /** Whether the dense weights are among the files; they are unless told. */
  readonly weights?: boolean;
  /** The checkpoint that the model comes from, of which nothing is lost. */
  readonly source?: FolderSource;
}

/** The checkpoint's files, else the tokenizer's own, which say how long a text the model takes. */
const carriedFiles = (model: Model, { source, tokenizer: { tokenizer, config } }: FolderOptions) => {
  if (source !== undefined) return source.files;
  const { positions } = model.arch.cache(model.config);
  const limit = Number.isFinite(positions) ? { model_max_length: positions } : {};
  return new Map([
    ["tokenizer.json", jsonBytes(tokenizer)],
    ["tokenizer_config.json", jsonBytes({ ...(config as Readonly<Record<string, Json>>), ...limit })],
  ]);
};

/** The checkpoint's config, but for what training and cutting make untrue: its dtype, its list of layers. */
const sourceConfig = ({ source }: FolderOptions): SourceJson => {
  const { fields = {}, ...rest } = source?.config ?? {};
  const { torch_dtype: _, layer_types: __, ...kept } = fields as { readonly [field: string]: Json };
  return { ...rest, fields: "dtype" in kept ? { ...kept, dtype: "float32" } : kept };
};

/** How a fresh decoder generates: until the end of a text, as long as its positions last. */
const freshGeneration = (model: Model, { source, eos }: FolderOptions): SourceJson | undefined => {
  if (model.arch.kind === "encoder") return undefined;
  if (source !== undefined) return source.generation;
  if (headOf(model.arch, model.config) !== "causal-lm") return undefined;
  const { positions } = model.arch.cache(model.config);
  return { fields: { bos_token_id: eos, eos_token_id: eos, pad_token_id: eos, max_length: positions } };
};

/** All files of the folder but the card, the report and the parity figures. `model` is dense. */
export const modelFolder = (model: Model, options: FolderOptions): Files => {
  const { dtype, forms, weights = true } = options;
  const generation = freshGeneration(model, options);
  return new Map(
    exportFiles(model, {
      dtypes: Object.keys(forms) as ExportDtype[],
      ...{ forms, weights, ...defined({ defaultDtype: dtype }) },
      files: carriedFiles(model, options),
      config: sourceConfig(options),
      ...(generation === undefined ? {} : { generation }),
    }),
  );
};
