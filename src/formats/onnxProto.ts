/**
 * The messages of onnx.proto that anneal writes and reads (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). Fields
 * that would change what a model computes and that have no counterpart here are refused; others are passed over.
 */
import type { DType } from "../ir/tensor.ts";
import { many, message, one } from "./protobuf.ts";

const stringEntry = message({ key: one(1, "string"), value: one(2, "string") });

export const tensorProto = message({
  dims: many(1, "int"),
  dataType: one(2, "int"),
  segment: one(3, "refused"),
  floatData: many(4, "refused"),
  int32Data: many(5, "refused"),
  stringData: many(6, "refused"),
  int64Data: many(7, "refused"),
  name: one(8, "string"),
  rawData: one(9, "bytes"),
  doubleData: many(10, "refused"),
  uint64Data: many(11, "refused"),
  externalData: many(13, stringEntry),
  dataLocation: one(14, "int"),
});

export const attributeProto = message({
  name: one(1, "string"),
  f: one(2, "float"),
  i: one(3, "int"),
  s: one(4, "string"),
  t: one(5, tensorProto),
  g: one(6, "refused"),
  floats: many(7, "float"),
  ints: many(8, "int"),
  strings: many(9, "refused"),
  tensors: many(10, "refused"),
  graphs: many(11, "refused"),
  tp: one(14, "refused"),
  typeProtos: many(15, "refused"),
  type: one(20, "int"),
  refAttrName: one(21, "refused"),
  sparseTensor: one(22, "refused"),
  sparseTensors: many(23, "refused"),
});

/** The values of AttributeProto.type. */
export const attributeTypes = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const;

export const nodeProto = message({
  input: many(1, "string"),
  output: many(2, "string"),
  name: one(3, "string"),
  opType: one(4, "string"),
  attribute: many(5, attributeProto),
  domain: one(7, "string"),
  overload: one(8, "refused"),
});

const dimensionProto = message({ dimValue: one(1, "int"), dimParam: one(2, "string") });
const shapeProto = message({ dim: many(1, dimensionProto) });
const tensorTypeProto = message({ elemType: one(1, "int"), shape: one(2, shapeProto) });
const typeProto = message({
  tensorType: one(1, tensorTypeProto),
  sequenceType: one(4, "refused"),
  mapType: one(5, "refused"),
  sparseTensorType: one(8, "refused"),
  optionalType: one(9, "refused"),
});

export const valueInfoProto = message({ name: one(1, "string"), type: one(2, typeProto) });

export const graphProto = message({
  node: many(1, nodeProto),
  name: one(2, "string"),
  initializer: many(5, tensorProto),
  input: many(11, valueInfoProto),
  output: many(12, valueInfoProto),
  quantizationAnnotation: many(14, "refused"),
  sparseInitializer: many(15, "refused"),
});

export const modelProto = message({
  irVersion: one(1, "int"),
  producerName: one(2, "string"),
  graph: one(7, graphProto),
  opsetImport: many(8, message({ domain: one(1, "string"), version: one(2, "int") })),
  metadataProps: many(14, stringEntry),
  trainingInfo: many(20, "refused"),
  functions: many(25, "refused"),
});

/** TensorProto.DataType of each dtype. */
export const dataTypes: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
};

/** TensorProto.DataLocation.EXTERNAL */
export const EXTERNAL = 1;

/** The largest message that protobuf can hold, bytes. */
export const MAX_MODEL = 2 ** 31 - 1;
