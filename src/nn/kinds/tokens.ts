/** A table of which some rows are trained, as of new tokens, while the others stand still. */
import { constant, type Value } from "../../ir/op.ts";
import { type Tensor, tensorOf } from "../../ir/tensor.ts";
import { add, mul, sub } from "../../ops/elementwise.ts";
import { matmul } from "../../ops/linalg.ts";
import { gather } from "../../ops/rows.ts";
import { reshape } from "../../ops/structure.ts";
import { embed, times } from "../linear.ts";
import { dense, type Packed, type PackedParam, unpacked, type WeightKind } from "../param.ts";
import { filled, sizesOf } from "./matrix.ts";

/** The rows that a weight trains, by their numbers in the table. */
export const tokensOf = ({ attrs }: Pick<Packed<unknown>, "attrs">): readonly number[] =>
  attrs!.tokens as readonly number[];

/** 1 for trained rows and 0 for others, and each row's number among the trained: [N] each. */
const placesOf = (weight: PackedParam): { isTrained: Value; place: Value } => {
  const { n } = sizesOf(weight);
  const [isTrained, place] = [new Array<number>(n).fill(0), new Array<number>(n).fill(0)];
  for (const [at, token] of tokensOf(weight).entries()) [isTrained[token], place[token]] = [1, at];
  return {
    isTrained: constant(tensorOf("float32", [n], isTrained)),
    place: constant(tensorOf("int32", [n], place)),
  };
};

/** 1 where a trained row is the output's, else 0 -> [rows, N]. */
const spread = (weight: PackedParam): Value => {
  const { n } = sizesOf(weight);
  const tokens = tokensOf(weight);
  const ones = new Array<number>(tokens.length * n).fill(0);
  for (const [at, token] of tokens.entries()) ones[at * n + token] = 1;
  return constant(tensorOf("float32", [tokens.length, n], ones));
};

/** Parts base and rows [rows, K]; attrs `tokens`: the rows' numbers. */
export const tokens: WeightKind = {
  name: "tokens",
  trained: ["rows"],
  multiply: (x, weight, bias) => {
    const { base, rows } = weight.parts;
    const others = mul(times(base!, x, weight.layout), sub(1, placesOf(weight).isTrained));
    const own = matmul(matmul(x, dense(rows!), { transB: true }), spread(weight));
    const y = add(others, own);
    return bias === undefined ? y : add(y, bias);
  },
  rows: (weight, ids) => {
    const { base, rows } = weight.parts;
    const { isTrained, place } = placesOf(weight);
    const share = reshape(gather(isTrained, ids), [...ids.shape, 1]);
    const own = gather(dense(rows!), gather(place, ids));
    return add(mul(embed(base!, ids), sub(1, share)), mul(own, share));
  },
  dense: (weight) => {
    const { base, rows } = weight.parts as { base: Tensor; rows: Tensor };
    const { k, n } = sizesOf(weight);
    const { data } = unpacked(base);
    const [stepK, stepN] = weight.layout === "kn" ? [n, 1] : [1, k];
    const place = new Map(tokensOf(weight).map((token, at) => [token, at]));
    return filled(weight, (i, j) => {
      const at = place.get(j);
      return (at === undefined ? data[i * stepK + j * stepN] : rows.data[at * k + i]) as number;
    });
  },
};
