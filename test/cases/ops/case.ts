/** A row of the tables of ops: inputs, how to apply the op, what plain JavaScript says, and what is known of its gradient. */
import type { Value } from "../../../src/ir/op.ts";
import type { Dim, DType } from "../../../src/ir/tensor.ts";
import type * as ops from "../../../src/ops/index.ts";
import type { Flat } from "../../reference.ts";

export interface Arg {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
  /** Uniform in [low, high) where no values are given. */
  readonly range: readonly [low: number, high: number];
  readonly values?: readonly number[];
}

export interface Case {
  readonly name: string;
  readonly inputs: readonly Arg[];
  readonly build: (...inputs: Value[]) => Value | readonly Value[];
  /** The outputs by plain JavaScript. */
  readonly reference?: (...inputs: Flat[]) => number[][];
  /** Sizes of named dimensions. */
  readonly dims?: Readonly<Record<string, number>>;
  /** Float inputs take distinct values far apart and off zero: for ops with kinks. */
  readonly spread?: boolean;
  /**
   * "checked" against finite differences unless told; "zero": nothing flows back; "refused": grad() throws.
   * "skipped", which rows of named dimensions are in any case, since only programs of fixed shape are
   * trained.
   */
  readonly gradient?: "checked" | "zero" | "refused" | "skipped";
  /** Largest error of the values relative to the largest value (1e-5). */
  readonly tolerance?: number;
  /** Largest absolute error of output 0, where the op rounds its input. */
  readonly bound?: (...inputs: Flat[]) => number;
}

export const f32 = (shape: readonly Dim[], low = -1, high = 1): Arg => ({
  dtype: "float32",
  shape,
  range: [low, high],
});

export const given = (dtype: DType, shape: readonly Dim[], values: readonly number[]): Arg => ({
  dtype,
  shape,
  range: [0, 0],
  values,
});

export const int32 = (shape: readonly Dim[], ...values: number[]): Arg => given("int32", shape, values);

export const int64 = (shape: readonly Dim[], ...values: number[]): Arg => given("int64", shape, values);

/** Exports of src/ops that make no node of their own. */
type NoOp = "lift" | "causalMask" | "permutationOf" | "sumOp";

export type OpName = Exclude<keyof typeof ops, NoOp>;

/** Rows of a family: each op's name once, no name that is none. */
export const casesOf = <Name extends OpName>(cases: Record<Name, Case[]>): Record<Name, Case[]> => cases;
