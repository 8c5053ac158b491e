/**
 * MurmurHash3 x86_128 (Appleby 2011, https://github.com/aappleby/smhasher): 128 bits, the same in every
 * JavaScript.
 */

const rotate = (x: number, r: number): number => (x << r) | (x >>> (32 - r));

/** The avalanche step, by which every bit of a lane comes to depend on all of its bits. */
const finish = (h: number): number => {
  let x = h;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
};

// Each lane: multiply, rotate, multiply; then the state: rotate, add the next lane's, times 5 and a constant.
const C = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;
const MIX = [15, 16, 17, 18] as const;
const TURN = [19, 17, 15, 13] as const;
const ADD = [0x561ccd1b, 0x0bcaa747, 0x96cd1c35, 0x32ac3b17] as const;

const lane = (word: number, i: number): number =>
  Math.imul(rotate(Math.imul(word, C[i]!), MIX[i]!), C[(i + 1) % 4]!);

/** 128 bits of the first `length` bytes of `bytes` into `out` [4], with the seed 0; makes no garbage. */
export const hash128Into = (bytes: Uint8Array, length: number, out: Uint32Array): void => {
  let [h0, h1, h2, h3] = [0, 0, 0, 0];
  const word = (at: number): number =>
    bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  const whole = length - (length % 16);
  for (let at = 0; at < whole; at += 16) {
    h0 = (Math.imul((rotate(h0 ^ lane(word(at), 0), TURN[0]) + h1) | 0, 5) + ADD[0]) | 0;
    h1 = (Math.imul((rotate(h1 ^ lane(word(at + 4), 1), TURN[1]) + h2) | 0, 5) + ADD[1]) | 0;
    h2 = (Math.imul((rotate(h2 ^ lane(word(at + 8), 2), TURN[2]) + h3) | 0, 5) + ADD[2]) | 0;
    h3 = (Math.imul((rotate(h3 ^ lane(word(at + 12), 3), TURN[3]) + h0) | 0, 5) + ADD[3]) | 0;
  }
  const rest = (from: number): number => {
    let x = 0;
    for (let at = from; at < Math.min(from + 4, length); at++) x |= bytes[at]! << (8 * (at - from));
    return x;
  };
  h0 ^= lane(rest(whole), 0) ^ length;
  h1 ^= lane(rest(whole + 4), 1) ^ length;
  h2 ^= lane(rest(whole + 8), 2) ^ length;
  h3 ^= lane(rest(whole + 12), 3) ^ length;
  h0 = (h0 + h1 + h2 + h3) | 0;
  const f1 = finish((h1 + h0) | 0);
  const f2 = finish((h2 + h0) | 0);
  const f3 = finish((h3 + h0) | 0);
  out[0] = (finish(h0) + f1 + f2 + f3) | 0;
  out[1] = f1 + out[0]!;
  out[2] = f2 + out[0]!;
  out[3] = f3 + out[0]!;
};

/** 128 bits of `bytes` as 32 hexadecimal digits, with the seed 0. */
export const hash128 = (bytes: Uint8Array): string => {
  const h = new Uint32Array(4);
  hash128Into(bytes, bytes.length, h);
  return Array.from(h, (x) => x.toString(16).padStart(8, "0")).join("");
};

const utf8 = new TextEncoder();

/**
 * A hash of texts, as their UTF-8 bytes, to 4 words each: `hash(text, out)`. It encodes into one buffer that
 * grows with the longest text.
 */
export const textHasher = (): ((text: string, out: Uint32Array) => void) => {
  let buffer = new Uint8Array(1 << 16);
  return (text, out) => {
    // A UTF-16 unit takes at most three bytes.
    if (buffer.length < 3 * text.length)
      buffer = new Uint8Array(Math.max(3 * text.length, 2 * buffer.length));
    hash128Into(buffer, utf8.encodeInto(text, buffer).written, out);
  };
};
