/**
 * Random numbers inside a program, a pure function of a seed that is an input: an integer hash of the
 * element's number (the finaliser "lowbias32" of Wellons 2018, https://nullprogram.com/blog/2018/07/31/), so
 * that a step has no hidden state.
 */
import { apply, type Op, type Value } from "../ir/op.ts";
import { tensor, tensorOf } from "../ir/tensor.ts";
import { streamOf } from "../util/rng.ts";

const uniformOp: Op<[seed: Value], { stream: number; shape: readonly number[] }, [Value]> = {
  name: "uniform",
  infer: (_, { shape }) => [{ dtype: "float32", shape }],
  vjp: () => [null],
  onnx: (emit, [seed], { attrs: { stream, shape } }) => {
    const size = shape.reduce((n, d) => n * d, 1);
    const word = (n: number) => emit.constant(tensor("uint32", [], Uint32Array.of(n)));
    const shift = (x: string, by: number) => {
      const [right] = emit.node("BitShift", [x, word(by)], { direction: { string: "RIGHT" } });
      return emit.node("BitwiseXor", [x, right!])[0]!;
    };
    const times = (x: string, by: number) => emit.node("Mul", [x, word(by)])[0]!;
    const mix = (x: string) => shift(times(shift(times(shift(x, 16), 0x7feb352d), 15), 0x846ca68b), 16);
    const numbers = emit.constant(
      tensor(
        "uint32",
        [size],
        Uint32Array.from({ length: size }, (_, i) => i),
      ),
    );
    const [word0] = emit.node("Cast", [seed], { to: { int: 12 } });
    const key = mix(emit.node("Add", [word0!, word(stream)])[0]!);
    const bits = mix(emit.node("BitwiseXor", [numbers, key])[0]!);
    // 24 bits fill a float32's mantissa: the result never rounds up to 1.
    const [top] = emit.node("BitShift", [bits, word(8)], { direction: { string: "RIGHT" } });
    const [wide] = emit.node("Cast", [top!], { to: { int: 1 } });
    const [unit] = emit.node("Mul", [wide!, emit.constant(tensorOf("float32", [], [2 ** -24]))]);
    return emit.node("Reshape", [unit!, emit.constant(tensorOf("int64", [shape.length], shape))]);
  },
};

/** Uniform numbers in [0, 1) of a fixed shape: the same for the same seed (int32, []) and site. */
export const uniform = (seed: Value, site: string, shape: readonly number[]): Value =>
  apply(uniformOp, [seed], { stream: streamOf(site), shape })[0];
