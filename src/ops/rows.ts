/** Rows of tables: looked up, and added at the places where they were. */
import { apply, type Emit, type Op, type Value } from "../ir/op.ts";
import { sameShape } from "../ir/shape.ts";
import { type Dim, shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";

const ints = (values: readonly number[]) => tensorOf("int64", [values.length], values);

const gatherOp: Op<[table: Value, ids: Value], Record<never, never>, [Value]> = {
  name: "gather",
  infer: ([table, ids]) => {
    if (table.shape.length === 0 || !ids.dtype.startsWith("int")) {
      throw new ShapeError(
        `gather: wants rows and integer ids, not ${shapeText(table.shape)} and ${ids.dtype}`,
      );
    }
    return [{ dtype: table.dtype, shape: [...ids.shape, ...table.shape.slice(1)] }];
  },
  vjp: ([g], { inputs: [table, ids] }) => [scatterAdd(g, ids, table.shape), null],
  onnx: (emit, [table, ids]) => emit.node("Gather", [table, ids], { axis: { int: 0 } }),
};
/** [V, ...], ids [...] -> [...ids, ...]: rows of a table. */
export const gather = (table: Value, ids: Value): Value => apply(gatherOp, [table, ids], {})[0];

const checkRows = (rows: Value, ids: Value, shape: readonly Dim[]): void => {
  if (sameShape(rows.shape, [...ids.shape, ...shape.slice(1)])) return;
  const [from, at, to] = [rows.shape, ids.shape, shape].map(shapeText);
  throw new ShapeError(`scatterAdd: rows ${from} at ids ${at} do not fit ${to}`);
};

const emitScatterAdd = (emit: Emit, table: string, [rows, ids]: readonly [string, string]) => {
  const [wide] = emit.node("Cast", [ids], { to: { int: 7 } });
  const [index] = emit.node("Unsqueeze", [wide!, emit.constant(ints([-1]))]);
  return emit.node("ScatterND", [table, index!, rows], { reduction: { string: "add" } });
};

const scatterAddOp: Op<[rows: Value, ids: Value], { shape: readonly Dim[] }, [Value]> = {
  name: "scatterAdd",
  infer: ([rows, ids], { shape }) => {
    checkRows(rows, ids, shape);
    return [{ dtype: rows.dtype, shape }];
  },
  vjp: ([g], { inputs: [, ids] }) => [gather(g, ids), null],
  onnx: (emit, [rows, ids], { inputs, attrs: { shape } }) => {
    const zero = emit.constant(tensorOf(inputs[0].dtype, [1], [0]));
    const [table] = emit.node("Expand", [zero, emit.constant(ints(shape as number[]))]);
    return emitScatterAdd(emit, table!, [rows, ids]);
  },
};
/**
 * rows [...ids, ...], ids [...] -> a table of `shape` with each row added at its id: the adjoint of gather.
 */
export const scatterAdd = (rows: Value, ids: Value, shape: readonly Dim[]): Value =>
  apply(scatterAddOp, [rows, ids], { shape })[0];

const scatterOntoOp: Op<[table: Value, rows: Value, ids: Value], Record<never, never>, [Value]> = {
  name: "scatterOnto",
  infer: ([table, rows, ids]) => {
    checkRows(rows, ids, table.shape);
    return [{ dtype: table.dtype, shape: table.shape }];
  },
  vjp: ([g], { inputs: [, , ids] }) => [g, gather(g, ids), null],
  onnx: (emit, [table, rows, ids]) => emitScatterAdd(emit, table, [rows, ids]),
};

/** table [V, ...] with `rows` [...ids, ...] added at ids [...]. */
export const scatterOnto = (table: Value, rows: Value, ids: Value): Value =>
  apply(scatterOntoOp, [table, rows, ids], {})[0];

/**
 * a + b where one of them is a `scatterAdd`: its rows are added to the other as it lies, and no table of
 * zeros is made; undefined where neither is one.
 */
export const addScattered = (a: Value, b: Value): Value | undefined => {
  if (!sameShape(a.shape, b.shape)) return undefined;
  const [table, { node }] = b.node.op === scatterAddOp ? [a, b] : [b, a];
  if (node.op !== scatterAddOp) return undefined;
  const [rows, ids] = node.inputs as readonly [Value, Value];
  return scatterOnto(table, rows, ids);
};
