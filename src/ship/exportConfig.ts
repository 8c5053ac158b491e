/** config.json and generation_config.json of an exported folder. */
import { generationFields } from "../models/generationConfig.ts";
import type { Json, Model, Task } from "../models/model.ts";
import { taskOf } from "../models/task.ts";
import type { ExportDtype } from "./dtype.ts";

type Fields = { readonly [field: string]: Json };

export interface ConfigParts {
  /** Fields of the checkpoint's own config.json. */
  readonly fields: Fields;
  readonly defaultDtype: ExportDtype;
  /** Files of graphs that have their weights in a file beside them. */
  readonly external: readonly string[];
}

/**
 * The model's config with what transformers.js wants to know: the dtype to take, and which graphs have their
 * weights beside them. The cache's dtype it reads from the graph.
 */
export const configOf = (
  { arch, config }: Model,
  { fields, defaultDtype, external }: ConfigParts,
): Fields => ({
  ...fields,
  ...(config as Fields),
  ...(arch.kind === "seq2seq" ? { is_encoder_decoder: true } : {}),
  "transformers.js_config": {
    dtype: defaultDtype,
    ...(external.length === 0
      ? {}
      : { use_external_data_format: Object.fromEntries(external.map((file) => [file, 1])) }),
  },
});

const GENERATES: readonly Task[] = ["causal-lm", "seq2seq-lm"];

/**
 * The checkpoint's generation_config.json, else one of what its config says (`source` is that config as it
 * came); undefined for a model that does not generate.
 */
export const generationOf = (
  { arch, config }: Model,
  given?: Fields,
  source: Fields = {},
): Fields | undefined => {
  if (given !== undefined) return given;
  if (!GENERATES.includes(taskOf(arch, config))) return undefined;
  const fields = { ...source, ...(config as Fields) };
  const known = generationFields.flatMap((name) =>
    fields[name] == null ? [] : [[name, fields[name]] as const],
  );
  const pad = fields.pad_token_id ?? fields.eos_token_id;
  return {
    max_length: arch.cache(config).positions,
    ...Object.fromEntries(known),
    ...(pad == null ? {} : { pad_token_id: Array.isArray(pad) ? pad[0] : pad }),
  };
};
