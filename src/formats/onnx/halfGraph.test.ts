import { describe, expect, test } from "vitest";
import type { OnnxAttrs } from "../../ir/op.ts";
import { type DType, type Tensor, tensor, tensorOf } from "../../ir/tensor.ts";
import { ConfigError, FormatError } from "../../util/errors.ts";
import { fromHalves } from "../../util/float16.ts";
import { type HalfOptions, halved } from "./halfGraph.ts";
import type { OnnxModel, OnnxNode } from "./onnx.ts";

const node = (opType: string, inputs: string[], output: string, attrs: OnnxAttrs = {}): OnnxNode => ({
  opType,
  domain: "",
  name: `${opType}/${output}`,
  inputs,
  outputs: [output],
  attrs,
});

/** A graph of x float32 [2], ids int64 [2] and past_key_values.0.key float32 [2] to `outputs`. */
const modelOf = (
  nodes: readonly OnnxNode[],
  initializers: Readonly<Record<string, Tensor>>,
  outputs: readonly string[],
): OnnxModel => {
  const value = (name: string, dtype: DType = "float32") => ({ name, dtype, shape: [2] });
  return {
    graph: {
      name: "test",
      nodes,
      inputs: [value("x"), value("ids", "int64"), value("past_key_values.0.key")],
      outputs: outputs.map((name) => value(name)),
      initializers: Object.entries(initializers).map(([name, t]) => ({ name, tensor: t })),
    },
    opsets: { "": 21 },
    metadata: {},
  };
};

const halvesOf = (t: Tensor): number[] => {
  expect(t.dtype).toBe("float16");
  return Array.from(fromHalves(t.data as Uint16Array));
};
const f32 = (...values: number[]): Tensor => tensor("float32", [values.length], Float32Array.from(values));
const convert = (
  nodes: readonly OnnxNode[],
  initializers: Readonly<Record<string, Tensor>>,
  outputs: readonly string[],
  more: Partial<HalfOptions> = {},
) => {
  const { graph } = halved(modelOf(nodes, initializers, outputs), { io: () => false, ...more });
  return {
    graph,
    lines: graph.nodes.map((n) => `${n.opType} ${n.inputs.join(" ")} -> ${n.outputs.join(" ")}`),
    initializers: new Map(graph.initializers.map((i) => [i.name, i.tensor])),
  };
};

describe("halved", () => {
  test("casts what comes in for a product, and what goes out", () => {
    const { lines, initializers, graph } = convert([node("MatMul", ["x", "w"], "y")], { w: f32(1, 2) }, [
      "y",
    ]);
    expect(lines).toEqual(["Cast x -> x/float16", "MatMul x/float16 w -> y/inner", "Cast y/inner -> y"]);
    expect(initializers.get("w")!.dtype).toBe("float16");
    expect(Array.from(fromHalves(initializers.get("w")!.data as Uint16Array))).toEqual([1, 2]);
    expect(graph.inputs[0]!.dtype).toBe("float32");
    expect(graph.outputs[0]!.dtype).toBe("float32");
  });

  test("changes the dtype of a cache instead of casting it", () => {
    const nodes = [node("Concat", ["past_key_values.0.key", "w"], "present.0.key", { axis: { int: 0 } })];
    const io = (name: string) => /^(past|present)/.test(name);
    const { graph, lines } = convert(nodes, { w: f32(1) }, ["present.0.key"], { io });
    expect(lines).toEqual(["Concat past_key_values.0.key w -> present.0.key"]);
    expect(graph.inputs.map((v) => v.dtype)).toEqual(["float32", "int64", "float16"]);
    expect(graph.outputs[0]!.dtype).toBe("float16");
  });

  test("squares and sums in float32, up to the next product", () => {
    const nodes = [
      node("MatMul", ["x", "w"], "a"),
      node("Mul", ["a", "a"], "b"),
      node("ReduceMean", ["b"], "c"),
      node("Add", ["c", "const_0"], "d"),
      node("Mul", ["a", "d"], "e"),
      node("MatMul", ["e", "w"], "y"),
    ];
    const { lines, initializers } = convert(nodes, { w: f32(1, 2), const_0: f32(1e-6) }, ["y"]);
    expect(lines.slice(1)).toEqual([
      "MatMul x/float16 w -> a",
      "Cast a -> a/float32",
      "Mul a/float32 a/float32 -> b",
      "ReduceMean b -> c",
      "Add c const_0 -> d",
      "Mul a/float32 d -> e",
      "Cast e -> e/float16",
      "MatMul e/float16 w -> y/inner",
      "Cast y/inner -> y",
    ]);
    expect(initializers.get("const_0")).toEqual(f32(1e-6));
  });

  test("keeps a number that float16 would lose, and what is computed with it", () => {
    const nodes = [node("MatMul", ["x", "w"], "a"), node("Add", ["a", "const_0"], "y")];
    const { lines } = convert(nodes, { w: f32(1, 2), const_0: f32(1e-12) }, ["y"]);
    expect(lines.slice(2)).toEqual(["Cast a -> a/float32", "Add a/float32 const_0 -> y"]);
  });

  test("brings a mask's constants into range, in both widths", () => {
    const nodes = [
      node("Equal", ["ids", "zero"], "m"),
      node("Where", ["m", "const_0", "const_1"], "bias"),
      node("MatMul", ["x", "w"], "a"),
      node("Add", ["a", "bias"], "y"),
      node("Add", ["x", "const_0"], "z"),
    ];
    const constants = { zero: tensorOf("int64", [], [0]), const_0: f32(-1e9), const_1: f32(0), w: f32(1, 2) };
    const { initializers } = convert(nodes, constants, ["y", "z"]);
    expect(halvesOf(initializers.get("const_0")!)).toEqual([-30000]);
    expect(initializers.get("const_0/float32")).toEqual(f32(-30000));
  });

  test("leaves large numbers that are no mask as they are", () => {
    const nodes = [
      node("Pow", ["const_0", "x"], "a"),
      node("Min", ["x", "const_1"], "b"),
      node("Add", ["a", "b"], "y"),
    ];
    const { lines, initializers } = convert(nodes, { const_0: f32(1e6), const_1: f32(1e5) }, ["y"]);
    expect(lines).toEqual(["Pow const_0 x -> a", "Min x const_1 -> b", "Add a b -> y"]);
    expect(initializers.get("const_0")).toEqual(f32(1e6));
    expect(initializers.get("const_1")).toEqual(f32(1e5));
    const table = () => convert([node("Gather", ["const_2", "ids"], "y")], { const_2: f32(1, 1e5) }, ["y"]);
    expect(table).toThrow(/tensor "const_2": has the value 100000/);
  });

  test("keeps the products of the weights that it is told", () => {
    const nodes = [node("MatMul", ["x", "wo"], "a"), node("Add", ["a", "b"], "y")];
    const keep = (name: string) => name === "wo";
    const { lines, initializers } = convert(nodes, { wo: f32(1, 2), b: f32(3) }, ["y"], { keep });
    expect(lines).toEqual(["MatMul x wo -> a", "Add a b -> y"]);
    expect([...initializers.values()].map((t) => t.dtype)).toEqual(["float32", "float32"]);
  });

  test("leaves integers alone, and reads small ones as float16", () => {
    const nodes = [
      node("Mul", ["ids", "two"], "doubled"),
      node("Cast", ["doubled"], "wide", { to: { int: 1 } }),
      node("Gather", ["q", "ids"], "row"),
      node("Cast", ["row"], "narrow", { to: { int: 1 } }),
      node("Mul", ["narrow", "scale"], "y"),
      node("Mul", ["wide", "scale"], "z"),
    ];
    const q = tensor("uint8", [4], Uint8Array.of(1, 2, 3, 4));
    const two = tensorOf("int64", [], [2]);
    const { lines, graph } = convert(nodes, { q, two, scale: f32(0.5) }, ["y", "z"]);
    expect(lines).toEqual([
      "Mul ids two -> doubled",
      "Cast doubled -> wide",
      "Gather q ids -> row",
      "Cast row -> narrow",
      "Mul narrow scale -> y/inner",
      "Mul wide scale/float32 -> z",
      "Cast y/inner -> y",
    ]);
    expect(graph.nodes[3]!.attrs).toEqual({ to: { int: 10 } });
  });

  test("drops what nothing reads", () => {
    const { initializers } = convert([node("Relu", ["x"], "y")], { unused: f32(1) }, ["y"]);
    expect([...initializers.keys()]).toEqual([]);
  });

  test("refuses a weight beyond the range, NaN, and an op that it does not know", () => {
    for (const value of [70_000, -1e9, Number.NaN, Number.POSITIVE_INFINITY]) {
      const made = () => convert([node("MatMul", ["x", "w"], "y")], { w: f32(1, value) }, ["y"]);
      expect(made).toThrow(ConfigError);
      expect(made).toThrow(`tensor "w": has the value ${value}`);
    }
    const strange = () => convert([node("Det", ["x"], "y")], {}, ["y"]);
    expect(strange).toThrow(FormatError);
    expect(strange).toThrow(/field "Det\/y": has the op Det/);
  });
});
