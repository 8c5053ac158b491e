/** Tensors: typed arrays with a shape. What flows into and out of programs, files and engines. */
import { ShapeError } from "../util/errors.ts";

/** "B", "T": named dimensions, bound when run. */
export type Dim = number | string;

/** Types of elements, by the names that ONNX and safetensors share; bfloat16 is stored as its bits. */
export type DType =
  | "float32"
  | "float16"
  | "float64"
  | "bfloat16"
  | "int8"
  | "uint8"
  | "int16"
  | "uint16"
  | "int32"
  | "uint32"
  | "int64"
  | "uint64"
  | "bool";

/** What is known of a tensor before its numbers: type of element and shape, row-major. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/** The arrays that hold a tensor's elements. */
export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/** Row-major data. float16 and bfloat16 are stored as their bits in a Uint16Array, bool as bytes. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** ONNX's number of each dtype (TensorProto.DataType). */
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

/** Bytes of one element. */
export const bytesPerElement = (dtype: DType): number => arrays[dtype].BYTES_PER_ELEMENT;

/** Number of elements of a concrete shape. */
export const sizeOf = (shape: readonly Dim[]): number =>
  shape.reduce<number>((n, d) => {
    if (typeof d === "string") throw new ShapeError(`dimension "${d}" has no size yet`);
    return n * d;
  }, 1);

/** Bytes of a tensor of this type. Its shape must be fixed. */
export const byteLength = (type: TensorType): number => sizeOf(type.shape) * bytesPerElement(type.dtype);

/** A tensor over existing data; the length must match the shape. */
export const tensor = (dtype: DType, shape: readonly number[], data: TypedArray): Tensor => {
  if (data.length !== sizeOf(shape)) {
    throw new ShapeError(`${data.length} elements do not fill the shape [${shape.join(", ")}]`);
  }
  return { dtype, shape, data };
};

/**
 * A tensor over `bytes`, without a copy where the alignment allows. Throws ShapeError where they do not
 * fill the shape.
 */
export const tensorFromBytes = (dtype: DType, shape: readonly number[], bytes: Uint8Array): Tensor => {
  const Type = arrays[dtype];
  if (bytes.byteLength !== byteLength({ dtype, shape })) {
    throw new ShapeError(`${bytes.byteLength} bytes do not fill [${shape.join(", ")}] of ${dtype}`);
  }
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0;
  // Not bytes.slice(): that of a Node Buffer is a view, which is no better aligned.
  const source = aligned ? bytes : new Uint8Array(bytes);
  const length = source.byteLength / Type.BYTES_PER_ELEMENT;
  return tensor(dtype, shape, new Type(source.buffer as ArrayBuffer, source.byteOffset, length));
};

/** The bytes of a tensor, little-endian, without a copy. */
export const bytesOf = (t: Tensor): Uint8Array =>
  new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength);

/** A tensor of zeros. */
export const zeros = (type: TensorType): Tensor => {
  const shape = type.shape.map((d) => (typeof d === "string" ? sizeOf([d]) : d));
  return { dtype: type.dtype, shape, data: new arrays[type.dtype](sizeOf(shape)) };
};

/** A tensor from plain numbers. */
export const tensorOf = (dtype: DType, shape: readonly number[], values: readonly number[]): Tensor => {
  const t = zeros({ dtype, shape });
  if (t.data instanceof BigInt64Array || t.data instanceof BigUint64Array) t.data.set(values.map(BigInt));
  else t.data.set(values);
  return tensor(dtype, shape, t.data);
};

/** A float32 tensor of shape [] . */
export const scalar = (value: number): Tensor => tensor("float32", [], Float32Array.of(value));

/** The shape as text: [2, T, 64]. */
export const shapeText = (shape: readonly Dim[]): string => `[${shape.join(", ")}]`;
