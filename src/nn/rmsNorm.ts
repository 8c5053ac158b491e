/** Normalisation by the root of the mean square as a layer. */
import type { Value } from "../ir/op.ts";
import { rmsNorm as normalise } from "../ops/rmsNorm.ts";
import { dense, onesInit, type Param, type ParamSpec, param } from "./param.ts";

/** Scale of a normalisation by the root of the mean square, [C]. */
export type RmsNorm<T> = { weight: T };

/** The parameter of such a normalisation over `width` channels: ones. */
export const rmsNormSpec = (width: number): RmsNorm<ParamSpec> => ({ weight: param([width], onesInit) });

/** [..., C] -> [..., C] */
export const rmsNorm = ({ weight }: RmsNorm<Param>, x: Value, epsilon: number): Value =>
  normalise(x, dense(weight), epsilon);
