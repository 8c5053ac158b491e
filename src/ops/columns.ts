/** Cutting the last axis into parts of different widths. */
import { apply, constant, type Op, type Value } from "../ir/op.ts";
import { shapeText, tensorOf } from "../ir/tensor.ts";
import { ShapeError } from "../util/errors.ts";
import { concat, expandTo } from "./structure.ts";

const columnsOp: Op<[x: Value], { widths: readonly number[] }, readonly Value[]> = {
  name: "columns",
  infer: ([x], { widths }) => {
    if (widths.reduce((a, b) => a + b, 0) !== x.shape.at(-1)) {
      throw new ShapeError(`columns: widths of [${widths.join(", ")}] do not make up ${shapeText(x.shape)}`);
    }
    return widths.map((width) => ({ dtype: x.dtype, shape: [...x.shape.slice(0, -1), width] }));
  },
  vjp: (gs, { outputs }) => [
    concat(
      gs.map((g, i) => g ?? expandTo(constant(tensorOf(outputs[i]!.dtype, [], [0])), outputs[i]!.shape)),
      -1,
    ),
  ],
  onnx: (emit, [x], { attrs: { widths } }) => {
    const sizes = emit.constant(tensorOf("int64", [widths.length], widths));
    return emit.node("Split", [x, sizes], { axis: { int: -1 } }, { outputs: widths.length });
  },
};

/** x [..., sum of widths] -> [..., width] for each of `widths`. */
export const columnsOf = (x: Value, widths: readonly number[]): readonly Value[] =>
  widths.length === 1 ? [x] : apply(columnsOp, [x], { widths });
