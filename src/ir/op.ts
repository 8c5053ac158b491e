/**
 * Values, nodes and ops. The DAG is the trace: a `Value` is immutable and points at the `Node` that makes it;
 * a program is what its outputs reach. Shapes are inferred when an op is applied, so a wrong shape throws at
 * the caller's line.
 */
import type { Dim, DType, Tensor, TensorType } from "./tensor.ts";

/** One output of a node: what programs are made of. Immutable. */
export interface Value extends TensorType {
  readonly node: Node;
  readonly index: number;
}

/** Several Values, as an op takes and gives them. */
export type Values = readonly Value[];
/** Attributes are plain data: what `print`, the cse key and the ONNX emitter can read. */
export type Attr =
  | number
  | string
  | boolean
  | Tensor
  | readonly number[]
  | readonly string[]
  | readonly Dim[];
/** An op's attributes by name; undefined is as good as absent. */
export type Attrs = { readonly [key: string]: Attr | undefined };

/** One application of an op: its attributes, inputs and outputs. */
// biome-ignore lint/suspicious/noExplicitAny: a node does not know its op's types; the op does.
export interface Node<A = any, In extends Values = Values, Out extends Values = Values> {
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly op: Op<any, any, any>;
  readonly attrs: A;
  readonly inputs: In;
  readonly outputs: Out;
}

/** The type of each output. */
export type Types<Out extends Values> = { readonly [K in keyof Out]: TensorType };
/** The ONNX name of each input. */
export type Names<In extends Values> = { readonly [K in keyof In]: string };
/** null: nothing flows to that input. */
export type Cotangents<In extends Values> = { readonly [K in keyof In]: Value | null };

/** What flows into an op's vjp: for ops of several outputs, null where nothing reached that output. */
export type Incoming<Out extends Values> = Out extends readonly [Value] ? Out : Cotangents<Out>;

/** What an op's ONNX form may do: add nodes and constants to the graph under construction. */
export interface Emit {
  /** Adds a node with `outputs` fresh output names (or the given ones) and returns them. */
  node(
    opType: string,
    inputs: readonly string[],
    attrs?: OnnxAttrs,
    options?: EmitOptions,
  ): readonly string[];
  /** Adds a constant (deduplicated) and returns its name, which is `name` where given. */
  constant(value: Tensor, name?: string): string;
}
/** What else is told of an ONNX node. */
export interface EmitOptions {
  /** How many outputs (1 unless told). */
  readonly outputs?: number;
  /** Operator domain; "" is ai.onnx. */
  readonly domain?: string;
}
/** An attribute of an ONNX node, by its type. */
export type OnnxAttr =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly string: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly tensor: Tensor };
/** Attributes of an ONNX node by name. */
export type OnnxAttrs = { readonly [name: string]: OnnxAttr };

/** Everything the system knows about one operation, in one place. */
// biome-ignore lint/suspicious/noExplicitAny: the defaults of the core types' parameters.
export interface Op<In extends Values = any, A extends Attrs = any, Out extends Values = any> {
  readonly name: string;
  /** Output types for inputs and attributes; throws ShapeError naming the dimension. */
  infer(inputs: In, attrs: A): Types<Out>;
  /** Whether the first input is multiplied by a matrix that the others hold. */
  readonly isProduct?: boolean;
  /** Cotangents of the inputs from those of the outputs. Absent: grad() refuses to pass. */
  vjp?(g: Incoming<Out>, node: Node<A, In, Out>): Cotangents<In>;
  /**
   * An equal but cheaper value where these inputs allow one: constants folded, identities dropped, transposes
   * taken in.
   */
  simplify?(inputs: In, attrs: A): Value | undefined;
  /**
   * The ONNX op of the same name and attributes, or a function that emits nodes and returns the output names.
   */
  readonly onnx: string | ((emit: Emit, inputs: Names<In>, node: Node<A, In, Out>) => readonly string[]);
}

/** Applies `op`: infers the output types and makes the node. */
export function apply<In extends Values, A extends Attrs, Out extends Values>(
  op: Op<In, A, Out>,
  inputs: NoInfer<In>,
  attrs: NoInfer<A>,
): Out {
  const types: readonly TensorType[] = op.infer(inputs, attrs);
  const outputs: Value[] = [];
  const node: Node = { op, attrs, inputs, outputs };
  types.forEach((type, index) => {
    outputs.push({ dtype: type.dtype, shape: type.shape, node, index });
  });
  return outputs as Values as Out;
}

const inputOp: Op<[], { name: string; dtype: DType; shape: readonly Dim[] }, [Value]> = {
  name: "input",
  infer: (_, { dtype, shape }) => [{ dtype, shape }],
  onnx: () => {
    throw new Error("an input is named by the program, not emitted");
  },
};

const constantOp: Op<[], { value: Tensor; name?: string }, [Value]> = {
  name: "constant",
  infer: (_, { value }) => [{ dtype: value.dtype, shape: value.shape }],
  onnx: (emit, _, node) => [emit.constant(node.attrs.value, node.attrs.name)],
};

/** A named input of a program. */
export const input = (name: string, type: TensorType): Value =>
  apply(inputOp, [], { name, dtype: type.dtype, shape: type.shape })[0];

/** A constant; a named one becomes an initializer of that name. */
export const constant = (value: Tensor, name?: string): Value =>
  apply(constantOp, [], name === undefined ? { value } : { value, name })[0];

/** Whether a node is a named input of its program. */
export const isInput = (node: Node): node is Node<{ name: string; dtype: DType; shape: readonly Dim[] }> =>
  node.op === inputOp;
/** Whether a node is a constant. */
export const isConstant = (node: Node): node is Node<{ value: Tensor; name?: string }> =>
  node.op === constantOp;
