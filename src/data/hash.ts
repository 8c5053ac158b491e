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

const block = (h: Int32Array, words: Int32Array): void => {
  for (let i = 0; i < 4; i++) {
    const turned = rotate(h[i]! ^ lane(words[i]!, i), TURN[i]!);
    h[i] = Math.imul(turned + h[(i + 1) % 4]!, 5) + ADD[i]!;
  }
};

const addAll = (h: Int32Array): void => {
  h[0]! += h[1]! + h[2]! + h[3]!;
  for (let i = 1; i < 4; i++) h[i]! += h[0]!;
};

/** 128 bits of `bytes` as 32 hexadecimal digits, with the seed 0. */
export const hash128 = (bytes: Uint8Array): string => {
  const h = new Int32Array(4);
  const words = new Int32Array(4);
  const whole = bytes.length - (bytes.length % 16);
  for (let at = 0; at < bytes.length; at += 16) {
    words.fill(0);
    for (let i = 0; i < 16 && at + i < bytes.length; i++) words[i >> 2]! |= bytes[at + i]! << (8 * (i & 3));
    if (at < whole) block(h, words);
    else for (let i = 0; i < 4; i++) h[i]! ^= lane(words[i]!, i);
  }
  for (let i = 0; i < 4; i++) h[i]! ^= bytes.length;
  addAll(h);
  for (let i = 0; i < 4; i++) h[i] = finish(h[i]!);
  addAll(h);
  return Array.from(h, (x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
};
