/** Changes that know nothing of a format. */
import type { Rng } from "../../src/util/rng.ts";

export type Mutate = (bytes: Uint8Array, random: Rng, others: readonly Uint8Array[]) => Uint8Array;

export const pick = <T>(random: Rng, list: readonly T[]): T => list[random.int(list.length)]!;

/** Integers at which widths, signs and limits end. */
export const integers: readonly bigint[] = [
  ...[0n, 1n, -1n, 2n, 3n, 7n, 63n, 64n, 100n, 255n, 256n, 1000n],
  ...[7n, 8n, 15n, 16n, 24n, 31n, 32n, 33n, 40n, 53n, 62n, 63n, 64n].flatMap((n) => [
    (1n << n) - 1n,
    1n << n,
    -(1n << n),
  ]),
];

/** Two places in order, the second one excluded. */
const range = (random: Rng, length: number, most: number): [from: number, to: number] => {
  const from = random.int(length + 1);
  return [from, Math.min(length, from + random.int(most + 1))];
};

export const spliced = (
  bytes: Uint8Array,
  from: number,
  to: number,
  put: Uint8Array,
): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(bytes.length - (to - from) + put.length);
  out.set(bytes.subarray(0, from));
  out.set(put, from);
  out.set(bytes.subarray(to), from + put.length);
  return out;
};

const noise = (random: Rng, length: number): Uint8Array => Uint8Array.from({ length }, () => random.int(256));

const changes: readonly Mutate[] = [
  // One bit.
  (bytes, random) => {
    const out = bytes.slice();
    if (out.length > 0) out[random.int(out.length)]! ^= 1 << random.int(8);
    return out;
  },
  (bytes, random) => {
    const out = bytes.slice();
    for (let n = 1 + random.int(4); n > 0 && out.length > 0; n--)
      out[random.int(out.length)] = pick(random, [0, 1, 0x7f, 0x80, 0xff, random.int(256)]);
    return out;
  },
  // A number over what is there.
  (bytes, random) => {
    const width = pick(random, [1, 2, 4, 8]);
    const out = bytes.slice();
    if (out.length < width) return out;
    const value = BigInt.asUintN(64, pick(random, integers));
    const at = random.int(out.length - width + 1);
    const big = random.int(8) === 0;
    for (let i = 0; i < width; i++)
      out[at + (big ? width - 1 - i : i)] = Number((value >> BigInt(8 * i)) & 255n);
    return out;
  },
  (bytes, random) => bytes.slice(0, random.int(bytes.length + 1)),
  // A piece less, a piece twice, a piece of noise.
  (bytes, random) => spliced(bytes, ...range(random, bytes.length, 32), new Uint8Array(0)),
  (bytes, random) => {
    const [from, to] = range(random, bytes.length, 64);
    return spliced(bytes, to, to, bytes.subarray(from, to));
  },
  (bytes, random) => {
    const at = random.int(bytes.length + 1);
    return spliced(bytes, at, at, noise(random, 1 + random.int(16)));
  },
  // A piece of another input.
  (bytes, random, others) => {
    const other = pick(random, others);
    const [from, to] = range(random, other.length, 256);
    return spliced(bytes, ...range(random, bytes.length, 64), other.subarray(from, to));
  },
  (bytes, random, others) => {
    const other = pick(random, others);
    const at = random.int(bytes.length + 1);
    return spliced(bytes, at, bytes.length, other.subarray(random.int(other.length + 1)));
  },
];

/** One change of bytes. */
export const mutateBytes: Mutate = (bytes, random, others) => pick(random, changes)(bytes, random, others);

/** Mostly `own`, now and then bytes. */
export const orBytes =
  (own: Mutate, oneIn = 4): Mutate =>
  (bytes, random, others) =>
    (random.int(oneIn) === 0 ? mutateBytes : own)(bytes, random, others);
