/**
 * The gradients of a step in stages, so that those of a few params are there at once (ZeRO stage 2): the
 * first is the forward pass and the beginning of the backward pass, up to the gradients of the last layers.
 */
import { onnxBytes } from "../../engine/compile.ts";
import { cut } from "../../ir/cut.ts";
import type { Program } from "../../ir/program.ts";
import { sizeOf, type TensorType } from "../../ir/tensor.ts";
import { optimize } from "../../rewrite/index.ts";
import type { Shard } from "./shards.ts";

/** A stage's graph, and what it gives to later ones. */
export interface StageGraph {
  readonly model: Uint8Array;
  readonly kept: Readonly<Record<string, TensorType>>;
}

/** All stages of a step. */
export interface Stages {
  /** Paths whose gradients each finds. */
  readonly groups: readonly (readonly string[])[];
  /** By the width of a batch's rows. */
  readonly graphs: Readonly<Record<string, readonly StageGraph[]>>;
}

/** Stages into which gradients are divided where none is told. */
const STAGES = 8;

/** Paths of params in the order in which their gradients are found, in groups of about as many numbers. */
export const gradientGroups = (params: Shard, count = STAGES): readonly (readonly string[])[] => {
  const all = Object.entries(params).toReversed();
  const most = all.reduce((sum, [, { shape }]) => sum + sizeOf(shape), 0) / count;
  const groups: string[][] = [];
  let room = 0;
  for (const [path, { shape }] of all) {
    const size = sizeOf(shape);
    if (groups.length === 0 || size > room) {
      groups.push([]);
      room = most;
    }
    groups.at(-1)!.push(path);
    room -= size;
  }
  return groups;
};

/** The graphs of `gradientStep`'s program, a stage for each group of params. */
export const stageGraphs = (
  program: Program,
  groups: readonly (readonly string[])[],
): readonly StageGraph[] => {
  const outputs = groups.map((paths, k) => [
    ...(k === 0 ? ["loss"] : []),
    ...paths.map((path) => `grads.${path}`),
  ]);
  return cut(optimize(program), outputs).map(({ program: stage, kept }) => ({
    model: onnxBytes(stage, { halt: true }),
    kept,
  }));
};
