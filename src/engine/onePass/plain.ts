/**
 * Passes without a memory of WebAssembly, for processes that are given too little address space for one
 * (`ulimit -v` below some 10 GB, as on clusters): the same numbers, op by op on a few thousand elements at a
 * time, which takes several times as long.
 */
import type { Instruction, Kernel, VectorOp } from "./wasm.ts";

const CHUNK = 4096;

const ops: Readonly<Record<VectorOp, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  minimum: Math.min,
  maximum: Math.max,
  neg: (a) => -a,
  abs: Math.abs,
  sqrt: Math.sqrt,
  sign: (a) => (a > 0 ? 1 : 0) - (a < 0 ? 1 : 0),
};

/** Runs a kernel over arrays of one length; a written array may be a read one. */
export const runPlain = (
  { body, writes }: Kernel,
  read: readonly Float32Array[],
  written: readonly Float32Array[],
  scalars: readonly number[],
): void => {
  const values = body.map(() => new Float32Array(CHUNK));
  const compute = (one: Instruction, into: Float32Array, from: number, size: number): void => {
    if ("load" in one) into.set(read[one.load]!.subarray(from, from + size));
    else if ("scalar" in one) into.fill(scalars[one.scalar]!);
    else {
      const [op, a, b] = [ops[one.op], values[one.of[0]!]!, values[one.of[1] ?? one.of[0]!]!];
      for (let i = 0; i < size; i++) into[i] = op(a[i]!, b[i]!);
    }
  };
  const length = written[0]?.length ?? 0;
  for (let from = 0; from < length; from += CHUNK) {
    const size = Math.min(CHUNK, length - from);
    for (const [i, one] of body.entries()) compute(one, values[i]!, from, size);
    for (const [k, i] of writes.entries()) written[k]!.set(values[i]!.subarray(0, size), from);
  }
};
