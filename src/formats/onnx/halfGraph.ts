/**
 * An ONNX graph computed in float16: weights and activations are halved, and what loses too much by it (sums,
 * softmax, powers, positions) stays float32 with casts between. A float32 value stays so until the next
 * product of matrices, so a mask or an angle that was computed exactly is used exactly.
 */
import { type DType, dataTypes, type Tensor, tensor } from "../../ir/tensor.ts";
import { ConfigError, FormatError } from "../../util/errors.ts";
import { HALF_MAX, HALF_MIN_NORMAL, toHalves } from "../../util/float16.ts";
import { type HalfRule, halfRules } from "./halfRules.ts";
import type { OnnxGraph, OnnxInitializer, OnnxModel, OnnxNode, OnnxValueInfo } from "./onnx.ts";

/** What of a graph stays float32. */
export interface HalfOptions {
  /** Which float32 inputs and outputs of the graph become float16 (a cache); the others stay. */
  readonly io: (name: string) => boolean;
  /** Which weights stay float32, with the products that they are in. */
  readonly keep?: (weight: string) => boolean;
}

type Float = "float16" | "float32";

/**
 * What "minus infinity" in a mask becomes: twice it and a score fit float16, and exp of it is 0. A row that
 * is masked throughout must not become NaN, which the infinite would make it.
 */
const MASKED = 30_000;

/** How lowering names the constants of ops; what has another name is the model's own numbers. */
const ANONYMOUS = /^const_\d+$/;

const isFloat = (dtype: DType | undefined): dtype is Float => dtype === "float32" || dtype === "float16";

/** The first number that float16 cannot hold. */
const unfit = (values: Float32Array): number | undefined => {
  // Not find(): weights have very many numbers.
  for (let i = 0; i < values.length; i++) if (!(Math.abs(values[i]!) <= HALF_MAX)) return values[i]!;
  return undefined;
};

/** A mask within float16's range: "minus infinity" as a number that the range has room for twice. */
const clamped = (t: Tensor): Tensor => {
  const data = t.data as Float32Array;
  if (unfit(data) === undefined) return t;
  return tensor(
    "float32",
    t.shape,
    data.map((x) => (x < -HALF_MAX ? -MASKED : x)),
  );
};

const narrowed = (name: string, t: Tensor): Tensor => {
  const data = t.data as Float32Array;
  const worst = unfit(data);
  if (worst === undefined) return tensor("float16", t.shape, toHalves(data));
  throw new ConfigError(`has the value ${worst}, which float16 cannot hold (it ends at ${HALF_MAX})`, {
    tensor: name,
    hint: "export fp32, q8 or q4 instead",
  });
};

/** Whether it is a single number, so small (an epsilon) or large that float16 would make another of it. */
const needsWide = ({ data }: Tensor): boolean => {
  const size = data.length === 1 ? Math.abs(Number(data[0])) : 1;
  return (size !== 0 && size < HALF_MIN_NORMAL) || (size > HALF_MAX && Number(data[0]) > 0);
};

/** The graph under conversion. */
interface Conversion {
  readonly nodes: OnnxNode[];
  readonly initializers: Map<string, OnnxInitializer>;
  /** Dtype of each value that is computed or fed, as it is in the new graph. */
  readonly types: Map<string, DType>;
  readonly sources: ReadonlyMap<string, Tensor>;
  readonly options: HalfOptions;
}

const dtypeIn = (c: Conversion, name: string): DType | undefined =>
  c.types.get(name) ?? c.sources.get(name)?.dtype;

/** The name under which an initializer of this dtype stands in the new graph. */
const initializer = (c: Conversion, name: string, dtype: Float): string => {
  const chosen = dtype === "float16" ? name : `${name}/float32`;
  if (c.initializers.has(chosen)) return chosen;
  const source = c.sources.get(name)!;
  const wide = ANONYMOUS.test(name) ? clamped(source) : source;
  const made = dtype === "float32" ? wide : narrowed(name, wide);
  c.initializers.set(chosen, { name: chosen, tensor: made });
  return chosen;
};

/** `name` as a value of `dtype`: itself, another form of the initializer, or a cast of it. */
const as = (c: Conversion, name: string, dtype: Float): string => {
  if (c.sources.has(name)) return initializer(c, name, dtype);
  if (c.types.get(name) === dtype) return name;
  const cast = `${name}/${dtype}`;
  if (!c.types.has(cast)) {
    c.nodes.push({
      opType: "Cast",
      domain: "",
      name: `Cast/${cast}`,
      inputs: [name],
      outputs: [cast],
      attrs: { to: { int: dataTypes[dtype] } },
    });
    c.types.set(cast, dtype);
  }
  return cast;
};

const widthOf = (c: Conversion, node: OnnxNode, { width }: HalfRule, inputs: readonly string[]): Float => {
  // The square of 256 is beyond float16 already.
  const isSquare = node.opType === "Mul" && node.inputs[0] === node.inputs[1];
  if (width === "wide" || isSquare) return "float32";
  const { keep = () => false } = c.options;
  if (width === "product") return inputs.some((n) => c.sources.has(n) && keep(n)) ? "float32" : "float16";
  const wide = inputs.some((n) =>
    c.sources.has(n) ? needsWide(c.sources.get(n)!) : c.types.get(n) === "float32",
  );
  return wide ? "float32" : "float16";
};

/** A cast of small integers is as exact in float16; one that was asked to be float32 stays it. */
const convertCast = (c: Conversion, node: OnnxNode): void => {
  const [from] = node.inputs as [string];
  const { to } = node.attrs as { to: { int: number } };
  const target = (Object.keys(dataTypes) as DType[]).find((d) => dataTypes[d] === to.int)!;
  const small = ["bool", "int8", "uint8"].includes(dtypeIn(c, from)!);
  const dtype = target === "float32" && small ? "float16" : target;
  const input = c.sources.has(from) && isFloat(dtypeIn(c, from)) ? initializer(c, from, "float32") : from;
  c.nodes.push({ ...node, inputs: [input], attrs: { to: { int: dataTypes[dtype] } } });
  c.types.set(node.outputs[0]!, dtype);
};

const convertFill = (c: Conversion, node: OnnxNode): void => {
  const { value } = node.attrs as { value?: { tensor: Tensor } };
  c.types.set(node.outputs[0]!, value?.tensor.dtype ?? "float32");
  c.nodes.push(node);
};

const convertByRule = (c: Conversion, node: OnnxNode): void => {
  const rule = halfRules.get(node.opType);
  if (rule === undefined) {
    throw new FormatError(`has the op ${node.opType}, of which it is not known how it computes in float16`, {
      field: node.name,
      hint: "export another dtype",
    });
  }
  const floats = node.inputs.filter((n) => n !== "" && isFloat(dtypeIn(c, n)));
  const width = widthOf(c, node, rule, floats);
  const { wideFrom = Number.POSITIVE_INFINITY } = rule;
  const inputs = node.inputs.map((n, i) =>
    floats.includes(n) ? as(c, n, i < wideFrom ? width : "float32") : n,
  );
  const asInput = (i: number): DType => {
    const own = dtypeIn(c, node.inputs[i]!);
    return own === undefined || isFloat(own) ? width : own;
  };
  node.outputs.forEach((name, i) => {
    const made = rule.outputs[i] ?? "same";
    c.types.set(
      name,
      typeof made === "number" ? asInput(made) : made === "same" ? asInput(rule.from ?? 0) : made,
    );
  });
  c.nodes.push({ ...node, inputs });
};

const convert = (c: Conversion, node: OnnxNode): void => {
  if (node.opType === "Cast") convertCast(c, node);
  else if (node.opType === "ConstantOfShape") convertFill(c, node);
  else convertByRule(c, node);
};

/** Gives the outputs their dtypes: those that came out otherwise are cast, under another name inside. */
const castOutputs = (c: Conversion, outputs: readonly OnnxValueInfo[]): OnnxNode[] => {
  const wrong = outputs.filter(({ name, dtype }) => isFloat(dtype) && c.types.get(name) !== dtype);
  const inner = new Map(wrong.map(({ name }) => [name, `${name}/inner`]));
  const of = (name: string): string => inner.get(name) ?? name;
  const nodes = c.nodes.map((n) => ({ ...n, inputs: n.inputs.map(of), outputs: n.outputs.map(of) }));
  return nodes.concat(
    wrong.map(({ name, dtype }) => ({
      opType: "Cast",
      domain: "",
      name: `Cast/${name}`,
      inputs: [of(name)],
      outputs: [name],
      attrs: { to: { int: dataTypes[dtype] } },
    })),
  );
};

/** Initializers that are used, float32 ones under their own name where no float16 form has it. */
const named = (c: Conversion, nodes: readonly OnnxNode[]): Pick<OnnxGraph, "nodes" | "initializers"> => {
  const used = new Set(nodes.flatMap((n) => n.inputs));
  for (const [name, t] of c.sources) {
    if (used.has(name) && !c.initializers.has(name)) c.initializers.set(name, { name, tensor: t });
  }
  const own = (name: string): string => {
    const plain = name.replace(/\/float32$/, "");
    return plain !== name && c.sources.has(plain) && !c.initializers.has(plain) ? plain : name;
  };
  return {
    nodes: nodes.map((n) => ({ ...n, inputs: n.inputs.map(own) })),
    initializers: Array.from(c.initializers.values(), (i) => ({ ...i, name: own(i.name) })),
  };
};

/**
 * `model` in float16. Throws ConfigError for a weight beyond float16's range, FormatError for an op that is
 * not in the table.
 */
export const halved = (model: OnnxModel, options: HalfOptions): OnnxModel => {
  const { graph } = model;
  const info = (v: OnnxValueInfo): OnnxValueInfo =>
    v.dtype === "float32" && options.io(v.name) ? { ...v, dtype: "float16" } : v;
  const inputs = graph.inputs.map(info);
  const outputs = graph.outputs.map(info);
  const c: Conversion = {
    nodes: [],
    initializers: new Map(),
    types: new Map(inputs.map((v) => [v.name, v.dtype])),
    sources: new Map(graph.initializers.map(({ name, tensor: t }) => [name, t])),
    options,
  };
  for (const node of graph.nodes) convert(c, node);
  const parts = named(c, castOutputs(c, outputs));
  return { ...model, graph: { ...graph, ...parts, inputs, outputs } };
};
