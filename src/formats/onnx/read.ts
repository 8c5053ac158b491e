/**
 * ONNX models from bytes that are not trusted. Strict where a lenient reader would change the meaning: a
 * field that is neither understood nor known to be mere description is refused, and so is a singular field
 * that stands twice.
 */
import type { OnnxAttr } from "../../ir/op.ts";
import type { Dim } from "../../ir/tensor.ts";
import { attrTypes, type OnnxModel, type OnnxNode, type OnnxValueInfo } from "./onnx.ts";
import { type Field, floatsOf, intOf, type Span, safeInt, spanOf, textOf, varintsOf } from "./protobuf.ts";
import { type Message, pairs, read, record, type Schema, schemas } from "./schema.ts";
import { dtypeOf, type Files, filesOf, readTensor } from "./tensor.ts";

/** The file's name, and what lies beside it. */
export interface DecodeOptions {
  /** Name of the file, for errors. */
  readonly file?: string;
  /**
   * The whole bytes of a file beside the model; called once per location, which is known to stay in the
   * folder.
   */
  readonly external?: (location: string) => Uint8Array;
}

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
  if (code === attrTypes.tensor) return [name, { tensor: readTensor(spanOf(of(5)), files).tensor }];
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

const valueInfoOf = (span: Span): OnnxValueInfo => {
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
 * The model in `bytes`; tensors are views of `bytes` or of the external file where the alignment allows. Doc
 * strings, value_info, producer and versions are left out. Throws FormatError with the byte offset for
 * anything malformed or not supported (subgraphs, functions, sparse tensors, strings, integers beyond 2^53 in
 * attributes).
 */
export const decodeOnnx = (bytes: Uint8Array, options: DecodeOptions = {}): OnnxModel => {
  const { file, external } = options;
  const files = filesOf(external);
  const model = read({ bytes, start: 0, end: bytes.length, file }, schemas.model);
  const graph = read(spanOf(model.one(7) ?? model.fail("has no graph")), schemas.graph);
  const initializers = graph.many(5).map((field) => readTensor(spanOf(field), files));
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
      inputs: graph.many(11).map((field) => valueInfoOf(spanOf(field))),
      outputs: graph.many(12).map((field) => valueInfoOf(spanOf(field))),
      initializers,
    },
    opsets: record(model, "opset", opsets),
    metadata: record(model, "metadata key", pairs(model.many(14))),
  };
};
