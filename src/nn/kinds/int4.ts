/** 4 bits in blocks of inputs, each with a scale and what stands for 0; see ops/int4. It is not trained. */
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { add } from "../../ops/elementwise.ts";
import { type Int4Blocks, int4Dense, int4Matmul, int4Rows } from "../../ops/int4.ts";
import { matmul } from "../../ops/linalg.ts";
import type { Packed, PackedParam, WeightKind } from "../param.ts";
import { filled, sizesOf } from "./matrix.ts";

const blocksOf = ({ parts }: PackedParam): Int4Blocks => parts as Record<keyof Int4Blocks, Value>;

/** Inputs of a block: two stand in a byte of its q. */
const blockOf = ({ shape }: { readonly shape: readonly unknown[] }): number => 2 * (shape[2] as number);

/** Whether products are those of a float32 matrix that is made when the graph is loaded. */
const isWide = ({ attrs = {} }: Packed<unknown>): boolean => attrs.wide === 1;

/** 4-bit weights: q uint8 [N, blocks, block / 2], scale [N * blocks], zero uint8 [N * ceil(blocks / 2)]. */
export const int4: WeightKind = {
  name: "int4",
  trained: [],
  outputAxes: { q: 0, scale: 0, zero: 0 },
  multiply: (x, weight, bias) => {
    const blocks = blocksOf(weight);
    if (isWide(weight)) {
      const wide = int4Dense(blocks, sizesOf(weight).k, { folded: true });
      const y = matmul(x, wide, { transB: true });
      return bias === undefined ? y : add(y, bias);
    }
    return int4Matmul(x, blocks, { block: blockOf(blocks.q), ...(bias === undefined ? {} : { bias }) });
  },
  widened: (attrs) => ({ ...attrs, wide: 1 }),
  rows: (weight, ids) => int4Rows(blocksOf(weight), ids, sizesOf(weight).k),
  dense: (weight) => {
    const { q, scale, zero } = weight.parts as Record<keyof Int4Blocks, Tensor>;
    const [block, blocks] = [blockOf(q), q.shape[1]!];
    const nibble = ({ data }: Tensor, byte: number, i: number): number =>
      (Number(data[byte + (i >> 1)]) >> (4 * (i % 2))) & 15;
    return filled(weight, (i, j) => {
      const b = Math.floor(i / block);
      const at = j * blocks + b;
      const centred = nibble(q, (at * block) / 2, i % block) - nibble(zero, j * Math.ceil(blocks / 2), b);
      return centred * (scale.data[at] as number);
    });
  },
};
