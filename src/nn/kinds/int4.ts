/**
 * 4 or 2 bits in blocks of inputs, each with a scale and what stands for 0; see ops/int4. They are not
 * trained.
 */
import type { Value } from "../../ir/op.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { add } from "../../ops/elementwise.ts";
import { type FewBits, type Int4Blocks, int4Dense, int4Matmul, int4Rows } from "../../ops/int4.ts";
import { matmul } from "../../ops/linalg.ts";
import type { Packed, PackedParam, WeightKind } from "../param.ts";
import { filled, sizesOf } from "./matrix.ts";

const blocksOf = ({ parts }: PackedParam): Int4Blocks => parts as Record<keyof Int4Blocks, Value>;

/** Whether products are those of a float32 matrix that is made when the graph is loaded. */
const isWide = ({ attrs = {} }: Packed<unknown>): boolean => attrs.wide === 1;

/**
 * Weights of few bits: q uint8 [N, blocks, block * bits / 8], scale [N * blocks], zero uint8 [N * bytes of
 * a row].
 */
const ofBits = (name: string, bits: FewBits): WeightKind => {
  const each = 8 / bits;
  /** Inputs of a block: several stand in a byte of its q. */
  const blockOf = ({ shape }: { readonly shape: readonly unknown[] }): number => each * (shape[2] as number);
  // What 4 bits are is left unsaid in programs.
  const said = bits === 4 ? undefined : bits;
  return {
    name,
    trained: [],
    outputAxes: { q: 0, scale: 0, zero: 0 },
    multiply: (x, weight, bias) => {
      const blocks = blocksOf(weight);
      if (isWide(weight)) {
        const wide = int4Dense(blocks, sizesOf(weight).k, { folded: true, bits: said });
        const y = matmul(x, wide, { transB: true });
        return bias === undefined ? y : add(y, bias);
      }
      const how = { block: blockOf(blocks.q), bits: said };
      return int4Matmul(x, blocks, { ...how, ...(bias === undefined ? {} : { bias }) });
    },
    widened: (attrs) => ({ ...attrs, wide: 1 }),
    rows: (weight, ids) => int4Rows(blocksOf(weight), ids, sizesOf(weight).k, said),
    dense: (weight) => {
      const { q, scale, zero } = weight.parts as Record<keyof Int4Blocks, Tensor>;
      const [block, blocks] = [blockOf(q), q.shape[1]!];
      const zeroBytes = Math.ceil(blocks / each);
      const value = ({ data }: Tensor, byte: number, i: number): number =>
        (Number(data[byte + Math.floor(i / each)]) >> (bits * (i % each))) & (2 ** bits - 1);
      return filled(weight, (i, j) => {
        const b = Math.floor(i / block);
        const at = j * blocks + b;
        const centred = value(q, (at * block) / each, i % block) - value(zero, j * zeroBytes, b);
        return centred * (scale.data[at] as number);
      });
    },
  };
};

/** 4-bit weights: q uint8 [N, blocks, block / 2], scale [N * blocks], zero uint8 [N * ceil(blocks / 2)]. */
export const int4: WeightKind = ofBits("int4", 4);

/** 2-bit weights: q uint8 [N, blocks, block / 4], scale [N * blocks], zero uint8 [N * ceil(blocks / 4)]. */
export const int2: WeightKind = ofBits("int2", 2);
