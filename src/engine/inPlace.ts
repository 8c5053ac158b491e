/**
 * Which state of a graph may be updated where it lies: a state input and the output of the same path share
 * one buffer only if nothing can read the old value once the new one is written.
 */
import { NEXT } from "../formats/onnx/lower.ts";
import type { OnnxModel, OnnxNode } from "../formats/onnx/onnx.ts";

/** Ops that read each element before they write the one at its place. */
const elementwise = new Set(["Add", "Sub", "Mul", "Div", "Identity"]);

/** Ops whose result onnxruntime may leave where the input lies: who reads it reads the input. */
const views = new Set(["Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity"]);

/** The names under which the buffer of `input` can be read. */
const aliases = (input: string, nodes: readonly OnnxNode[]): Set<string> => {
  const names = new Set([input]);
  for (const name of names) {
    for (const node of nodes) {
      if (views.has(node.opType) && node.inputs[0] === name) names.add(node.outputs[0]!);
    }
  }
  return names;
};

/** All nodes that `node` depends on, itself among them. */
const ancestors = (node: OnnxNode, makers: ReadonlyMap<string, OnnxNode>): Set<OnnxNode> => {
  const seen = new Set([node]);
  for (const one of seen) {
    for (const name of one.inputs) {
      const maker = makers.get(name);
      if (maker !== undefined) seen.add(maker);
    }
  }
  return seen;
};

/**
 * The state inputs (`x`, with an output `x:next`) that can be given as both: whoever reads one runs before
 * its next value is written, in any order that keeps the graph's dependencies.
 */
export const inPlaceStates = ({ graph }: OnnxModel): Set<string> => {
  const makers = new Map(graph.nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const safe = (input: string): boolean => {
    const writer = makers.get(input + NEXT);
    if (writer === undefined) return false;
    const before = ancestors(writer, makers);
    const names = aliases(input, graph.nodes);
    names.delete(input + NEXT);
    const readers = graph.nodes.filter((node) => node.inputs.some((name) => names.has(name)));
    return readers.every((node) =>
      node === writer ? node.domain === "" && elementwise.has(node.opType) : before.has(node),
    );
  };
  return new Set(graph.inputs.map(({ name }) => name).filter(safe));
};
