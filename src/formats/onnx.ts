/**
 * ONNX models (https://onnx.ai/onnx/repo-docs/IR.html) as plain data, and their bytes. Weights stand inline, or beside the
 * model in one file of external data, which models beyond protobuf's 2 GiB need.
 */
import type { OnnxAttr, OnnxAttrs } from "../ir/op.ts";
import { byteLength, bytesOf, type DType, type Dim, type Tensor } from "../ir/tensor.ts";
import { FormatError } from "../util/errors.ts";
import { attributeTypes, dataTypes, EXTERNAL, MAX_MODEL, modelProto, type tensorProto } from "./onnxProto.ts";
import { encodeMessage, type Message } from "./protobuf.ts";

export { decodeOnnx, type DecodeOnnxOptions } from "./onnxDecode.ts";

export interface OnnxNode {
  readonly opType: string;
  /** "" is ai.onnx. */
  readonly domain: string;
  readonly name: string;
  /** "" is an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: OnnxAttrs;
}

export interface OnnxValueInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Numbers, or names of dimensions bound when run. */
  readonly shape: readonly Dim[];
}

export interface OnnxInitializer {
  readonly name: string;
  readonly tensor: Tensor;
}

export interface OnnxGraph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly initializers: readonly OnnxInitializer[];
}

export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** Operator set version by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface EncodeOnnxOptions {
  /** Name of the file beside the model that takes the large initializers; inline without one. */
  readonly externalFile?: string;
  /** Initializers of at least this many bytes go to the external file. */
  readonly externalThresholdBytes?: number;
  readonly irVersion?: number;
}

export interface EncodedOnnx {
  readonly model: Uint8Array;
  /** The external file's bytes in order, or undefined where all is inline. */
  readonly external: readonly Uint8Array[] | undefined;
}

/** External tensors begin at multiples of this, so that they can be mapped into memory. */
export const EXTERNAL_ALIGNMENT = 4096;

type TensorMessage = Message<(typeof tensorProto)["fields"]>;
type PlaceTensor = (name: string, t: Tensor) => TensorMessage;

const inline: PlaceTensor = (name, t) => {
  if (t.data.byteLength !== byteLength(t)) {
    throw new FormatError(`holds ${t.data.byteLength} bytes; its shape takes ${byteLength(t)}`, { tensor: name });
  }
  return { dims: t.shape, dataType: dataTypes[t.dtype], name, rawData: bytesOf(t) };
};

/** Places large tensors in `file`, collecting its chunks. */
const placeExternal = (file: string, thresholdBytes: number, chunks: Uint8Array[]): PlaceTensor => {
  const padding = new Uint8Array(EXTERNAL_ALIGNMENT);
  let end = 0;
  return (name, t) => {
    const { rawData, ...rest } = inline(name, t);
    const length = rawData!.byteLength;
    if (length < thresholdBytes || length === 0) return { ...rest, rawData };
    const offset = Math.ceil(end / EXTERNAL_ALIGNMENT) * EXTERNAL_ALIGNMENT;
    if (offset > end) chunks.push(padding.subarray(0, offset - end));
    chunks.push(rawData!);
    end = offset + length;
    const externalData = [
      { key: "location", value: file },
      { key: "offset", value: String(offset) },
      { key: "length", value: String(length) },
    ];
    return { ...rest, externalData, dataLocation: EXTERNAL };
  };
};

const attributeOf = (name: string, a: OnnxAttr) => {
  if ("int" in a) return { name, i: a.int, type: attributeTypes.int };
  if ("float" in a) return { name, f: a.float, type: attributeTypes.float };
  if ("string" in a) return { name, s: a.string, type: attributeTypes.string };
  if ("ints" in a) return { name, ints: a.ints, type: attributeTypes.ints };
  if ("floats" in a) return { name, floats: a.floats, type: attributeTypes.floats };
  return { name, t: inline("", a.tensor), type: attributeTypes.tensor };
};

const nodeOf = (node: OnnxNode) => ({
  input: node.inputs,
  output: node.outputs,
  name: node.name,
  opType: node.opType,
  attribute: Object.entries(node.attrs).map(([name, attr]) => attributeOf(name, attr)),
  domain: node.domain,
});

const valueInfoOf = ({ name, dtype, shape }: OnnxValueInfo) => {
  const dim = shape.map((d) => (typeof d === "number" ? { dimValue: d } : { dimParam: d }));
  return { name, type: { tensorType: { elemType: dataTypes[dtype], shape: { dim } } } };
};

const modelOf = ({ graph, opsets, metadata }: OnnxModel, place: PlaceTensor, irVersion: number) => ({
  irVersion,
  producerName: "anneal",
  graph: {
    node: graph.nodes.map(nodeOf),
    name: graph.name,
    initializer: graph.initializers.map(({ name, tensor }) => place(name, tensor)),
    input: graph.inputs.map(valueInfoOf),
    output: graph.outputs.map(valueInfoOf),
  },
  opsetImport: Object.entries(opsets).map(([domain, version]) => ({ domain, version })),
  metadataProps: Object.entries(metadata).map(([key, value]) => ({ key, value })),
});

/** What is wrong with the name of an external file, or undefined: it may only lead to the model's own folder. */
export const externalFault = (location: string): string | undefined => {
  if (location === "") return "is empty";
  if (location.includes("\0")) return "has a NUL";
  if (location.includes("\\")) return "has a backslash";
  if (location.startsWith("/") || /^[A-Za-z]:/.test(location)) return "is absolute";
  const odd = location.split("/").find((part) => part === ".." || part === "." || part === "");
  return odd === undefined ? undefined : `has the part "${odd}"`;
};

/**
 * The bytes of a model; equal models give equal bytes, and initializers are copied once at most. Throws FormatError for an
 * external file outside the model's folder and for a model beyond 2 GiB without an external file.
 */
export const encodeOnnx = (model: OnnxModel, options: EncodeOnnxOptions = {}): EncodedOnnx => {
  const { externalFile, externalThresholdBytes = 1024, irVersion = 10 } = options;
  const chunks: Uint8Array[] = [];
  const fault = externalFile === undefined ? undefined : externalFault(externalFile);
  if (fault !== undefined) throw new FormatError(`the external file's name ${fault}`, { file: externalFile! });
  const place = externalFile === undefined ? inline : placeExternal(externalFile, externalThresholdBytes, chunks);
  const total = model.graph.initializers.reduce((sum, { tensor }) => sum + tensor.data.byteLength, 0);
  if (externalFile === undefined && total > MAX_MODEL) {
    throw new FormatError(`the weights take ${total} bytes; an ONNX file holds ${MAX_MODEL}`, {
      hint: "give an externalFile for the weights",
    });
  }
  const bytes = encodeMessage(modelProto, modelOf(model, place, irVersion), MAX_MODEL);
  return { model: bytes, external: chunks.length > 0 ? chunks : undefined };
};
