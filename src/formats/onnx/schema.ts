/** The messages of onnx.proto field by field, and the reader of one that refuses what it does not know. */
import { type Field, failAt, fieldsOf, type Span, spanOf, textOf } from "./protobuf.ts";

/** The field numbers of a message of onnx.proto; `ignored` are those of description only. */
export interface Schema {
  readonly name: string;
  readonly one: readonly number[];
  readonly many: readonly number[];
  readonly ignored: readonly number[];
}

/** The messages of an ONNX file that are understood. */
export const schemas = {
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

/** A message as read: its fields by number. */
export interface Message {
  readonly span: Span;
  one(field: number): Field | undefined;
  many(field: number): readonly Field[];
  /** A string field, "" where absent. */
  text(field: number): string;
  fail(message: string): never;
}

/**
 * The fields of the message in `span`. Throws FormatError for one that `schema` does not have, or has once.
 */
export const read = (span: Span, schema: Schema): Message => {
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

/** `list` as an object. Throws FormatError where a key stands twice. */
export const record = <T>(
  message: Message,
  what: string,
  list: readonly (readonly [string, T])[],
): Record<string, T> => {
  const once = new Set<string>();
  const twice = list.find(([key]) => once.size === once.add(key).size);
  if (twice !== undefined) message.fail(`has the ${what} "${twice[0]}" twice`);
  return Object.fromEntries(list);
};

/** Keys and values of repeated StringStringEntryProto. */
export const pairs = (fields: readonly Field[]): [string, string][] =>
  fields.map((field) => {
    const entry = read(spanOf(field), schemas.pair);
    return [entry.text(1), entry.text(2)];
  });
