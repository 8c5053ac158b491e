/** Reads ONNX models into plain data. Whatever this reader would have to leave out or guess is an error. */
import type { OnnxAttr } from "../ir/op.ts";
import { bytesPerElement, type DType, type Dim, type Tensor, tensorFromBytes } from "../ir/tensor.ts";
import { type ErrorDetails, FormatError } from "../util/errors.ts";
import { externalFault, type OnnxGraph, type OnnxModel, type OnnxNode, type OnnxValueInfo } from "./onnx.ts";
import {
  type attributeProto,
  attributeTypes,
  dataTypes,
  EXTERNAL,
  type graphProto,
  modelProto,
  type nodeProto,
  type tensorProto,
  type valueInfoProto,
} from "./onnxProto.ts";
import { decodeMessage, type Message } from "./protobuf.ts";

export interface DecodeOnnxOptions {
  /** The model's file name, for errors. */
  readonly file?: string;
  /** All bytes of a file of external data, by its location relative to the model's folder. */
  readonly resolveExternal?: (location: string) => Uint8Array;
}

type TensorMessage = Message<(typeof tensorProto)["fields"]>;
type Attribute = Message<(typeof attributeProto)["fields"]>;

interface Source {
  readonly file: string;
  readonly external: (location: string, tensor: string) => Uint8Array;
}

const fail = (source: Source, problem: string, details: ErrorDetails = {}): never => {
  throw new FormatError(problem, { file: source.file, ...details });
};

const dtypeOf = new Map(Object.entries(dataTypes).map(([dtype, id]) => [id, dtype as DType]));
const knownKeys: ReadonlySet<string> = new Set(["location", "offset", "length", "checksum"]);

const externalBytes = (source: Source, message: TensorMessage, size: number): Uint8Array => {
  const tensor = message.name ?? "";
  const entries = new Map<string, string>();
  for (const { key = "", value = "" } of message.externalData ?? []) {
    if (!knownKeys.has(key)) fail(source, `its external data has the unknown entry "${key}"`, { tensor });
    if (entries.has(key)) fail(source, `its external data has the entry "${key}" twice`, { tensor });
    entries.set(key, value);
  }
  const location = entries.get("location") ?? "";
  const fault = externalFault(location);
  if (fault !== undefined) fail(source, `its external location ${fault}`, { tensor });
  const number = (key: string, otherwise: number): number => {
    const text = entries.get(key);
    if (text === undefined) return otherwise;
    const n = Number(text);
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(n)) fail(source, `its external ${key} is "${text}"`, { tensor });
    return n;
  };
  const offset = number("offset", 0);
  const length = number("length", size);
  if (length !== size) fail(source, `its external length is ${length}; its shape takes ${size} bytes`, { tensor });
  const bytes = source.external(location, tensor);
  if (offset + length > bytes.length) {
    throw new FormatError(`${length} bytes are wanted of a file of ${bytes.length}`, { file: location, tensor, offset });
  }
  return new Uint8Array(bytes.buffer, bytes.byteOffset + offset, length);
};

const tensorOf = (source: Source, message: TensorMessage): Tensor => {
  const { dims: shape = [], dataType = 0, rawData, dataLocation = 0 } = message;
  const tensor = message.name ?? "";
  const dtype = dtypeOf.get(dataType);
  if (dtype === undefined) return fail(source, `has the data type ${dataType}, which is not supported`, { tensor });
  if (shape.some((d) => d < 0)) fail(source, `has the shape [${shape.join(", ")}]`, { tensor });
  const size = shape.reduce((n, d) => n * d, bytesPerElement(dtype));
  if (!Number.isSafeInteger(size)) fail(source, `has the impossible shape [${shape.join(", ")}]`, { tensor });
  if (dataLocation === EXTERNAL) return tensorFromBytes(dtype, shape, externalBytes(source, message, size));
  if (message.externalData !== undefined) fail(source, "has external data and is not marked so", { tensor });
  const bytes = rawData ?? new Uint8Array(0);
  if (bytes.length !== size) fail(source, `has ${bytes.length} bytes; its shape takes ${size}`, { tensor });
  return tensorFromBytes(dtype, shape, bytes);
};

const attrOf = (source: Source, a: Attribute, field: string): OnnxAttr => {
  switch (a.type) {
    case attributeTypes.int:
      return { int: a.i ?? 0 };
    case attributeTypes.float:
      return { float: a.f ?? 0 };
    case attributeTypes.string:
      return { string: a.s ?? "" };
    case attributeTypes.ints:
      return { ints: a.ints ?? [] };
    case attributeTypes.floats:
      return { floats: a.floats ?? [] };
    case attributeTypes.tensor:
      return { tensor: tensorOf(source, a.t ?? {}) };
    default:
      return fail(source, `has the attribute type ${a.type}, which is not supported`, { field });
  }
};

const nodeOf = (source: Source, message: Message<(typeof nodeProto)["fields"]>): OnnxNode => {
  const { opType = "", domain = "", name = "", input = [], output = [], attribute = [] } = message;
  const attrs = attribute.map((a) => [a.name ?? "", attrOf(source, a, `${name || opType}.${a.name}`)] as const);
  return { opType, domain, name, inputs: input, outputs: output, attrs: Object.fromEntries(attrs) };
};

const valueInfoOf = (source: Source, message: Message<(typeof valueInfoProto)["fields"]>): OnnxValueInfo => {
  const { name = "", type } = message;
  const { elemType = 0, shape } = type?.tensorType ?? {};
  const dtype = dtypeOf.get(elemType);
  if (dtype === undefined) return fail(source, `has the data type ${elemType}, which is not supported`, { tensor: name });
  if (shape === undefined) return fail(source, "has no shape", { tensor: name });
  const dims = (shape.dim ?? []).map(({ dimValue, dimParam }, axis): Dim => {
    if (dimValue !== undefined && dimValue < 0) return fail(source, `has the dimension ${dimValue}`, { tensor: name });
    return dimValue ?? dimParam ?? `${name}_${axis}`;
  });
  return { name, dtype, shape: dims };
};

const graphOf = (source: Source, message: Message<(typeof graphProto)["fields"]>): OnnxGraph => ({
  name: message.name ?? "",
  nodes: (message.node ?? []).map((node) => nodeOf(source, node)),
  inputs: (message.input ?? []).map((info) => valueInfoOf(source, info)),
  outputs: (message.output ?? []).map((info) => valueInfoOf(source, info)),
  initializers: (message.initializer ?? []).map((t) => ({ name: t.name ?? "", tensor: tensorOf(source, t) })),
});

/** Each external file is asked for once. */
const sourceOf = (file: string, resolve: DecodeOnnxOptions["resolveExternal"]): Source => {
  const known = new Map<string, Uint8Array>();
  return {
    file,
    external: (location, tensor) => {
      if (resolve === undefined) throw new FormatError(`its data is in "${location}", which was not given`, { file, tensor });
      const bytes = known.get(location) ?? resolve(location);
      known.set(location, bytes);
      return bytes;
    },
  };
};

/**
 * The model in `bytes`; tensors are views of them where the alignment allows. Throws FormatError naming file, tensor and
 * offset for bytes that are cut off or malformed, for what is not supported (subgraphs, functions, sparse tensors), and for
 * external data outside the model's folder or beyond its file.
 */
export const decodeOnnx = (bytes: Uint8Array, options: DecodeOnnxOptions = {}): OnnxModel => {
  const { file = "model.onnx", resolveExternal } = options;
  const message = decodeMessage(modelProto, bytes, file);
  const source = sourceOf(file, resolveExternal);
  if (message.graph === undefined) return fail(source, "is not an ONNX model: it has no graph");
  const opsets = (message.opsetImport ?? []).map(({ domain = "", version = 0 }) => [domain, version] as const);
  const metadata = (message.metadataProps ?? []).map(({ key = "", value = "" }) => [key, value] as const);
  return {
    graph: graphOf(source, message.graph),
    opsets: Object.fromEntries(opsets),
    metadata: Object.fromEntries(metadata),
  };
};
