/** What a pattern is made of. */
import type { CodeTest } from "./codeSet.ts";

/** Empty matches at places: of lines, of the text, of words. */
export type Place = "lineStart" | "lineEnd" | "textStart" | "textEnd" | "lastLineEnd" | "word" | "notWord";

/** A part of a pattern. */
export type Node =
  | { readonly type: "char"; readonly code: number }
  | { readonly type: "set"; readonly test: CodeTest }
  | { readonly type: "concat"; readonly parts: readonly Node[] }
  | { readonly type: "either"; readonly options: readonly Node[] }
  | {
      readonly type: "repeat";
      readonly body: Node;
      readonly min: number;
      readonly max: number;
      readonly lazy: boolean;
    }
  | { readonly type: "atomic"; readonly body: Node }
  | { readonly type: "look"; readonly body: Node; readonly behind: boolean; readonly negative: boolean }
  | { readonly type: "place"; readonly place: Place };

/** What matches nothing at all: the empty text. */
export const EMPTY: Node = { type: "concat", parts: [] };

/** One node for a list of them. */
export const concat = (parts: readonly Node[]): Node =>
  parts.length === 1 ? parts[0]! : { type: "concat", parts };

/** One of several, tried in their order. */
export const either = (options: readonly Node[]): Node =>
  options.length === 1 ? options[0]! : { type: "either", options };

/** Fewest and most code points that a node matches. */
export const widthOf = (node: Node): [least: number, most: number] => {
  switch (node.type) {
    case "char":
    case "set":
      return [1, 1];
    case "concat":
      return node.parts.map(widthOf).reduce(([a, b], [c, d]) => [a + c, b + d], [0, 0]);
    case "either": {
      const widths = node.options.map(widthOf);
      return [Math.min(...widths.map(([least]) => least)), Math.max(...widths.map(([, most]) => most))];
    }
    case "repeat": {
      const [least, most] = widthOf(node.body);
      return [least * node.min, most === 0 || node.max === 0 ? 0 : most * node.max];
    }
    case "atomic":
      return widthOf(node.body);
    default:
      return [0, 0];
  }
};

/** The code points that a match can begin with, and whether it can be empty. */
export const firstOf = (node: Node): { readonly empty: boolean; readonly tests: readonly CodeTest[] } => {
  switch (node.type) {
    case "char":
      return { empty: false, tests: [(code) => code === node.code] };
    case "set":
      return { empty: false, tests: [node.test] };
    case "concat": {
      const tests: CodeTest[] = [];
      for (const part of node.parts) {
        const first = firstOf(part);
        tests.push(...first.tests);
        if (!first.empty) return { empty: false, tests };
      }
      return { empty: true, tests };
    }
    case "either": {
      const firsts = node.options.map(firstOf);
      return { empty: firsts.some(({ empty }) => empty), tests: firsts.flatMap(({ tests }) => tests) };
    }
    case "repeat": {
      const { empty, tests } = firstOf(node.body);
      return { empty: empty || node.min === 0, tests };
    }
    case "atomic":
      return firstOf(node.body);
    default:
      return { empty: true, tests: [] };
  }
};

/** Whether part of a node, looks aside, gives nothing back once it has matched. */
export const hasAtomic = (node: Node): boolean => {
  if (node.type === "concat") return node.parts.some(hasAtomic);
  if (node.type === "either") return node.options.some(hasAtomic);
  return node.type === "atomic" || (node.type === "repeat" && hasAtomic(node.body));
};
