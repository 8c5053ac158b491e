/**
 * TensorProto from bytes that are not trusted: elements as raw bytes, as repeated numbers, or in a file
 * beside the model.
 */
import {
  bytesPerElement,
  type DType,
  dataTypes,
  shapeText,
  type Tensor,
  tensorFromBytes,
  zeros,
} from "../../ir/tensor.ts";
import { locationFault } from "./onnx.ts";
import { type Field, floatsOf, intOf, type Span, safeInt, varintsOf, viewOf } from "./protobuf.ts";
import { type Message, pairs, read, record, schemas } from "./schema.ts";

/** The files that the model's tensors lie in, each fetched once. */
export type Files = (location: string, message: Message) => Uint8Array;

/** Fetches by `external` what locations inside the model's folder name. */
export const filesOf = (external: ((location: string) => Uint8Array) | undefined): Files => {
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

/** The dtype that a TensorProto.DataType means. Throws FormatError for those that have none. */
export const dtypeOf = (message: Message, field: Field | undefined): DType => {
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
  const data: { [index: number]: number | bigint } = made.data;
  for (const [i, value] of values.entries()) {
    data[i] = value;
    if (!Object.is(data[i], value)) message.fail(`holds ${value}, which is no ${dtype}`);
  }
  return made;
};

/** The TensorProto in `span`: raw, typed or external data, every size checked before anything is made. */
export const readTensor = (span: Span, files: Files): { name: string; tensor: Tensor } => {
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
