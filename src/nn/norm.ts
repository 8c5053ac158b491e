/** Layer normalisation as a layer. */
import type { Value } from "../ir/op.ts";
import { layerNorm } from "../ops/reduce.ts";
import { dense, onesInit, type Param, type ParamSpec, param, zerosInit } from "./param.ts";

/** Scale and shift of a layer normalisation, [C] each. */
export type Norm<T> = { weight: T; bias: T };

/** The parameters of a layer normalisation over `width` channels: ones and zeros. */
export const normSpec = (width: number): Norm<ParamSpec> => ({
  weight: param([width], onesInit),
  bias: param([width], zerosInit),
});

/** [..., C] -> [..., C] */
export const norm = ({ weight, bias }: Norm<Param>, x: Value, epsilon: number): Value =>
  layerNorm(x, dense(weight), dense(bias), epsilon);
