/** All ops, a file a family. */
export {
  attend,
  type CachedOptions,
  type CacheInputs,
  cachedAttend,
  causalMask,
  emptyCache,
  type Projections,
} from "./attention.ts";
export { columnsOf } from "./columns.ts";
export { detach } from "./detach.ts";
export { append, countUp, dynamicSlice, keepLast, lengthOf } from "./dynamic.ts";
export {
  abs,
  add,
  broadcastLike,
  cast,
  cos,
  div,
  equal,
  erf,
  exp,
  gelu,
  geluTanh,
  greater,
  hardSigmoid,
  less,
  lift,
  log,
  maximum,
  minimum,
  mul,
  neg,
  type Operand,
  relu,
  round,
  sigmoid,
  sign,
  sin,
  sqrt,
  sub,
  tanh,
  where,
} from "./elementwise.ts";
export { put, take } from "./indexing.ts";
export { type Int4Blocks, type Int4Options, int4Dense, int4Matmul, int4Rows } from "./int4.ts";
export {
  type Digits,
  digitRounded,
  type Int8Form,
  type Int8Matrix,
  int8Dense,
  int8Matmul,
  int8Rows,
} from "./int8.ts";
export { addOuter, affine, dot, type MatmulOptions, matmul } from "./linalg.ts";
export { kept, uniform } from "./random.ts";
export { cumsum, layerNorm, logSoftmax, mean, reduceMax, softmax, sumOfSquares } from "./reduce.ts";
export { addRmsNorm, rmsNorm } from "./rmsNorm.ts";
export { type RotaryTables, rotary } from "./rotary.ts";
export { gather, scatterAdd, scatterOnto } from "./rows.ts";
export { silu } from "./silu.ts";
export {
  concat,
  expandTo,
  pad,
  partsOf,
  reshape,
  slice,
  split,
  sum,
  sumTo,
  transpose,
} from "./structure.ts";
