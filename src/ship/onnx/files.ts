/** Files as bytes by their path in a folder; `node/` writes them. */
import { encodeOnnx, type OnnxModel } from "../../formats/onnx/onnx.ts";
import type { Json } from "../../models/model.ts";

/** Paths, with the pieces that each file is made of. */
export type Files = Map<string, readonly Uint8Array[]>;

/** Initializers beyond this many bytes in all go to a file beside the graph: protobuf ends at 2 GiB. */
const INLINE_LIMIT = 1.9e9;

/** JSON as the bytes of a file: two spaces, one line feed at the end. */
export const jsonBytes = (value: unknown): Uint8Array =>
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

/** What the generation_config.json among files says; nothing where there is none. */
export const generationIn = (files: Files): { readonly [field: string]: Json } => {
  const [bytes] = files.get("generation_config.json") ?? [];
  return bytes === undefined ? {} : JSON.parse(new TextDecoder().decode(bytes));
};
