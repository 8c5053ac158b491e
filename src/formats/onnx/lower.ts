/**
 * Lowers a program to an ONNX model: names by dotted paths, constants as initializers, each op by its own
 * `onnx` row.
 */
import { type Emit, type EmitOptions, isInput, type Node, type OnnxAttrs, type Value } from "../../ir/op.ts";
import { nodesOf, type Program } from "../../ir/program.ts";
import { bytesOf, shapeText, type Tensor } from "../../ir/tensor.ts";
import { entries } from "../../util/tree.ts";
import type { OnnxModel, OnnxNode, OnnxValueInfo } from "./onnx.ts";

/**
 * The first output of a graph lowered with `halt`: an empty sequence. onnxruntime-node copies every fetched
 * output into a fresh array after the run, even one that was written in place; at a sequence it gives up,
 * with all the work done and nothing copied.
 */
export const HALT = "~halt";

/** An output whose path is also an input's name (the state of a step) gets this suffix. */
export const NEXT = ":next";

interface Graph {
  readonly nodes: OnnxNode[];
  readonly initializers: { name: string; tensor: Tensor }[];
}

/** Small constants are shared by content; large ones by identity only. */
const constantKey = (t: Tensor): string | undefined => {
  if (t.data.byteLength > 256) return undefined;
  const hex = Array.from(bytesOf(t), (b) => b.toString(16).padStart(2, "0")).join("");
  return `${t.dtype}${shapeText(t.shape)}${hex}`;
};

const emitter = (graph: Graph, taken: Set<string>): Emit => {
  const byKey = new Map<string, string>();
  const byTensor = new Map<Tensor, string>();
  let count = 0;
  const fresh = (stem: string): string => {
    let name = `${stem}_${count++}`;
    while (taken.has(name)) name = `${stem}_${count++}`;
    return name;
  };
  return {
    node(opType: string, inputs: readonly string[], attrs: OnnxAttrs = {}, options: EmitOptions = {}) {
      const { outputs: n = 1, domain = "" } = options;
      const name = fresh(opType);
      const outputs = Array.from({ length: n }, (_, i) => (n === 1 ? `${name}/out` : `${name}/out${i}`));
      graph.nodes.push({ opType, domain, name, inputs: [...inputs], outputs, attrs });
      return outputs;
    },
    constant(value: Tensor, name?: string) {
      const key = name === undefined ? constantKey(value) : undefined;
      const known = byTensor.get(value) ?? (key === undefined ? undefined : byKey.get(key));
      if (known !== undefined) return known;
      const chosen = name ?? fresh("const");
      taken.add(chosen);
      byTensor.set(value, chosen);
      if (key !== undefined) byKey.set(key, chosen);
      graph.initializers.push({ name: chosen, tensor: value });
      return chosen;
    },
  };
};

const valueInfo = (name: string, v: Value): OnnxValueInfo => ({ name, dtype: v.dtype, shape: v.shape });

/**
 * Gives the graph's results their public names: renames a node's output where it can, else adds an Identity.
 */
const nameOutputs = (
  graph: Graph,
  wanted: readonly [name: string, inner: string][],
  inputs: ReadonlySet<string>,
) => {
  const rename = new Map<string, string>();
  const produced = new Set(graph.nodes.flatMap((n) => n.outputs));
  for (const [name, inner] of wanted) {
    if (produced.has(inner) && !inputs.has(inner) && !rename.has(inner)) rename.set(inner, name);
  }
  const final = (s: string): string => rename.get(s) ?? s;
  const nodes = graph.nodes.map((n) => ({
    ...n,
    inputs: n.inputs.map(final),
    outputs: n.outputs.map(final),
  }));
  for (const [name, inner] of wanted) {
    if (final(inner) === name) continue;
    nodes.push({
      opType: "Identity",
      domain: "",
      name: `result/${name}`,
      inputs: [final(inner)],
      outputs: [name],
      attrs: {},
    });
  }
  return nodes;
};

/** The ONNX output name of each leaf of a program's outputs. */
export const outputNames = (program: Program): Map<string, Value> => {
  const inputs = new Set(Array.from(entries<Value>(program.inputs), ([path]) => path));
  const named = Array.from(entries<Value>(program.outputs), ([path, v]) => {
    return [inputs.has(path) ? path + NEXT : path, v] as [string, Value];
  });
  return new Map(named);
};

const haltOutput: OnnxValueInfo = { name: HALT, dtype: "float32", shape: [], sequence: true };

/** Name and metadata of the ONNX model, and which inputs and outputs it has besides the program's. */
export interface LowerOptions {
  readonly name?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  /** Put the output HALT first. */
  readonly halt?: boolean;
  /** Keep inputs that no output depends on (default: they are left out). */
  readonly keepUnused?: boolean;
}

/** Emits the nodes of a program in order and returns the ONNX name of each value. */
const emitNodes = (order: readonly Node[], emit: Emit): Map<Value, string> => {
  const names = new Map<Value, string>();
  for (const node of order) {
    if (isInput(node)) {
      names.set(node.outputs[0]!, node.attrs.name);
      continue;
    }
    const { onnx } = node.op;
    const inputs = node.inputs.map((v) => names.get(v)!);
    const made =
      typeof onnx === "string"
        ? emit.node(onnx, inputs, {}, { outputs: node.outputs.length })
        : onnx(emit, inputs, node);
    node.outputs.forEach((v, i) => {
      names.set(v, made[i]!);
    });
  }
  return names;
};

const haltNode: OnnxNode = {
  opType: "SequenceEmpty",
  domain: "",
  name: HALT,
  inputs: [],
  outputs: [HALT],
  attrs: {},
};

/** `model` with the output HALT first. */
export const halting = (model: OnnxModel): OnnxModel => ({
  ...model,
  graph: {
    ...model.graph,
    nodes: [haltNode, ...model.graph.nodes],
    outputs: [haltOutput, ...model.graph.outputs],
  },
});

/** The ONNX model of `program`. Inputs bound to constants by `bindInputs` have become initializers. */
export const toOnnx = (program: Program, options: LowerOptions = {}): OnnxModel => {
  const { name = "anneal", metadata = {}, keepUnused = false, halt = false } = options;
  const graph: Graph = { nodes: [], initializers: [] };
  const order = nodesOf(program);
  const used = new Set(order.filter(isInput).map((node) => (node as Node<{ name: string }>).attrs.name));
  const inputs = [...entries<Value>(program.inputs)];
  const taken = new Set(inputs.map(([path]) => path));
  const names = emitNodes(order, emitter(graph, taken));
  const results = [...outputNames(program)];
  const wanted = results.map(([n, v]) => [n, names.get(v)!] as [string, string]);
  const model: OnnxModel = {
    graph: {
      name,
      nodes: nameOutputs(graph, wanted, taken),
      inputs: inputs.filter(([path]) => keepUnused || used.has(path)).map(([path, v]) => valueInfo(path, v)),
      outputs: results.map(([n, v]) => valueInfo(n, v)),
      initializers: graph.initializers,
    },
    opsets: { "": 21, "com.microsoft": 1 },
    metadata,
  };
  return halt ? halting(model) : model;
};
