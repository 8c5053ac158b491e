/**
 * Random numbers inside a program, a pure function of a seed that is an input: an integer hash of the
 * element's number (the finaliser "lowbias32" of Wellons 2018, https://nullprogram.com/blog/2018/07/31/), so
 * that a step has no hidden state.
 */
import { apply, type Emit, type Op, type Value } from "../ir/op.ts";
import { tensor, tensorOf } from "../ir/tensor.ts";
import { streamOf } from "../util/rng.ts";

/** What mixes words of 32 bits, as nodes of a graph. */
const mixer = (emit: Emit) => {
  const word = (n: number) => emit.constant(tensor("uint32", [], Uint32Array.of(n)));
  const shift = (x: string, by: number) => {
    const [right] = emit.node("BitShift", [x, word(by)], { direction: { string: "RIGHT" } });
    return emit.node("BitwiseXor", [x, right!])[0]!;
  };
  const times = (x: string, by: number) => emit.node("Mul", [x, word(by)])[0]!;
  const mix = (x: string) => shift(times(shift(times(shift(x, 16), 0x7feb352d), 15), 0x846ca68b), 16);
  /** Words for the numbers from 0 to `size` under a seed, of one stream of several. */
  const words = (seed: string, stream: number, size: number): string => {
    const numbers = Uint32Array.from({ length: size }, (_, i) => i);
    const [first] = emit.node("Cast", [seed], { to: { int: 12 } });
    const key = mix(emit.node("Add", [first!, word(stream)])[0]!);
    return mix(emit.node("BitwiseXor", [emit.constant(tensor("uint32", [size], numbers)), key])[0]!);
  };
  return { word, words };
};

const uniformOp: Op<[seed: Value], { stream: number; shape: readonly number[] }, [Value]> = {
  name: "uniform",
  infer: (_, { shape }) => [{ dtype: "float32", shape }],
  vjp: () => [null],
  onnx: (emit, [seed], { attrs: { stream, shape } }) => {
    const size = shape.reduce((n, d) => n * d, 1);
    const { word, words } = mixer(emit);
    const bits = words(seed, stream, size);
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

/** Whether an element is kept, times 1 / (1 - rate): the number that it is multiplied with. */
const keptOp: Op<[seed: Value], { stream: number; shape: readonly number[]; rate: number }, [Value]> = {
  name: "kept",
  infer: (_, { shape }) => [{ dtype: "float32", shape }],
  vjp: () => [null],
  onnx: (emit, [seed], { attrs: { stream, shape, rate } }) => {
    const columns = shape.at(-1) ?? 1;
    const rows = shape.slice(0, -1).reduce((n, d) => n * d, 1);
    const bits = mixer(emit).words(seed, stream, rows + columns);
    const [signed] = emit.node("Cast", [bits], { to: { int: 6 } });
    const lengths = emit.constant(tensorOf("int64", [2], [rows, columns]));
    const [down, across] = emit.node("Split", [signed!, lengths], { axis: { int: 0 } }, { outputs: 2 });
    const asColumn = emit.constant(tensorOf("int64", [shape.length || 1], [...shape.slice(0, -1), 1]));
    const [column] = emit.node("Reshape", [down!, asColumn]);
    const [product] = emit.node("Mul", [column!, across!]);
    const least = emit.constant(tensorOf("int32", [], [Math.round(rate * 2 ** 32) - 2 ** 31]));
    const [keep] = emit.node("GreaterOrEqual", [product!, least]);
    const [scale, zero] = [1 / (1 - rate), 0].map((x) => emit.constant(tensorOf("float32", [], [x])));
    return emit.node("Where", [keep!, scale!, zero!]);
  },
};

/**
 * 0 for a share `rate` of a shape's elements and 1 / (1 - rate) for the others, drawn anew for each seed
 * (int32, []) and site. Rows and columns have a word each, and their product of 32 bits says what is kept
 * (multiply-shift hashing, Dietzfelbinger et al. 1997, https://doi.org/10.1006/jagm.1997.0873): an element
 * costs one multiplication instead of a hash.
 */
export const kept = (
  seed: Value,
  site: string,
  shape: readonly number[],
  { rate }: { readonly rate: number },
): Value => apply(keptOp, [seed], { stream: streamOf(site), shape, rate })[0];
