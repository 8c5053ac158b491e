/**
 * Kernels of WebAssembly with 128-bit vectors (https://webassembly.github.io/spec/core/binary): each reads some
 * arrays of float32 and writes others of the same length, in one pass. A written array may be a read one.
 */

/** What a kernel does to each element: one value after another, of those that came before. */
export type Instruction =
  /** The element of the array of this number among those read. */
  | { readonly load: number }
  /** The scalar of this number among those given. */
  | { readonly scalar: number }
  | { readonly op: VectorOp; readonly of: readonly number[] };

/** A kernel: its instructions, and the values that it writes by their numbers. */
export interface Kernel {
  readonly reads: number;
  readonly scalars: number;
  readonly body: readonly Instruction[];
  readonly writes: readonly number[];
}

/** Bytes that a kernel goes on by: arrays have to be that much apart, and their lengths are rounded up. */
export const STRIDE = 64;
const VECTOR = 16;

const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];

const unsigned = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...unsigned(n >>> 7)]);
/** Of numbers from 0 to 8191, whose sign must not be taken for theirs. */
const signed = (n: number): number[] => (n < 64 ? [n] : [(n & 127) | 128, n >>> 7]);
const list = (items: readonly (readonly number[])[]): number[] => [
  ...unsigned(items.length),
  ...items.flat(),
];
const sized = (bytes: readonly number[]): number[] => [...unsigned(bytes.length), ...bytes];
const section = (id: number, items: readonly (readonly number[])[]): number[] => [id, ...sized(list(items))];
const name = (text: string): number[] => sized([...text].map((c) => c.charCodeAt(0)));

const get = (local: number): number[] => [0x20, ...unsigned(local)];
const set = (local: number): number[] => [0x21, ...unsigned(local)];
const vector = (code: number): number[] => [0xfd, ...unsigned(code)];
const access = (code: number, offset: number): number[] => [...vector(code), 4, ...unsigned(offset)];
const ADD_I32 = 0x6a;

const ZERO = [...vector(0x0c), ...new Array(16).fill(0)];
const ONE = [0x43, 0, 0, 0x80, 0x3f, ...vector(0x13)];
const [GREATER, LESS, AND, OR] = [0x44, 0x43, 0x4e, 0x50].map(vector) as [
  number[],
  number[],
  number[],
  number[],
];
const MINUS_ONE = [...ONE, ...vector(0xe1)];

const plain = (code: number) => (of: readonly number[]) => [...of.flatMap(get), ...vector(code)];

/** What stands for an op, from the locals of what it is of. */
const vectorOps = {
  add: plain(0xe4),
  sub: plain(0xe5),
  mul: plain(0xe6),
  div: plain(0xe7),
  minimum: plain(0xe8),
  maximum: plain(0xe9),
  neg: plain(0xe1),
  abs: plain(0xe0),
  sqrt: plain(0xe3),
  sign: ([x]: readonly number[]) => [
    ...[...get(x!), ...ZERO, ...GREATER, ...ONE, ...AND],
    ...[...get(x!), ...ZERO, ...LESS, ...MINUS_ONE, ...AND, ...OR],
  ],
};

/** An op that kernels know. */
export type VectorOp = keyof typeof vectorOps;

/** Whether kernels know an op of this name. */
export const isVectorOp = (op: string): op is VectorOp => Object.hasOwn(vectorOps, op);

/** A function of (read arrays, written arrays, bytes of each, scalars). */
const functionOf = ({ reads, scalars, body, writes }: Kernel): { type: number[]; code: number[] } => {
  const length = reads + writes.length;
  const at = length + 1 + scalars;
  const value = (i: number): number => at + 1 + i;
  const isFixed = (i: number): boolean => "scalar" in body[i]!;
  const address = (array: number): number[] => [...get(array), ...get(at), ADD_I32];
  const made = (one: Instruction, offset: number): number[] => {
    if ("load" in one) return [...address(one.load), ...access(0x00, offset)];
    if ("scalar" in one) return [...get(length + 1 + one.scalar), ...vector(0x13)];
    return vectorOps[one.op](one.of.map(value));
  };
  const valuesOf = (fixed: boolean, offset = 0): number[] =>
    body.flatMap((one, i) => (isFixed(i) === fixed ? [...made(one, offset), ...set(value(i))] : []));
  const step = (offset: number): number[] => [
    ...valuesOf(false, offset),
    ...writes.flatMap((i, k) => [...address(reads + k), ...get(value(i)), ...access(0x0b, offset)]),
  ];
  const steps = Array.from({ length: STRIDE / VECTOR }, (_, i) => step(i * VECTOR)).flat();
  const [LOOP, EMPTY, END, BRANCH_IF, CONSTANT, LESS_UNSIGNED] = [0x03, 0x40, 0x0b, 0x0d, 0x41, 0x49];
  const next = [...get(at), CONSTANT, ...signed(STRIDE), ADD_I32, 0x22, ...unsigned(at)];
  const loop = [LOOP, EMPTY, ...steps, ...next, ...get(length), LESS_UNSIGNED, BRANCH_IF, 0, END, END];
  const locals = list([
    [1, I32],
    [...unsigned(body.length), V128],
  ]);
  const given = [...new Array(length + 1).fill([I32]), ...new Array(scalars).fill([F32])];
  return { type: [0x60, ...list(given), 0], code: sized([...locals, ...valuesOf(true), ...loop]) };
};

/** A module of kernels, exported by their numbers, over the memory `env.memory`. */
export const moduleOf = (kernels: readonly Kernel[]): Uint8Array<ArrayBuffer> => {
  const functions = kernels.map(functionOf);
  const memory = [...name("env"), ...name("memory"), 0x02, 0x00, 0x01];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(
      1,
      functions.map(({ type }) => type),
    ),
    ...section(2, [memory]),
    ...section(
      3,
      functions.map((_, i) => unsigned(i)),
    ),
    ...section(
      7,
      functions.map((_, i) => [...name(String(i)), 0x00, ...unsigned(i)]),
    ),
    ...section(
      10,
      functions.map(({ code }) => code),
    ),
  ]);
};
