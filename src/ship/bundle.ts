/**
 * The shipped folder in the layout of transformers.js: config.json, generation_config.json, the tokenizer's
 * files and onnx/*.onnx of every dtype, with model.safetensors to go on from. Files are bytes here; `node/`
 * writes them.
 */

import { toOnnx } from "../formats/lower.ts";
import { encodeOnnx, type OnnxModel } from "../formats/onnx.ts";
import { encodeSafetensors } from "../formats/safetensors.ts";
import type { Json, Model } from "../models/model.ts";
import { tensorsOf } from "../nn/param.ts";
import { optimize } from "../rewrite/index.ts";
import { decoderProgram } from "../serve/decoder.ts";
import { dtypes, type ShipDtype } from "./dtype.ts";

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

export interface BundleOptions {
  /** The dtype that a user gets who asks for none. */
  readonly dtype: ShipDtype;
  /** Contents of tokenizer.json and tokenizer_config.json. */
  readonly tokenizer: { readonly tokenizer: Json; readonly config: Json };
  /** End-of-text id. */
  readonly eos: number;
  /** The model in each dtype; those already made for measuring are not made again. */
  readonly forms: Readonly<Record<ShipDtype, Model>>;
}

/** All files of a shipped folder but the card, the report and the parity figures. `model` is dense. */
export const bundle = (model: Model, options: BundleOptions): Files => {
  const { dtype, tokenizer, eos, forms } = options;
  const { positions } = model.arch.cache(model.config);
  const config = { ...(model.config as { [key: string]: Json }), "transformers.js_config": { dtype } };
  const generation = { bos_token_id: eos, eos_token_id: eos, pad_token_id: eos, max_length: positions };
  const files: Files = new Map([
    ["config.json", [jsonBytes(config)]],
    ["generation_config.json", [jsonBytes(generation)]],
    ["tokenizer.json", [jsonBytes(tokenizer.tokenizer)]],
    ["tokenizer_config.json", [jsonBytes(tokenizer.config)]],
    ["model.safetensors", encodeSafetensors(new Map(tensorsOf(model.weights)), { format: "pt" })],
  ]);
  for (const [name, { file }] of Object.entries(dtypes)) {
    for (const [path, chunks] of decoderFiles(forms[name as ShipDtype], file)) files.set(path, chunks);
  }
  return files;
};
