/**
 * Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405).
 * A draw is a pure function of (seed, stream, counter), so nothing has to be saved to resume exactly.
 */
/**
 * The upper 32 bits of a product of 32-bit words, from products of 16-bit halves, which a double holds
 * exactly.
 */
const mulHi = (a: number, b: number): number => {
  const a1 = a >>> 16;
  const a0 = a & 0xffff;
  const b1 = b >>> 16;
  const b0 = b & 0xffff;
  const mid = a1 * b0 + ((a0 * b0) >>> 16);
  const cross = a0 * b1 + (mid & 0xffff);
  return (a1 * b1 + Math.floor(mid / 0x10000) + Math.floor(cross / 0x10000)) >>> 0;
};

/**
 * Four 32-bit words for a counter of four words and a key of two. Written without destructuring in the
 * rounds, which would make arrays there and take ten times as long.
 */
export const philox4x32 = (counter: readonly number[], key: readonly [number, number]): number[] => {
  let [c0, c1, c2, c3] = counter as [number, number, number, number];
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const hi0 = mulHi(0xd2511f53, c0);
    const hi1 = mulHi(0xcd9e8d57, c2);
    const lo0 = Math.imul(0xd2511f53, c0) >>> 0;
    const lo1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c0 = (hi1 ^ c1 ^ k0) >>> 0;
    c1 = lo1;
    c2 = (hi0 ^ c3 ^ k1) >>> 0;
    c3 = lo0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
};

/** A stable 32-bit hash of a name (FNV-1a), to give each use of randomness a stream of its own. */
export const streamOf = (name: string): number => {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return h >>> 0;
};

/** Draws from one stream, each the next of its counter. */
export interface Rng {
  /** Uniform 32-bit word. */
  word(): number;
  /** Uniform in [0, 1). */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
  /** Uniform integer in [0, n). */
  int(n: number): number;
}

/** A generator over the stream `name` of `seed`, starting at `position` (in blocks of four words). */
export const rng = (seed: number, name: string, position = 0): Rng => {
  const key: [number, number] = [seed >>> 0, streamOf(name)];
  let block = position;
  let buffer: number[] = [];
  const word = (): number => {
    if (buffer.length === 0) {
      buffer = philox4x32(
        [block >>> 0, Math.floor(block / 2 ** 32), Math.floor(seed / 2 ** 32) >>> 0, 0],
        key,
      );
      block++;
    }
    return buffer.pop()!;
  };
  const uniform = (): number => word() / 2 ** 32;
  let spare: number | undefined;
  const normal = (): number => {
    if (spare !== undefined) {
      const z = spare;
      spare = undefined;
      return z;
    }
    const radius = Math.sqrt(-2 * Math.log((word() + 1) / 2 ** 32));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { word, uniform, normal, int: (n) => Math.floor(uniform() * n) };
};

/** A permutation of 0..n-1 (Fisher-Yates), a pure function of (seed, name). */
export const permutation = (n: number, seed: number, name: string): Uint32Array => {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  const random = rng(seed, name);
  for (let i = n - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
};
