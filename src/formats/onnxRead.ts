/**
 * ONNX models from bytes that are not trusted. Strict where a lenient reader would change the meaning: a field that is
 * neither understood nor known to be mere description is refused, and so is a singular field that stands twice.
 */
import type { OnnxAttr } from "../ir/op.ts";
import {
  bytesPerElement,
  type Dim,
  type DType,
  shapeText,
  type Tensor,
  tensorFromBytes,
  zeros,
} from "../ir/tensor.ts";
import {
  attrTypes,
  dataTypes,
  locationFault,
  type OnnxModel,
  type OnnxNode,
  type OnnxValueInfo,
} from "./onnx.ts";
import {
  type Field,
  failAt,
  fieldsOf,
  floatsOf,
  intOf,
  type Span,
  safeInt,
  spanOf,
  textOf,
  varintsOf,
  viewOf,
} from "./protobuf.ts";

export interface DecodeOptions {
  /** Name of the file, for errors. */
  readonly file?: string;
  /** The whole bytes of a file beside the model; called once per location, which is known to stay in the folder. */
  readonly external?: (location: string) => Uint8Array;
}

/** The field numbers of a message of onnx.proto; `ignored` are those of description only. */
interface Schema {
  readonly name: string;
  readonly one: readonly number[];
  readonly many: readonly number[];
  readonly ignored: readonly number[];
}

const schemas = {
  model: { name: "ModelProto", one: [7], many: [8, 14], ignored: [1, 2, 3, 4, 5, 6] },
  opset: { name: "OperatorSetIdProto", one: [1, 2], many: [], ignored: [] },
  pair: { name: "StringStringEntryProto", one: [1, 2], many: [], ignored: [] },
  graph: { name: "GraphProto", one: [2], many: [1, 5, 11, 12], ignored: [10, 13, 14, 16] },
  node: { name: "NodeProto", one: [3, 4, 7], many: [1, 2, 5], ignored: [6, 9] },
  attr: { name: "AttributeProto", one: [1, 2, 3, 4, 5, 20], many: [7, 8], ignored: [13] },
  tensor: { name: "TensorProto", one: [2, 8, 9, 14], many: [1, 4, 5, 7, 10, 11, 13], ignored: [12, 16] },
  value: { name: "ValueInfoProto", one: [1, 2], many: [], ignored: [3, 4] },
  type: { name: "TypeProto", one: [1], many: [], ignored: [6] },
  tensorType: { name: "TypeProto.Tensor", one: [1, 2], many: [], ignored: [] },
  shape: { name: "TensorShapeProto", one: [], many: [1], ignored: [] },
  dim: { name: "TensorShapeProto.Dimension", one: [1, 2], many: [], ignored: [3] },
} as const satisfies Record<string, Schema>;

interface Message {
  readonly span: Span;
  one(field: number): Field | undefined;
  many(field: number): readonly Field[];
  /** A string field, "" where absent. */
  text(field: number): string;
  fail(message: string): never;
}

const read = (span: Span, schema: Schema): Message => {
  const found = new Map<number, Field[]>();
  const fail = (message: string): never => failAt(span, span.start, `${schema.name} ${message}`);
  for (const field of fieldsOf(span)) {
    if (schema.ignored.includes(field.number)) continue;
    const singular = schema.one.includes(field.number);
    if (!singular && !schema.many.includes(field.number))
      fail(`has the field ${field.number}, which is not supported`);
    const known = found.get(field.number);
    if (known === undefined) found.set(field.number, [field]);
    else if (singular) fail(`has the field ${field.number} twice`);
    else known.push(field);
  }
  const one = (field: number): Field | undefined => found.get(field)?.[0];
  const text = (field: number): string => {
    const at = one(field);
    return at === undefined ? "" : textOf(at);
  };
  return { span, one, many: (field) => found.get(field) ?? [], text, fail };
};

/** The files that the model's tensors lie in, each fetched once. */
type Files = (location: string, message: Message) => Uint8Array;

const filesOf = (external: DecodeOptions["external"]): Files => {
  const known = new Map<string, Uint8Array>();
  return (location, message) => {
    const fault = locationFault(location);
    if (fault !== undefined)
      message.fail(`lies in the external file ${JSON.stringify(location)}, which ${fault}`);
    if (external === undefined)
      return message.fail(`lies in the external file "${location}", which was not given`);
    const bytes = known.get(location) ?? external(location);
    known.set(location, bytes);
    return bytes;
  };
};

const record = <T>(
  message: Message,
  what: string,
  list: readonly (readonly [string, T])[],
): Record<string, T> => {
  const once = new Set<string>();
  const twice = list.find(([key]) => once.size === once.add(key).size);
  if (twice !== undefined) message.fail(`has the ${what} "${twice[0]}" twice`);
  return Object.fromEntries(list);
};

const pairs = (fields: readonly Field[]): [string, string][] =>
  fields.map((field) => {
    const entry = read(spanOf(field), schemas.pair);
    return [entry.text(1), entry.text(2)];
  });

const dtypeOf = (message: Message, field: Field | undefined): DType => {
  const code = field === undefined ? 0 : intOf(field);
  const found = Object.entries(dataTypes).find(([, type]) => type === code);
  return found === undefined
    ? message.fail(`has the data type ${code}, which is not supported`)
    : (found[0] as DType);
};

/** Elements of `shape`, checked to be a size that can exist. */
const elementsOf = (message: Message, shape: readonly number[], width: number): number => {
  if (shape.some((d) => d < 0)) message.fail(`has the negative shape ${shapeText(shape)}`);
  const count = shape.includes(0) ? 0 : shape.reduce((n, d) => n * d, 1);
  if (!Number.isSafeInteger(count * width))
    message.fail(`has the impossible shape ${shapeText(shape)}, beyond 2^53 bytes`);
  return count;
};

const externalBytes = (message: Message, size: number, files: Files): Uint8Array => {
  const entries = record(message, "external_data key", pairs(message.many(13)));
  const number = (key: string, otherwise: number): number => {
    const text = entries[key] ?? String(otherwise);
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    return message.fail(`has the external ${key} ${JSON.stringify(text)}, which is no size within 2^53`);
  };
  const odd = Object.keys(entries).find((key) => !["location", "offset", "length", "checksum"].includes(key));
  if (odd !== undefined) message.fail(`has the external_data key "${odd}", which is not supported`);
  const offset = number("offset", 0);
  const length = number("length", size);
  if (length !== size) message.fail(`takes ${length} external bytes where its shape takes ${size}`);
  const bytes = files(entries.location ?? "", message);
  if (offset + length > bytes.length) {
    message.fail(
      `lies at ${offset}..${offset + length} of "${entries.location}", which ends at ${bytes.length}`,
    );
  }
  return bytes.subarray(offset, offset + length);
};

/** The field of TensorProto that holds the elements of a dtype where raw_data does not. */
const typedField = (dtype: DType): 4 | 5 | 7 | 10 | 11 => {
  if (dtype === "float32") return 4;
  if (dtype === "float64") return 10;
  if (dtype === "int64") return 7;
  return dtype === "uint32" || dtype === "uint64" ? 11 : 5;
};

const typedTensor = (message: Message, dtype: DType, shape: readonly number[], count: number): Tensor => {
  const from = typedField(dtype);
  const other = [4, 5, 7, 10, 11].find((field) => field !== from && message.many(field).length > 0);
  if (other !== undefined) message.fail(`of ${dtype} has its elements in field ${other}, not in ${from}`);
  const values: (number | bigint)[] = message.many(from).flatMap((field): (number | bigint)[] => {
    if (from === 4 || from === 10) return floatsOf(field, from === 4 ? 4 : 8);
    if (from === 7) return varintsOf(field).map((bits) => BigInt.asIntN(64, bits));
    if (dtype === "uint64") return varintsOf(field);
    return varintsOf(field).map((bits) => safeInt(field, BigInt.asIntN(64, bits)));
  });
  if (values.length !== count)
    message.fail(`has ${values.length} elements where ${shapeText(shape)} takes ${count}`);
  const made = zeros({ dtype, shape });
  const data = made.data as unknown as (number | bigint)[];
  for (const [i, value] of values.entries()) {
    data[i] = value;
    if (!Object.is(data[i], value)) message.fail(`holds ${value}, which is no ${dtype}`);
  }
  return made;
};

const tensorOf = (span: Span, files: Files): { name: string; tensor: Tensor } => {
  const message = read(span, schemas.tensor);
  const name = message.text(8);
  const named: Message = {
    ...message,
    fail: (text) => message.fail(name === "" ? text : `"${name}" ${text}`),
  };
  const dtype = dtypeOf(named, message.one(2));
  const shape = message
    .many(1)
    .flatMap((f) => varintsOf(f).map((bits) => safeInt(f, BigInt.asIntN(64, bits))));
  const count = elementsOf(named, shape, bytesPerElement(dtype));
  const size = count * bytesPerElement(dtype);
  const location = message.one(14);
  const raw = message.one(9);
  if (location !== undefined && intOf(location) === 1) {
    if (raw !== undefined) named.fail("has both raw and external data");
    return { name, tensor: tensorFromBytes(dtype, shape, externalBytes(named, size, files)) };
  }
  if (message.many(13).length > 0) named.fail("has external_data but is not marked EXTERNAL");
  if (raw === undefined) return { name, tensor: typedTensor(named, dtype, shape, count) };
  const bytes = viewOf(raw);
  if (bytes.length !== size)
    named.fail(`has ${bytes.length} bytes where ${dtype} ${shapeText(shape)} takes ${size}`);
  return { name, tensor: tensorFromBytes(dtype, shape, bytes) };
};

const attrOf = (span: Span, files: Files): readonly [string, OnnxAttr] => {
  const message = read(span, schemas.attr);
  const name = message.text(1);
  const type = message.one(20);
  const code = type === undefined ? 0 : intOf(type);
  const of = (field: number): Field => message.one(field) ?? message.fail(`"${name}" has no value`);
  if (code === attrTypes.float)
    return [name, { float: floatsOf(of(2), 4)[0] ?? message.fail(`"${name}" is empty`) }];
  if (code === attrTypes.int) return [name, { int: intOf(of(3)) }];
  if (code === attrTypes.string) return [name, { string: textOf(of(4)) }];
  if (code === attrTypes.tensor) return [name, { tensor: tensorOf(spanOf(of(5)), files).tensor }];
  if (code === attrTypes.floats) return [name, { floats: message.many(7).flatMap((f) => floatsOf(f, 4)) }];
  if (code !== attrTypes.ints) return message.fail(`"${name}" has the type ${code}, which is not supported`);
  const ints = message
    .many(8)
    .flatMap((f) => varintsOf(f).map((bits) => safeInt(f, BigInt.asIntN(64, bits))));
  return [name, { ints }];
};

const nodeOf = (span: Span, files: Files): OnnxNode => {
  const message = read(span, schemas.node);
  const attrs = message.many(5).map((field) => attrOf(spanOf(field), files));
  return {
    opType: message.text(4),
    domain: message.text(7),
    name: message.text(3),
    inputs: message.many(1).map(textOf),
    outputs: message.many(2).map(textOf),
    attrs: record(message, "attribute", attrs),
  };
};

/** A dimension without a name is unlike all others: it gets one from its value and axis. */
const dimOf = (span: Span, value: string, axis: number): Dim => {
  const message = read(span, schemas.dim);
  const size = message.one(1);
  const name = message.text(2);
  if (size === undefined) return name === "" ? `${value}_dim_${axis}` : name;
  if (message.one(2) !== undefined) message.fail("has both a size and a name");
  const n = intOf(size);
  return n < 0 ? message.fail(`has the negative size ${n}`) : n;
};

const valueOf = (span: Span): OnnxValueInfo => {
  const message = read(span, schemas.value);
  const name = message.text(1);
  const inner = (from: Message, field: number, schema: Schema): Message => {
    const found = from.one(field) ?? message.fail(`"${name}" is no tensor of known rank`);
    return read(spanOf(found), schema);
  };
  const type = inner(inner(message, 2, schemas.type), 1, schemas.tensorType);
  const dims = inner(type, 2, schemas.shape).many(1);
  const shape = dims.map((field, axis) => dimOf(spanOf(field), name, axis));
  return { name, dtype: dtypeOf(type, type.one(1)), shape };
};

/**
 * The model in `bytes`; tensors are views of `bytes` or of the external file where the alignment allows. Doc strings,
 * value_info, producer and versions are left out. Throws FormatError with the byte offset for anything malformed or
 * not supported (subgraphs, functions, sparse tensors, strings, integers beyond 2^53 in attributes).
 */
export const decodeOnnx = (bytes: Uint8Array, options: DecodeOptions = {}): OnnxModel => {
  const { file, external } = options;
  const files = filesOf(external);
  const model = read({ bytes, start: 0, end: bytes.length, file }, schemas.model);
  const graph = read(spanOf(model.one(7) ?? model.fail("has no graph")), schemas.graph);
  const initializers = graph.many(5).map((field) => tensorOf(spanOf(field), files));
  record(
    graph,
    "initializer",
    initializers.map(({ name, tensor }) => [name, tensor] as const),
  );
  const opsets = model.many(8).map((field): [string, number] => {
    const opset = read(spanOf(field), schemas.opset);
    return [opset.text(1), intOf(opset.one(2) ?? opset.fail("has no version"))];
  });
  return {
    graph: {
      name: graph.text(2),
      nodes: graph.many(1).map((field) => nodeOf(spanOf(field), files)),
      inputs: graph.many(11).map((field) => valueOf(spanOf(field))),
      outputs: graph.many(12).map((field) => valueOf(spanOf(field))),
      initializers,
    },
    opsets: record(model, "opset", opsets),
    metadata: record(model, "metadata key", pairs(model.many(14))),
  };
};
