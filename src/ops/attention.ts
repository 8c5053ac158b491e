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

export interface CacheInputs {
  /** [B, Hkv, S, D]: earlier keys; the shared buffer itself when decoding in place. */
  readonly pastKey: Value;
  readonly pastValue: Value;
  /** [B] int32: keys in total after this call, minus one. */
  readonly seqlensK: Value;
  /** [] or [1] int32: the longest of the batch, this call included. */
  readonly totalLength: Value;
  /** Additive [B or 1, H or 1, T, total], for padding on the left. */
  readonly bias?: Value;
}

type GroupQuery = { heads: number; kvHeads: number; scale: number; total: Dim; bias: boolean };

const cachedOp: Op<readonly Value[], GroupQuery, [out: Value, key: Value, value: Value]> = {
  name: "cachedAttend",
  infer: ([qkv, pastKey], { heads, kvHeads, total }) => {
    const [b, t, width] = qkv!.shape;
    const d = pastKey!.shape[3]!;
    if (typeof d !== "number" || width !== (heads + 2 * kvHeads) * d) {
      throw new ShapeError(
        `cachedAttend: ${shapeText(qkv!.shape)} does not hold ${heads} + 2 x ${kvHeads} heads of ${d}`,
      );
    }
    const cache = { dtype: qkv!.dtype, shape: [b!, kvHeads, total, d] };
    return [{ dtype: qkv!.dtype, shape: [b!, t!, heads * d] }, cache, cache];
  },
  onnx: (
    emit,
    [qkv, pastKey, pastValue, seqlensK, totalLength, bias],
    { attrs: { heads, kvHeads, scale } },
  ) => {
    const inputs = [qkv!, "", "", pastKey!, pastValue!, seqlensK!, totalLength!];
    if (bias !== undefined) inputs.push("", "", "", bias);
    const attrs = { num_heads: { int: heads }, kv_num_heads: { int: kvHeads }, scale: { float: scale } };
    return emit.node("GroupQueryAttention", inputs, attrs, { domain: "com.microsoft", outputs: 3 });
  },
};

export interface CachedOptions {
  readonly heads: number;
  readonly kvHeads: number;
  /** The cache's length after this call: a name, or the shared buffer's own length. */
  readonly total: Dim;
  readonly scale?: number;
}

/**
 * Causal attention against a cache: qkv [B, T, (H + 2 Hkv) D] packed -> out [B, T, H D] and the grown cache.
 * Inference only; keys are appended behind `seqlensK`. Past and present may be one buffer.
 */
export const cachedAttend = (qkv: Value, cache: CacheInputs, options: CachedOptions) => {
  const { heads, kvHeads, total } = options;
  const scale = options.scale ?? 1 / Math.sqrt(cache.pastKey.shape[3] as number);
  const { pastKey, pastValue, seqlensK, totalLength, bias } = cache;
  const inputs = [qkv, pastKey, pastValue, seqlensK, totalLength, ...(bias === undefined ? [] : [bias])];
  const attrs = { heads, kvHeads, scale, total, bias: bias !== undefined };
  const [out, key, value] = apply(cachedOp, inputs, attrs);
  return { out, key, value };
};

/** [1, 1, T, T] additive mask: 0 on and below the diagonal, -1e9 above. */
export const causalMask = (length: number) => {
  const mask = tensorOf("float32", [1, 1, length, length], []);
  const data = mask.data as Float32Array;
  for (let row = 0; row < length; row++) data.fill(-1e9, row * length + row + 1, (row + 1) * length);
  return mask;
};
