/**
 * Inputs of a product, turned in blocks by a Hadamard matrix, as QuaRot does (Ashkboos et al. 2024,
 * https://arxiv.org/abs/2404.00456), but for each product alone: every number of a block becomes a sum of all
 * with either sign, so that none is much larger than the others and one step suits them all. The weights are
 * turned alike (`turnInPlace`), and the product is what it was.
 */
import { apply, type Op, type Value } from "../ir/op.ts";
import { shapeText, type Tensor, tensor, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";

/** Inputs that are turned together: more gain little, and take longer. */
export const ROTATION_BLOCK = 64;

/** Which inputs are turned. */
export interface Rotation {
  /** Inputs that are turned together: a power of 2 that divides K. */
  readonly block: number;
  /** Inputs that count as 0. */
  readonly strong: readonly number[];
}

/**
 * Turns rows of numbers [..., K], one behind the other, block by block and in place: what turns them back,
 * too, since the matrix is symmetric and orthogonal.
 */
export const turnInPlace = (data: Float32Array, block: number): void => {
  const norm = 1 / Math.sqrt(block);
  for (let from = 0; from < data.length; from += block) {
    for (let half = 1; half < block; half *= 2) {
      for (let i = from; i < from + block; i++) {
        if (((i - from) & half) !== 0) continue;
        const [a, b] = [data[i]!, data[i + half]!];
        data[i] = a + b;
        data[i + half] = a - b;
      }
    }
    for (let i = from; i < from + block; i++) data[i]! *= norm;
  }
};

const matrices = new Map<number, Tensor>();

/** The Hadamard matrix of a power of 2, with rows of length 1, [block, block]; one tensor for each size. */
const hadamard = (block: number): Tensor => {
  const known = matrices.get(block);
  if (known !== undefined) return known;
  const data = new Float32Array(block * block);
  for (let i = 0; i < block; i++) data[i * block + i] = 1;
  turnInPlace(data, block);
  const made = tensor("float32", [block, block], data);
  matrices.set(block, made);
  return made;
};

type Attributes = { block: number; strong: readonly number[]; back: boolean };

const rotationOp: Op<[x: Value], Attributes, [Value]> = {
  name: "rotation",
  infer: ([{ shape }], { block }) => {
    const k = shape.at(-1);
    if (typeof k === "number" && k % block === 0) return [{ dtype: "float32", shape }];
    throw new ShapeError(`rotation: ${shapeText(shape)} is no row of blocks of ${block}`);
  },
  vjp: ([g], { attrs }) => [apply(rotationOp, [g], { ...attrs, back: !attrs.back })[0]],
  onnx: (emit, [x], { attrs: { block, strong, back }, inputs }) => {
    const k = inputs[0].shape.at(-1) as number;
    const one = (op: string, ...operands: string[]) => emit.node(op, operands)[0]!;
    const mask = Array.from({ length: k }, (_, i) => (strong.includes(i) ? 0 : 1));
    const weak = (v: string) =>
      strong.length === 0 ? v : one("Mul", v, emit.constant(tensorOf("float32", [k], mask)));
    // 0 keeps a size, also one that is 0.
    const lead = inputs[0].shape.slice(1).map(() => 0);
    const shaped = (v: string, last: readonly number[]) => {
      const dims = [...lead, ...last];
      return one("Reshape", v, emit.constant(tensorOf("int64", [dims.length], dims)));
    };
    const blocks = shaped(back ? x : weak(x), [k / block, block]);
    const turned = shaped(one("MatMul", blocks, emit.constant(hadamard(block))), [k]);
    return [back ? weak(turned) : turned];
  },
};

/** x [..., K] turned, strong inputs counted as 0, as one node of a program that equal products share. */
export const rotated = (x: Value, { block, strong }: Rotation): Value =>
  apply(rotationOp, [x], { block, strong, back: false })[0];

/** The opposite: what was turned as it was, strong inputs 0. */
export const rotatedBack = (x: Value, { block, strong }: Rotation): Value =>
  apply(rotationOp, [x], { block, strong, back: true })[0];
