/** Attention cores: one that is trained, one that decodes against a key-value cache. */
import { apply, type Op, type Value } from "../ir/op.ts";
import { broadcast, sameShape } from "../ir/shape.ts";
import { type Dim, shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { add, mul, sub } from "./elementwise.ts";
import { matmul } from "./linalg.ts";
import { sum, sumTo } from "./structure.ts";

// B batch, H heads, T queries, S keys, D head width

const attendOp: Op<readonly Value[], { scale: number }, [out: Value, probs: Value]> = {
  name: "attend",
  infer: ([q, k, v, mask]) => {
    if (q === undefined || k === undefined || v === undefined)
      throw new ShapeError("attend: needs q, k and v");
    const fits = q.shape.at(-1) === k.shape.at(-1) && k.shape.at(-2) === v.shape.at(-2);
    if (!fits) {
      throw new ShapeError(
        `attend: q ${shapeText(q.shape)}, k ${shapeText(k.shape)} and v ${shapeText(v.shape)} do not fit`,
      );
    }
    const rows = q.shape.slice(0, -1);
    const scores = [...rows, k.shape.at(-2)!];
    if (mask !== undefined && !sameShape(broadcast(mask.shape, scores, "attend"), scores)) {
      throw new ShapeError(
        `attend: mask ${shapeText(mask.shape)} does not broadcast to ${shapeText(scores)}`,
      );
    }
    return [
      { dtype: q.dtype, shape: [...rows, v.shape.at(-1)!] },
      { dtype: q.dtype, shape: scores },
    ];
  },
  /**
   * sum(dP * P) over keys equals sum(dO * O) over the head (Dao et al. 2022,
   * https://arxiv.org/abs/2205.14135).
   */
  vjp: ([g, gProbs], { inputs: [q, k, v, mask], outputs: [out, probs], attrs: { scale } }) => {
    const slopes: Value[] = [];
    const levels: Value[] = [];
    if (g !== null) {
      slopes.push(matmul(g, v!, { transB: true }));
      levels.push(sum(mul(g, out), [-1], true));
    }
    if (gProbs !== null) {
      slopes.push(gProbs);
      levels.push(sum(mul(gProbs, probs), [-1], true));
    }
    const slope = slopes.reduce((a, b) => add(a, b));
    const level = levels.reduce((a, b) => add(a, b));
    const ds = mul(probs, sub(slope, level)); // [B, H, T, S]
    return [
      matmul(ds, k!, { alpha: scale }),
      matmul(ds, q!, { transA: true, alpha: scale }),
      g === null ? null : matmul(probs, g, { transA: true }),
      ...(mask === undefined ? [] : [sumTo(ds, mask.shape)]),
    ];
  },
  onnx: (emit, [q, k, v, mask], { attrs: { scale } }) => {
    const product = { transA: { int: 0 }, transB: { int: 1 }, alpha: { float: scale } };
    const [scores] = emit.node("FusedMatMul", [q!, k!], product, { domain: "com.microsoft" });
    const [masked] = mask === undefined ? [scores!] : emit.node("Add", [scores!, mask]);
    const [probs] = emit.node("Softmax", [masked!], { axis: { int: -1 } });
    const [out] = emit.node("MatMul", [probs!, v!]);
    return [out!, probs!];
  },
};

/**
 * softmax(scale * q k^T + mask) v: q [B, H, T, D], k and v [B, H, S, D], mask broadcasts to [B, H, T, S] ->
 * [B, H, T, D] (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762). The probabilities [B, H, T, S] are
 * the second result.
 */
export const attend = (
  q: Value,
  k: Value,
  v: Value,
  mask?: Value,
  scale?: number,
): [out: Value, probs: Value] => {
  const factor = scale ?? 1 / Math.sqrt(q.shape.at(-1) as number);
  return apply(attendOp, mask === undefined ? [q, k, v] : [q, k, v, mask], { scale: factor });
};

/** A key-value cache, and how much of it counts. */
export interface CacheInputs {
  /** `[B, Hkv, S, D]`: earlier keys; the shared buffer itself when decoding in place. */
  readonly pastKey: Value;
  readonly pastValue: Value;
  /** [B] int32: keys in total after this call, minus one. */
  readonly seqlensK: Value;
  /** [] or [1] int32: the longest of the batch, this call included. */
  readonly totalLength: Value;
  /** Additive [B or 1, H or 1, T, total], for padding on the left. */
  readonly bias?: Value;
  /** Of a cache of int8: what a step of each channel of keys is, float32 [Hkv D]. */
  readonly keyScale?: Value;
  /** The same of values. */
  readonly valueScale?: Value;
}

type GroupQuery = {
  heads: number;
  kvHeads: number;
  scale: number;
  total: Dim;
  packed: boolean;
  /** The last two inputs are the scales of a cache of int8. */
  scaled?: true;
};

/** Shapes [B, T, width] of query, key and value, or of all in one. */
const checkHeads = (inputs: readonly Value[], { heads, kvHeads, packed }: GroupQuery, d: Dim): void => {
  const widths = packed ? [heads + 2 * kvHeads] : [heads, kvHeads, kvHeads];
  const fits = widths.every((w, i) => typeof d === "number" && inputs[i]?.shape[2] === w * d);
  if (!fits) {
    const shapes = inputs.slice(0, widths.length).map((v) => shapeText(v.shape));
    throw new ShapeError(
      `cachedAttend: ${shapes.join(", ")} does not hold ${heads} + 2 x ${kvHeads} heads of ${d}`,
    );
  }
  if ((d as number) % 8 !== 0) {
    throw new ShapeError(`cachedAttend: heads of ${d} are not a multiple of 8 wide, as the kernel needs`, {
      hint: "choose a head width that is a multiple of 8",
    });
  }
};

const cachedOp: Op<readonly Value[], GroupQuery, [out: Value, key: Value, value: Value]> = {
  name: "cachedAttend",
  infer: (inputs, attrs) => {
    const [pastKey] = inputs.slice(attrs.packed ? 1 : 3);
    const [b, t] = inputs[0]!.shape;
    const { dtype } = inputs[0]!;
    const d = pastKey!.shape[3]!;
    checkHeads(inputs, attrs, d);
    const cache = { dtype: pastKey!.dtype, shape: [b!, attrs.kvHeads, attrs.total, d] };
    return [{ dtype, shape: [b!, t!, attrs.heads * (d as number)] }, cache, cache];
  },
  onnx: (emit, all, { attrs: { heads, kvHeads, scale, packed, scaled } }) => {
    const [names, scales] = scaled ? [all.slice(0, -2), all.slice(-2)] : [all, []];
    const query = packed ? [names[0]!, "", ""] : names.slice(0, 3);
    const [pastKey, pastValue, seqlensK, totalLength, bias] = names.slice(packed ? 1 : 3);
    const inputs = [...query, pastKey!, pastValue!, seqlensK!, totalLength!];
    if (bias !== undefined || scaled) inputs.push("", "", "", bias ?? "");
    if (scaled) inputs.push("", ...scales);
    const sizes = { num_heads: { int: heads }, kv_num_heads: { int: kvHeads }, scale: { float: scale } };
    const by = { string: "PER_CHANNEL" };
    const int8 = { k_quant_type: by, v_quant_type: by, kv_cache_bit_width: { int: 8 } };
    const attrs = scaled ? { ...sizes, ...int8 } : sizes;
    return emit.node("GroupQueryAttention", inputs, attrs, { domain: "com.microsoft", outputs: 3 });
  },
};

/** Heads, lengths and scale of attention against a cache. */
export interface CachedOptions {
  readonly heads: number;
  readonly kvHeads: number;
  /** The cache's length after this call: a name, or the shared buffer's own length. */
  readonly total: Dim;
  readonly scale?: number;
}

/** Query [B, T, H D], key and value [B, T, Hkv D]. */
export type Projections = readonly [query: Value, key: Value, value: Value];

/**
 * Causal attention against a cache: `given` is packed [B, T, (H + 2 Hkv) D] or its three parts -> out
 * [B, T, H D] and the grown cache. H / Hkv heads share a key and a value (Ainslie et al. 2023,
 * https://arxiv.org/abs/2305.13245). Inference only; keys are appended behind `seqlensK`. Past and present
 * may be one buffer. A cache of int8 has scales, by which what is appended is rounded.
 */
export const cachedAttend = (given: Value | Projections, cache: CacheInputs, options: CachedOptions) => {
  const { heads, kvHeads, total } = options;
  const scale = options.scale ?? 1 / Math.sqrt(cache.pastKey.shape[3] as number);
  const { pastKey, pastValue, seqlensK, totalLength, bias, keyScale, valueScale } = cache;
  const scales = keyScale === undefined || valueScale === undefined ? [] : [keyScale, valueScale];
  const packed = "node" in given;
  const inputs = [
    ...(packed ? [given] : given),
    ...[pastKey, pastValue, seqlensK, totalLength],
    ...(bias === undefined ? [] : [bias]),
    ...scales,
  ];
  const scaled = scales.length > 0 ? ({ scaled: true } as const) : {};
  const [out, key, value] = apply(cachedOp, inputs, { heads, kvHeads, scale, total, packed, ...scaled });
  return { out, key, value };
};

const emptyCacheOp: Op<[rows: Value], { kvHeads: number; width: number }, [Value]> = {
  name: "emptyCache",
  infer: ([rows], { kvHeads, width }) => [{ dtype: "float32", shape: [rows.shape[0]!, kvHeads, 0, width] }],
  onnx: (emit, [rows], { attrs: { kvHeads, width } }) => {
    const [batch] = emit.node("Shape", [rows], { start: { int: 0 }, end: { int: 1 } });
    const rest = emit.constant(tensorOf("int64", [3], [kvHeads, 0, width]));
    const [shape] = emit.node("Concat", [batch!, rest], { axis: { int: 0 } });
    return emit.node("ConstantOfShape", [shape!], { value: { tensor: tensorOf("float32", [1], [0]) } });
  },
};

/** A cache of nothing for the rows of `rows` `[B, ...]`: `[B, kvHeads, 0, width]`. */
export const emptyCache = (rows: Value, kvHeads: number, width: number): Value =>
  apply(emptyCacheOp, [rows], { kvHeads, width })[0];

/**
 * [1, 1, T, T] additive mask: 0 on and below the diagonal, -1e9 above; [1, 1, groups T, T] where queries of
 * several heads stand behind one another.
 */
export const causalMask = (length: number, groups = 1) => {
  const mask = tensorOf("float32", [1, 1, groups * length, length], []);
  const data = mask.data as Float32Array;
  for (let row = 0; row < groups * length; row++) {
    data.fill(-1e9, row * length + (row % length) + 1, (row + 1) * length);
  }
  return mask;
};
