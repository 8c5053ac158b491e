/**
 * The shipped folder in the layout of transformers.js: config.json, generation_config.json, the tokenizer's
 * files and onnx/*.onnx of every dtype, with model.safetensors to go on from. Files are bytes here; `node/`
 * writes them.
 */

import { toOnnx } from "../../formats/lower.ts";
import { encodeOnnx, type OnnxModel } from "../../formats/onnx.ts";
import { encodeSafetensors } from "../../formats/safetensors.ts";
import type { Json, Model } from "../../models/model.ts";
import { tensorsOf } from "../../nn/param.ts";
import { optimize } from "../../rewrite/index.ts";
import { decoderProgram } from "../../serve/decoder.ts";
import { dtypes, type ShipDtype } from "./dtype.ts";
import { configOf, generationOf, type SourceJson, spelledBytes } from "./exportConfig.ts";

export type Files = Map<string, readonly Uint8Array[]>;

/** Initializers beyond this many bytes in all go to a file beside the graph: protobuf ends at 2 GiB. */
const INLINE_LIMIT = 1.9e9;

/** JSON as the bytes of a file: two spaces, one line feed at the end. */
export const jsonBytes = (value: Json): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);

/** A graph as files: `path`, and `path_data` where its weights are more than `inlineLimit` bytes. */
export const graphFiles = (onnx: OnnxModel, path: string, inlineLimit: number = INLINE_LIMIT): Files => {
  const size = onnx.graph.initializers.reduce((sum, { tensor }) => sum + tensor.data.byteLength, 0);
  const externalFile = `${path.split("/").at(-1)}_data`;
  const { model: bytes, external } = encodeOnnx(onnx, size > inlineLimit ? { externalFile } : {});
  const files: Files = new Map([[path, [bytes]]]);
  if (external !== undefined) files.set(`${path}_data`, external);
  return files;
};

/** The decoding graph of `model` as files: `path`, and `path_data` where it is too large for one. */
export const decoderFiles = (model: Model, path: string): Files =>
  graphFiles(toOnnx(optimize(decoderProgram(model)), { name: "decoder", keepUnused: true }), path);

/** What a bundle takes over from the checkpoint that its model comes from. */
export interface BundleSource {
  readonly config: SourceJson;
  readonly generation?: SourceJson;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface BundleOptions {
  /** The dtype that a user gets who asks for none. */
  readonly dtype: ShipDtype;
  /** Contents of tokenizer.json and tokenizer_config.json, of a model without a checkpoint. */
  readonly tokenizer: { readonly tokenizer: Json; readonly config: Json };
  /** End-of-text id. */
  readonly eos: number;
  /** The model in each dtype; those already made for measuring are not made again. */
  readonly forms: Readonly<Record<ShipDtype, Model>>;
  /** The checkpoint that the model comes from, of which nothing is lost. */
  readonly source?: BundleSource;
}

/** What the generation_config.json among files says; nothing where there is none. */
export const generationIn = (files: Files): { readonly [field: string]: Json } => {
  const [bytes] = files.get("generation_config.json") ?? [];
  return bytes === undefined ? {} : JSON.parse(new TextDecoder().decode(bytes));
};

/** The checkpoint's files, else the tokenizer's own. */
const carriedFiles = ({ source, tokenizer: { tokenizer, config } }: BundleOptions) =>
  source?.files ??
  new Map([
    ["tokenizer.json", jsonBytes(tokenizer)],
    ["tokenizer_config.json", jsonBytes(config)],
  ]);

/** The checkpoint's config, but for what training and cutting make untrue: its dtype, its list of layers. */
const sourceConfig = ({ source }: BundleOptions): SourceJson => {
  const { fields = {}, ...rest } = source?.config ?? {};
  const { torch_dtype: _, layer_types: __, ...kept } = fields as { readonly [field: string]: Json };
  return { ...rest, fields: "dtype" in kept ? { ...kept, dtype: "float32" } : kept };
};

/** All files of a shipped folder but the card, the report and the parity figures. `model` is dense. */
export const bundle = (model: Model, options: BundleOptions): Files => {
  const { dtype, eos, forms, source } = options;
  const { positions } = model.arch.cache(model.config);
  const fresh = { bos_token_id: eos, eos_token_id: eos, pad_token_id: eos, max_length: positions };
  const config = sourceConfig(options);
  const said = source === undefined ? { fields: fresh } : generationOf(model, source.generation, config);
  const files: Files = new Map(Array.from(carriedFiles(options), ([name, bytes]) => [name, [bytes]]));
  files.set("config.json", [
    spelledBytes(configOf(model, { source: config, defaultDtype: dtype, external: [] })),
  ]);
  files.set("generation_config.json", [spelledBytes(said ?? { fields: fresh })]);
  files.set("model.safetensors", encodeSafetensors(new Map(tensorsOf(model.weights)), { format: "pt" }));
  for (const [name, { file }] of Object.entries(dtypes)) {
    for (const [path, chunks] of decoderFiles(forms[name as ShipDtype], file)) files.set(path, chunks);
  }
  return files;
};
