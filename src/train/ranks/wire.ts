/**
 * Numbers on their way between ranks: as they are, or in 16 or 8 bits with a factor of 32 bits for each
 * block, as 8-bit optimizers store theirs (Dettmers et al. 2022, https://arxiv.org/abs/2110.02861). A block's
 * factor is its largest magnitude, so that gradients, however small, fill the range.
 */
import { narrowFloat16, widenFloat16 } from "../../util/float16.ts";

/** How numbers travel. */
export const wires = ["float32", "float16", "int8"] as const;

/** How numbers travel: of 32, 16 or 8 bits each. */
export type Wire = (typeof wires)[number];

/** Numbers to what travels, and back. */
export interface Codec {
  /** Elements of what travels for `count` numbers. */
  sizeOf(count: number): number;
  /** What travels, as bits of float32; of `float32` the numbers themselves. */
  pack(values: Float32Array): Float32Array;
  /** Writes as many numbers as `out` has. Those of a block that had one that is not finite are NaN. */
  unpack(bits: Float32Array, out: Float32Array): void;
}

const BLOCK = 256;

/** Of a block: its largest magnitude; NaN where one is. */
const largest = (block: Float32Array): number => {
  let max = 0;
  for (let i = 0; i < block.length; i++) {
    const magnitude = Math.abs(block[i]!);
    if (magnitude > max || Number.isNaN(magnitude)) max = magnitude;
  }
  return Number.isFinite(max) ? max : Number.NaN;
};

/** Payloads by what they are written as. */
interface Payload {
  readonly bytes: 1 | 2;
  /** Writes a block, in units of `factor`, from element `at` on. */
  write(block: Float32Array, factor: number, to: ArrayBuffer, at: number): void;
  /** Reads into a block what was written from `at` on. */
  read(block: Float32Array, factor: number, from: ArrayBufferLike, at: number): void;
}

const LEVELS = 127;

const int8: Payload = {
  bytes: 1,
  write(block, factor, to, at) {
    const codes = new Int8Array(to, at, block.length);
    const scale = factor > 0 ? LEVELS / factor : 0;
    for (let i = 0; i < block.length; i++) codes[i] = Math.round(block[i]! * scale);
  },
  read(block, factor, from, at) {
    const codes = new Int8Array(from, at, block.length);
    const unit = factor / LEVELS;
    for (let i = 0; i < block.length; i++) block[i] = codes[i]! * unit;
  },
};

const float16: Payload = {
  bytes: 2,
  write(block, factor, to, at) {
    const scaled = factor > 0 ? block.map((value) => value / factor) : block;
    narrowFloat16(scaled, new Uint16Array(to, at, block.length));
  },
  read(block, factor, from, at) {
    widenFloat16(new Uint16Array(from, at, block.length), block);
    for (let i = 0; i < block.length; i++) block[i] = block[i]! * factor;
  },
};

/** Blocks with a factor each: all factors, then what is written of the blocks. */
const inBlocks = ({ bytes, write, read }: Payload): Codec => {
  const factorsOf = (count: number): number => Math.ceil(count / BLOCK);
  const sizeOf = (count: number): number => factorsOf(count) + Math.ceil((count * bytes) / 4);
  return {
    sizeOf,
    pack(values) {
      const out = new Float32Array(sizeOf(values.length));
      const start = factorsOf(values.length) * 4;
      for (let at = 0, b = 0; at < values.length; at += BLOCK, b++) {
        const block = values.subarray(at, at + BLOCK);
        const factor = largest(block);
        out[b] = factor;
        write(block, factor, out.buffer, start + at * bytes);
      }
      return out;
    },
    unpack(bits, out) {
      const start = bits.byteOffset + factorsOf(out.length) * 4;
      for (let at = 0, b = 0; at < out.length; at += BLOCK, b++) {
        read(out.subarray(at, at + BLOCK), bits[b]!, bits.buffer, start + at * bytes);
      }
    },
  };
};

/** The codec of each wire. */
export const codecs: Readonly<Record<Wire, Codec>> = {
  float32: {
    sizeOf: (count) => count,
    pack: (values) => values,
    unpack: (bits, out) => out.set(bits),
  },
  float16: inBlocks(float16),
  int8: inBlocks(int8),
};
