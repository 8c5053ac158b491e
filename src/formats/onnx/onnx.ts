/**
 * ONNX models (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto): the messages, and their bytes. Weights of more than
 * 2 GiB, the end of protobuf, go to a file beside the graph
 * (https://github.com/onnx/onnx/blob/main/docs/ExternalData.md). `decodeOnnx` in onnxRead.ts is the way back.
 */
import type { OnnxAttr, OnnxAttrs } from "../../ir/op.ts";
import {
  byteLength,
  bytesOf,
  type Dim,
  type DType,
  dataTypes,
  shapeText,
  type Tensor,
} from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";
import {
  bytesField,
  concat,
  type Encoded,
  floatField,
  intField,
  messageField,
  textField,
  toBytes,
} from "./protobuf.ts";

/** One operator call. An input named "" is an optional one left out. */
export interface OnnxNode {
  readonly opType: string;
  /** Operator domain; "" is ai.onnx. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attrs: OnnxAttrs;
}

/** A graph input or output. */
export interface OnnxValueInfo {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  /** A sequence of such tensors instead of one; written, not read back. */
  readonly sequence?: true;
}

/** A named weight. */
export interface OnnxInitializer {
  readonly name: string;
  readonly tensor: Tensor;
}

/** GraphProto: nodes, and what goes in and out. */
export interface OnnxGraph {
  readonly name: string;
  /** In topological order. */
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly initializers: readonly OnnxInitializer[];
}

/** ModelProto: a graph, its operator sets, its metadata. */
export interface OnnxModel {
  readonly graph: OnnxGraph;
  /** Operator set version by domain. */
  readonly opsets: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Where the weights of an encoded model go. */
export interface EncodeOptions {
  /** Name of the file beside the model that takes the large initializers; all are inline unless told. */
  readonly externalFile?: string;
  /** Initializers of more than this many bytes go to `externalFile` (1024 unless told). */
  readonly externalThresholdBytes?: number;
  /** Largest model file, bytes (2 GiB - 1 unless told, where protobuf ends). */
  readonly maxBytes?: number;
}

/** AttributeProto.AttributeType of each form of attribute. */
export const attrTypes = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const;

const IR_VERSION = 10;
const PROTOBUF_LIMIT = 2 ** 31 - 1;
/** External tensors begin at multiples of a page, so that a runtime can map them. */
const ALIGNMENT = 4096;
const padding = new Uint8Array(ALIGNMENT);

/**
 * What is wrong with the name of an external file, if anything: it must stay in the model's folder on every
 * system.
 */
export const locationFault = (location: string): string | undefined => {
  if (location === "") return "is empty";
  if (location.includes("\0")) return "contains NUL";
  if (location.includes("\\")) return "contains a backslash";
  if (location.startsWith("/") || /^[a-z]:/i.test(location)) return "is absolute";
  if (location.split("/").includes("..")) return 'contains ".."';
  return undefined;
};

/** Entries by key, so that equal records give equal bytes. */
const sorted = <T>(record: Readonly<Record<string, T>>): [string, T][] =>
  Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));

const pair = (field: number, key: string, value: string): Encoded =>
  messageField(field, [textField(1, key), textField(2, value)]);

/** The file beside the model, growing. */
interface External {
  readonly location: string;
  readonly thresholdBytes: number;
  readonly chunks: Uint8Array[];
  size: number;
}

const place = (external: External, bytes: Uint8Array): number => {
  const gap = (ALIGNMENT - (external.size % ALIGNMENT)) % ALIGNMENT;
  if (gap > 0) external.chunks.push(padding.subarray(0, gap));
  external.chunks.push(bytes);
  const offset = external.size + gap;
  external.size = offset + bytes.length;
  return offset;
};

const tensorFields = (name: string, t: Tensor, external?: External): Encoded[] => {
  if (t.data.byteLength !== byteLength(t)) {
    const taken = `${t.dtype} ${shapeText(t.shape)} takes ${byteLength(t)}`;
    throw new FormatError(`has ${t.data.byteLength} bytes where ${taken}`, { tensor: name });
  }
  const bytes = bytesOf(t);
  const head = [...t.shape.map((d) => intField(1, d)), intField(2, dataTypes[t.dtype]), textField(8, name)];
  if (external === undefined || bytes.length <= external.thresholdBytes)
    return [...head, bytesField(9, bytes)];
  return [
    ...head,
    pair(13, "location", external.location),
    pair(13, "offset", String(place(external, bytes))),
    pair(13, "length", String(bytes.length)),
    intField(14, 1),
  ];
};

const attrFields = (name: string, attr: OnnxAttr): Encoded[] => {
  const as = (form: keyof typeof attrTypes, value: Encoded): Encoded[] => [
    textField(1, name),
    value,
    intField(20, attrTypes[form]),
  ];
  if ("int" in attr) return as("int", intField(3, attr.int));
  if ("float" in attr) return as("float", floatField(2, attr.float));
  if ("string" in attr) return as("string", textField(4, attr.string));
  if ("ints" in attr) return as("ints", concat(attr.ints.map((i) => intField(8, i))));
  if ("floats" in attr) return as("floats", concat(attr.floats.map((x) => floatField(7, x))));
  return as("tensor", messageField(5, tensorFields("", attr.tensor)));
};

const nodeFields = (node: OnnxNode): Encoded[] => [
  ...node.inputs.map((name) => textField(1, name)),
  ...node.outputs.map((name) => textField(2, name)),
  textField(3, node.name),
  textField(4, node.opType),
  ...sorted(node.attrs).map(([name, attr]) => messageField(5, attrFields(name, attr))),
  textField(7, node.domain),
];

const valueFields = ({ name, dtype, shape, sequence }: OnnxValueInfo): Encoded[] => {
  const dims = shape.map((d) => messageField(1, [typeof d === "number" ? intField(1, d) : textField(2, d)]));
  const tensorType = messageField(1, [intField(1, dataTypes[dtype]), messageField(2, dims)]);
  const type = sequence ? messageField(4, [messageField(1, [tensorType])]) : tensorType;
  return [textField(1, name), messageField(2, [type])];
};

const graphFields = (graph: OnnxGraph, external?: External): Encoded[] => [
  ...graph.nodes.map((node) => messageField(1, nodeFields(node))),
  textField(2, graph.name),
  ...graph.initializers.map(({ name, tensor }) => messageField(5, tensorFields(name, tensor, external))),
  ...graph.inputs.map((value) => messageField(11, valueFields(value))),
  ...graph.outputs.map((value) => messageField(12, valueFields(value))),
];

/** The model's bytes and, where there is one, the external file's bytes in order. */
export interface EncodedOnnx {
  readonly model: Uint8Array;
  readonly external: readonly Uint8Array[] | undefined;
}

/**
 * The bytes of a model and, with `externalFile`, the chunks of the file beside it (undefined where no
 * initializer is large enough). Equal models give equal bytes. Throws FormatError where the model file would
 * pass `maxBytes`.
 */
export const encodeOnnx = (model: OnnxModel, options: EncodeOptions = {}): EncodedOnnx => {
  const { externalFile, externalThresholdBytes = 1024, maxBytes = PROTOBUF_LIMIT } = options;
  const fault = externalFile === undefined ? undefined : locationFault(externalFile);
  if (fault !== undefined)
    throw new FormatError(`${JSON.stringify(externalFile)} ${fault}`, { field: "externalFile" });
  const external: External | undefined =
    externalFile === undefined
      ? undefined
      : { location: externalFile, thresholdBytes: externalThresholdBytes, chunks: [], size: 0 };
  const message = concat([
    intField(1, IR_VERSION),
    textField(2, "anneal"),
    messageField(7, graphFields(model.graph, external)),
    ...sorted(model.opsets).map(([domain, version]) =>
      messageField(8, [textField(1, domain), intField(2, version)]),
    ),
    ...sorted(model.metadata).map(([key, value]) => pair(14, key, value)),
  ]);
  if (message.size > maxBytes) {
    const hint = external === undefined ? "give externalFile" : "lower externalThresholdBytes";
    throw new FormatError(`the model takes ${message.size} bytes; an ONNX file has at most ${maxBytes}`, {
      hint,
    });
  }
  return { model: toBytes(message), external: external?.chunks.length ? external.chunks : undefined };
};
