/**
 * Linear structural ops, together because they are each other's adjoints: sum <-> expand, reshape, transpose,
 * slice <-> pad, concat <-> slice (and gather <-> scatterAdd in rows.ts).
 */
import { apply, constant, type Op, type Value } from "../ir/op.ts";
import { axisOf, broadcast, product, sameDtype, sameShape } from "../ir/shape.ts";
import { type Dim, shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";

const ints = (values: readonly number[]) => tensorOf("int64", [values.length], values);

/** The op of `sum`; a mean differs in name and factor only. */
export const sumOp: Op<[x: Value], { axes: readonly number[]; keepDims: boolean }, [Value]> = {
  name: "sum",
  infer: ([x], { axes, keepDims }) => {
    const reduced = new Set(axes.map((a) => axisOf(a, x.shape.length, "sum")));
    const shape = keepDims
      ? x.shape.map((d, i) => (reduced.has(i) ? 1 : d))
      : x.shape.filter((_, i) => !reduced.has(i));
    return [{ dtype: x.dtype, shape }];
  },
  vjp: ([g], { inputs: [x], attrs: { axes } }) => {
    const kept = x.shape.map((d, i) => (axes.some((a) => axisOf(a, x.shape.length, "sum") === i) ? 1 : d));
    return [expandTo(reshape(g, kept), x.shape)];
  },
  onnx: (emit, [x], { attrs: { axes, keepDims } }) =>
    emit.node("ReduceSum", [x, emit.constant(ints(axes))], { keepdims: { int: keepDims ? 1 : 0 } }),
};
/** Sum over `axes` (all unless told). */
export const sum = (x: Value, axes?: readonly number[], keepDims = false): Value => {
  const over = axes ?? x.shape.map((_, i) => i);
  return over.length === 0 ? x : apply(sumOp, [x], { axes: over, keepDims })[0];
};

const expandOp: Op<[x: Value], { shape: readonly Dim[] }, [Value]> = {
  name: "expand",
  infer: ([x], { shape }) => {
    if (!sameShape(broadcast(x.shape, shape, "expand"), shape)) {
      throw new ShapeError(`expand: ${shapeText(x.shape)} does not broadcast to ${shapeText(shape)}`);
    }
    return [{ dtype: x.dtype, shape }];
  },
  vjp: ([g], { inputs: [x] }) => [sumTo(g, x.shape)],
  onnx: (emit, [x], { attrs: { shape } }) => {
    if (shape.some((d) => typeof d === "string")) {
      throw new ShapeError(`expand to ${shapeText(shape)} needs fixed dimensions`);
    }
    return emit.node("Expand", [x, emit.constant(ints(shape as number[]))]);
  },
};
/** Broadcasts `x` to `shape`. */
export const expandTo = (x: Value, shape: readonly Dim[]): Value =>
  sameShape(x.shape, shape) ? x : apply(expandOp, [x], { shape })[0];

/** Sums `g` down to `shape`: the adjoint of broadcasting. */
export const sumTo = (g: Value, shape: readonly Dim[]): Value => {
  if (sameShape(g.shape, shape)) return g;
  const lead = g.shape.length - shape.length;
  const axes = g.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []));
  return reshape(sum(g, axes, true), shape);
};

const reshapeOp: Op<[x: Value], { shape: readonly Dim[] }, [Value]> = {
  name: "reshape",
  infer: ([x], { shape }) => {
    if (product(shape) !== product(x.shape)) {
      throw new ShapeError(`reshape: ${shapeText(x.shape)} does not fill ${shapeText(shape)}`);
    }
    return [{ dtype: x.dtype, shape }];
  },
  vjp: ([g], { inputs: [x] }) => [reshape(g, x.shape)],
  onnx: (emit, [x], { inputs, attrs: { shape } }) => {
    // 0 copies the input's dimension at that place; -1 is inferred, and only one may be.
    const from = inputs[0].shape;
    const dims = shape.map((d, i) => (typeof d === "number" ? d : d === from[i] ? 0 : -1));
    if (dims.filter((d) => d === -1).length > 1) {
      throw new ShapeError(
        `reshape: ${shapeText(from)} to ${shapeText(shape)} leaves more than one dimension open`,
      );
    }
    return emit.node("Reshape", [x, emit.constant(ints(dims))]);
  },
};
/** Same elements in another shape; reshapes of reshapes collapse. */
export const reshape = (x: Value, shape: readonly Dim[]): Value => {
  if (sameShape(x.shape, shape)) return x;
  const source = x.node.op === reshapeOp && shape.every((d) => typeof d === "number") ? x.node.inputs[0]! : x;
  return sameShape(source.shape, shape) ? source : apply(reshapeOp, [source], { shape })[0];
};

const transposeOp: Op<[x: Value], { perm: readonly number[] }, [Value]> = {
  name: "transpose",
  infer: ([x], { perm }) => {
    if (perm.length !== x.shape.length || new Set(perm).size !== perm.length) {
      throw new ShapeError(`transpose: [${perm.join(", ")}] does not permute ${shapeText(x.shape)}`);
    }
    return [{ dtype: x.dtype, shape: perm.map((axis) => x.shape[axis]!) }];
  },
  vjp: ([g], { attrs: { perm } }) => [
    transpose(
      g,
      perm.map((_, i) => perm.indexOf(i)),
    ),
  ],
  onnx: (emit, [x], { attrs: { perm } }) => emit.node("Transpose", [x], { perm: { ints: perm } }),
};
/** Permutes the axes. */
export const transpose = (x: Value, perm: readonly number[]): Value => {
  const axes = perm.map((axis) => axisOf(axis, x.shape.length, "transpose"));
  const same = axes.length === x.shape.length && axes.every((axis, i) => axis === i);
  return same ? x : apply(transposeOp, [x], { perm: axes })[0];
};

/** The permutation that made `x`, where a transpose did. */
export const permutationOf = (x: Value): readonly number[] | undefined =>
  x.node.op === transposeOp ? (x.node.attrs as { perm: readonly number[] }).perm : undefined;

const sliceOp: Op<[x: Value], { axis: number; start: number; end: number }, [Value]> = {
  name: "slice",
  infer: ([x], { axis, start, end }) => {
    const size = x.shape[axisOf(axis, x.shape.length, "slice")]!;
    if (start < 0 || end <= start || (typeof size === "number" && end > size)) {
      throw new ShapeError(`slice: ${start}..${end} is outside dimension ${axis} of ${shapeText(x.shape)}`);
    }
    return [{ dtype: x.dtype, shape: x.shape.map((d, i) => (i === axis ? end - start : d)) }];
  },
  vjp: ([g], { inputs: [x], attrs: { axis, start, end } }) => [
    pad(g, axis, start, (x.shape[axis] as number) - end),
  ],
  onnx: (emit, [x], { attrs: { axis, start, end } }) =>
    emit.node("Slice", [x, ...[start, end, axis].map((n) => emit.constant(ints([n])))]),
};
/** Elements start..end (end excluded) of `axis`. */
export const slice = (x: Value, axis: number, start: number, end: number): Value => {
  const at = axisOf(axis, x.shape.length, "slice");
  return start === 0 && end === x.shape[at] ? x : apply(sliceOp, [x], { axis: at, start, end })[0];
};

const padOp: Op<[x: Value], { axis: number; before: number; after: number }, [Value]> = {
  name: "pad",
  infer: ([x], { axis, before, after }) => [
    { dtype: x.dtype, shape: x.shape.map((d, i) => (i === axis ? (d as number) + before + after : d)) },
  ],
  vjp: ([g], { inputs: [x], attrs: { axis, before } }) => [
    slice(g, axis, before, before + (x.shape[axis] as number)),
  ],
  onnx: (emit, [x], { inputs, attrs: { axis, before, after } }) => {
    const rank = inputs[0].shape.length;
    const pads = Array.from({ length: 2 * rank }, (_, i) =>
      i === axis ? before : i === rank + axis ? after : 0,
    );
    return emit.node("Pad", [x, emit.constant(ints(pads))]);
  },
};
/** Zeros before and after along a fixed `axis`. */
export const pad = (x: Value, axis: number, before: number, after: number): Value => {
  const at = axisOf(axis, x.shape.length, "pad");
  return before === 0 && after === 0 ? x : apply(padOp, [x], { axis: at, before, after })[0];
};

const concatOp: Op<readonly Value[], { axis: number }, [Value]> = {
  name: "concat",
  infer: (parts, { axis }) => {
    const [first] = parts;
    if (first === undefined) throw new ShapeError("concat: needs at least one part");
    let size = 0;
    for (const part of parts) {
      sameDtype(first, part, "concat");
      const differs = part.shape.findIndex((d, i) => i !== axis && d !== first.shape[i]);
      if (differs >= 0 || part.shape.length !== first.shape.length) {
        throw new ShapeError(`concat: ${shapeText(part.shape)} does not fit ${shapeText(first.shape)}`);
      }
      size += part.shape[axis] as number;
    }
    return [{ dtype: first.dtype, shape: first.shape.map((d, i) => (i === axis ? size : d)) }];
  },
  vjp: ([g], { inputs, attrs: { axis } }) => {
    let start = 0;
    return inputs.map((part) => {
      const end = start + (part.shape[axis] as number);
      const piece = slice(g, axis, start, end);
      start = end;
      return piece;
    });
  },
  onnx: (emit, inputs, { attrs: { axis } }) => emit.node("Concat", [...inputs], { axis: { int: axis } }),
};
/** Joins along a fixed `axis`. */
export const concat = (parts: readonly Value[], axis: number): Value => {
  const at = axisOf(axis, parts[0]?.shape.length ?? 0, "concat");
  return parts.length === 1 ? parts[0]! : apply(concatOp, parts, { axis: at })[0];
};

const splitOp: Op<[x: Value], { axis: number; parts: number }, readonly Value[]> = {
  name: "split",
  infer: ([x], { axis, parts }) => {
    const size = x.shape[axis];
    if (typeof size !== "number" || size % parts !== 0) {
      throw new ShapeError(
        `split: dimension ${axis} of ${shapeText(x.shape)} does not make ${parts} equal parts`,
      );
    }
    const shape = x.shape.map((d, i) => (i === axis ? size / parts : d));
    return Array.from({ length: parts }, () => ({ dtype: x.dtype, shape }));
  },
  vjp: (gs, { outputs, attrs: { axis } }) => [
    concat(
      gs.map((g, i) => g ?? expandTo(constant(tensorOf(outputs[i]!.dtype, [], [0])), outputs[i]!.shape)),
      axis,
    ),
  ],
  onnx: (emit, [x], { attrs: { axis, parts } }) =>
    emit.node("Split", [x], { axis: { int: axis }, num_outputs: { int: parts } }, { outputs: parts }),
};
/** Cuts `axis` into equal parts. */
export const split = (x: Value, axis: number, parts: number): readonly Value[] =>
  apply(splitOp, [x], { axis: axisOf(axis, x.shape.length, "split"), parts });

const partsOp: Op<[x: Value], { sizes: readonly number[] }, readonly Value[]> = {
  name: "parts",
  infer: ([x], { sizes }) => {
    if (sizes.reduce((a, b) => a + b, 0) !== x.shape[0]) {
      throw new ShapeError(`parts: sizes of [${sizes.join(", ")}] do not make up ${shapeText(x.shape)}`);
    }
    return sizes.map((size) => ({ dtype: x.dtype, shape: [size, ...x.shape.slice(1)] }));
  },
  vjp: (gs, { outputs }) => [
    concat(
      gs.map((g, i) => g ?? expandTo(constant(tensorOf(outputs[i]!.dtype, [], [0])), outputs[i]!.shape)),
      0,
    ),
  ],
  onnx: (emit, [x], { attrs: { sizes } }) =>
    emit.node("Split", [x, emit.constant(ints(sizes))], { axis: { int: 0 } }, { outputs: sizes.length }),
};
/** Cuts the first axis into parts of these sizes. */
export const partsOf = (x: Value, sizes: readonly number[]): readonly Value[] =>
  sizes.length === 1 ? [x] : apply(partsOp, [x], { sizes });
