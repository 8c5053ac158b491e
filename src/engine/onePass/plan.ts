/**
 * Programs that treat each element by itself, as optimizers do, in one pass over memory: onnxruntime takes
 * one for each op, a dozen for AdamW. What all elements share are scalars, worked out before.
 */

import { NEXT } from "../../formats/onnx/lower.ts";
import { isConstant, isInput, type Node, type Value } from "../../ir/op.ts";
import { nodesOf, type Program } from "../../ir/program.ts";
import { sameShape } from "../../ir/shape.ts";
import { sizeOf } from "../../ir/tensor.ts";
import { optimize } from "../../rewrite/index.ts";
import { entries } from "../../util/tree.ts";
import { isScalarOp, type ScalarStep } from "./scalars.ts";
import { type Instruction, isVectorOp, type Kernel, moduleOf } from "./wasm.ts";

/** One pass of a kernel over arrays of one length. */
export interface Pass {
  readonly kernel: number;
  readonly size: number;
  /** Inputs and outputs by name. */
  readonly reads: readonly string[];
  readonly writes: readonly string[];
  /** The scalars of these numbers. */
  readonly scalars: readonly number[];
}

/** A program in passes: plain data, so that it can be sent to another thread. */
export interface PassPlan {
  readonly kernels: readonly Kernel[];
  /** The module of these kernels. */
  readonly code: Uint8Array<ArrayBuffer>;
  readonly scalars: readonly ScalarStep[];
  readonly passes: readonly Pass[];
  /** The most arrays of a pass. */
  readonly arrays: number;
}

const isScalar = ({ shape }: Value): boolean => shape.length === 0;
const nameOf = (node: Node): string => (node.attrs as { name: string }).name;

/** Whether passes can compute a node: float32 scalars, or arrays of one shape and scalars. */
const isKnown = (node: Node): boolean => {
  const [out] = node.outputs;
  if (node.outputs.length !== 1 || out!.dtype !== "float32") return false;
  if (isInput(node)) return out!.shape.every((d) => typeof d === "number");
  if (isScalar(out!)) return isConstant(node) || (isScalarOp(node.op.name) && node.inputs.every(isScalar));
  return isVectorOp(node.op.name) && node.inputs.every((v) => isScalar(v) || sameShape(v.shape, out!.shape));
};

/** The scalars of a program in their order, and the number of each. */
const scalarsOf = (nodes: readonly Node[]) => {
  const numbers = new Map<Value, number>();
  const steps: ScalarStep[] = [];
  for (const node of nodes.filter(({ outputs }) => isScalar(outputs[0]!))) {
    numbers.set(node.outputs[0]!, steps.length);
    if (isInput(node)) steps.push({ input: node.attrs.name });
    else if (isConstant(node)) steps.push({ value: node.attrs.value.data[0] as number });
    else if (isScalarOp(node.op.name)) {
      steps.push({ op: node.op.name, of: node.inputs.map((v) => numbers.get(v)!) });
    }
  }
  return { numbers, steps };
};

/** The nodes of arrays, in the groups that have none in common. */
const groupsOf = (nodes: readonly Node[]): Node[][] => {
  const groups = new Map<Node, Node[]>();
  for (const node of nodes) {
    const joined = new Set(node.inputs.filter((v) => !isScalar(v)).map((v) => groups.get(v.node)!));
    const group = [...joined].flat();
    group.push(node);
    for (const one of group) groups.set(one, group);
  }
  return [...new Set(groups.values())];
};

type Outputs = ReadonlyMap<Value, readonly string[]>;

/** A group's kernel, and what it is given and gives by name. */
const passOf = (group: readonly Node[], outputs: Outputs, numbers: ReadonlyMap<Value, number>) => {
  const [body, values]: [Instruction[], Map<Value, number>] = [[], new Map()];
  const [reads, scalars]: [string[], number[]] = [[], []];
  const made = (value: Value, instruction: Instruction): void => {
    values.set(value, body.length);
    body.push(instruction);
  };
  for (const node of group) {
    for (const v of node.inputs.filter((v) => isScalar(v) && !values.has(v))) {
      made(v, { scalar: scalars.push(numbers.get(v)!) - 1 });
    }
    const out = node.outputs[0]!;
    if (isInput(node)) made(out, { load: reads.push(nameOf(node)) - 1 });
    else if (isVectorOp(node.op.name)) {
      made(out, { op: node.op.name, of: node.inputs.map((v) => values.get(v)!) });
    }
  }
  const written = group.flatMap(({ outputs: [out] }) =>
    (outputs.get(out!) ?? []).map((name) => ({ name, value: values.get(out!)! })),
  );
  const writes = written.map(({ value }) => value);
  const kernel: Kernel = { reads: reads.length, scalars: scalars.length, body, writes };
  const size = sizeOf(group[0]!.outputs[0]!.shape);
  return { kernel, size, reads, scalars, writes: written.map(({ name }) => name) };
};

/** Outputs by what they are made of; one whose path is an input's is its next value, as in a step's graph. */
const outputsOf = (program: Program): Map<Value, string[]> => {
  const inputs = new Set([...entries<Value>(program.inputs)].map(([path]) => path));
  const outputs = new Map<Value, string[]>();
  for (const [path, value] of entries<Value>(program.outputs)) {
    outputs.set(value, [...(outputs.get(value) ?? []), inputs.has(path) ? path + NEXT : path]);
  }
  return outputs;
};

/** `program` in passes; undefined where it has what passes cannot do, or an output that is a scalar. */
export const passPlan = (program: Program): PassPlan | undefined => {
  const given = optimize(program);
  const nodes = nodesOf(given);
  const outputs = outputsOf(given);
  if (!nodes.every(isKnown) || [...outputs.keys()].some(isScalar)) return undefined;
  const { numbers, steps } = scalarsOf(nodes);
  const groups = groupsOf(nodes.filter(({ outputs: [out] }) => !isScalar(out!)));
  const kernels = new Map<string, { kernel: Kernel; index: number }>();
  const passes = groups.map((group): Pass => {
    const { kernel, ...pass } = passOf(group, outputs, numbers);
    const key = JSON.stringify(kernel);
    const known = kernels.get(key) ?? { kernel, index: kernels.size };
    kernels.set(key, known);
    return { kernel: known.index, ...pass };
  });
  const all = Array.from(kernels.values(), ({ kernel }) => kernel);
  return {
    ...{ kernels: all, code: moduleOf(all) },
    ...{ scalars: steps, passes },
    arrays: Math.max(0, ...passes.map(({ reads, writes }) => reads.length + writes.length)),
  };
};
