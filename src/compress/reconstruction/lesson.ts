/** A matrix whose rounding is learnt, as programs have it: in blocks of inputs, filled up with zeros. */
import type { Value } from "../../ir/op.ts";
import { type Tensor, type TensorType, tensor } from "../../ir/tensor.ts";
import { reshape, slice, transpose } from "../../ops/structure.ts";
import type { Codes, Rows } from "../rounding/codes.ts";
import { type Blocked, type Learnt, signRounded } from "./signRound.ts";

/** A matrix, and how it is rounded at first. */
export interface Lesson {
  readonly path: string;
  readonly rows: Rows;
  readonly codes: Codes;
  /** Whether the model has it as [K, N]. */
  readonly turned: boolean;
}

const blocksIn = ({ codes: { k, block } }: Lesson): number => Math.ceil(k / block);

/** Numbers [N, K] in whole blocks. */
const inBlocks = ({ codes: { n, k, block } }: Lesson, values: ArrayLike<number>): Float32Array => {
  const width = Math.ceil(k / block) * block;
  const blocked = new Float32Array(n * width);
  for (let j = 0; j < n; j++) for (let i = 0; i < k; i++) blocked[j * width + i] = values[j * k + i]!;
  return blocked;
};

/** What stands still of a matrix. Its grids span what those that it is rounded by at first do. */
export const blockedTensors = (lesson: Lesson): Record<keyof Blocked, Tensor> => {
  const { n, block, bits, scale, zero } = lesson.codes;
  const blocks = blocksIn(lesson);
  const ends = (code: number): Tensor =>
    tensor(
      "float32",
      [n, blocks, 1],
      scale.map((s, at) => (code - zero[at]!) * s),
    );
  const w = tensor("float32", [n, blocks, block], inBlocks(lesson, lesson.rows.values));
  return { w, low: ends(0), high: ends(2 ** bits - 1) };
};

/** What is learnt of it, at first. */
export const learntTensors = (lesson: Lesson): Record<keyof Learnt, Tensor> => {
  const { n, block } = lesson.codes;
  const blocks = blocksIn(lesson);
  const ones = () => tensor("float32", [n, blocks, 1], new Float32Array(n * blocks).fill(1));
  const offset = tensor("float32", [n, blocks, block], new Float32Array(n * blocks * block));
  return { offset, lowFactor: ones(), highFactor: ones() };
};

/** The types of tensors by name. */
export const typesOf = <K extends string>(tensors: Readonly<Record<K, Tensor>>): Record<K, TensorType> =>
  Object.fromEntries(
    Object.entries<Tensor>(tensors).map(([name, { dtype, shape }]) => [name, { dtype, shape }]),
  ) as Record<K, TensorType>;

/** The rounded matrix as the model's program has it. */
export const roundedValue = (lesson: Lesson, fixed: Blocked, learnt: Learnt): Value => {
  const { n, k, block, bits } = lesson.codes;
  const { values } = signRounded(fixed, learnt, bits);
  const rows = slice(reshape(values, [n, blocksIn(lesson) * block]), 1, 0, k);
  return lesson.turned ? transpose(rows, [1, 0]) : rows;
};

/** Codes of what was learnt: `q` [N, blocks, block], `scale` and `zero` [N, blocks, 1], all in float32. */
export const codesFrom = (
  { codes }: Lesson,
  { q, scale, zero }: Readonly<Record<"q" | "scale" | "zero", Tensor>>,
): Codes => {
  const { n, k, block } = codes;
  const width = Math.ceil(k / block) * block;
  const all = q.data as Float32Array;
  const own = Uint8Array.from({ length: n * k }, (_, at) => all[Math.floor(at / k) * width + (at % k)]!);
  return {
    ...codes,
    q: own,
    scale: Float32Array.from(scale.data as Float32Array),
    zero: Uint8Array.from(zero.data as Float32Array),
  };
};
