/**
 * The storage types of ggml's tensors that are written here: float32, float16, and blocks of 32 numbers under
 * one float16 scale (Q8_0, Q4_0). Rounding is that of ggml's reference quantizers bit for bit, which compute
 * in float32 (https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c).
 */
import { ConfigError } from "../util/errors.ts";
import { narrowFloat16, widenFloat16 } from "../util/float16.ts";

export type GgmlType = "f32" | "f16" | "q8_0" | "q4_0";

export interface GgmlForm {
  /** Number of the type in a file. */
  readonly id: number;
  /** Numbers in one block: the rows' length is a multiple of it. */
  readonly block: number;
  readonly blockBytes: number;
  /** Whole blocks of numbers as bytes. Throws ConfigError for a number that the type cannot hold. */
  pack(values: Float32Array): Uint8Array;
  /** The numbers of whole blocks. */
  unpack(bytes: Uint8Array): Float32Array;
}

const BLOCK = 32;

const unfit = (x: number, type: string): never => {
  throw new ConfigError(`has the value ${x}, which ${type} cannot hold`, {
    hint: Number.isFinite(x)
      ? "write it as f32"
      : "the weights are damaged: train again or use an earlier one",
  });
};

/** Float16 bits. Throws ConfigError where a number does not fit. */
const halvesOf = (values: Float32Array, type: string): Uint16Array => {
  const bits = new Uint16Array(values.length);
  narrowFloat16(values, bits);
  for (let i = 0; i < bits.length; i++) if ((bits[i]! & 0x7c00) === 0x7c00) unfit(values[i]!, type);
  return bits;
};

const widen = (bits: Uint16Array): Float32Array => {
  const out = new Float32Array(bits.length);
  widenFloat16(bits, out);
  return out;
};

/** The number of largest magnitude in a block, the first of equals; NaN where there is one. */
const extreme = (values: Float32Array, start: number): number => {
  let most = 0;
  for (let i = start; i < start + BLOCK; i++) {
    const x = values[i]!;
    if (Number.isNaN(x)) return x;
    if (Math.abs(x) > Math.abs(most)) most = x;
  }
  return most;
};

interface Blocks {
  /** Bytes of a block: a float16 scale, then the quantized numbers. */
  readonly bytes: number;
  scale(extreme: number): number;
  /** Writes a block's quantized numbers; `inverse` is one over the scale, 0 for a block of zeros. */
  quantize(values: Float32Array, start: number, inverse: number, out: Uint8Array): void;
  /** Number i of a block without its scale. */
  value(q: Uint8Array, i: number): number;
}

const blockForm = (id: number, name: GgmlType, { bytes, scale, quantize, value }: Blocks): GgmlForm => ({
  id,
  block: BLOCK,
  blockBytes: bytes,
  pack: (values) => {
    const blocks = values.length / BLOCK;
    const scales = Float32Array.from({ length: blocks }, (_, b) => scale(extreme(values, b * BLOCK)));
    const bits = halvesOf(scales, name);
    const out = new Uint8Array(blocks * bytes);
    for (let b = 0, at = 0; b < blocks; b++, at += bytes) {
      out[at] = bits[b]! & 255;
      out[at + 1] = bits[b]! >> 8;
      const inverse = scales[b] === 0 ? 0 : Math.fround(1 / scales[b]!);
      quantize(values, b * BLOCK, inverse, out.subarray(at + 2, at + bytes));
    }
    return out;
  },
  unpack: (packed) => {
    const blocks = packed.length / bytes;
    const scales = widen(
      Uint16Array.from({ length: blocks }, (_, b) => packed[b * bytes]! | (packed[b * bytes + 1]! << 8)),
    );
    const out = new Float32Array(blocks * BLOCK);
    for (let b = 0; b < blocks; b++) {
      const q = packed.subarray(b * bytes + 2, (b + 1) * bytes);
      for (let i = 0; i < BLOCK; i++) out[b * BLOCK + i] = scales[b]! * value(q, i);
    }
    return out;
  },
});

/** d = max |x| / 127; q = x / d, halves away from zero. */
const q8: Blocks = {
  bytes: 2 + BLOCK,
  scale: (most) => Math.abs(most) / 127,
  quantize: (values, start, inverse, out) => {
    for (let i = 0; i < BLOCK; i++) {
      const x = Math.fround(values[start + i]! * inverse);
      out[i] = x < 0 ? -Math.floor(0.5 - x) : Math.floor(0.5 + x);
    }
  },
  value: (q, i) => (q[i]! << 24) >> 24,
};

/** d = (x of largest magnitude) / -8; q = x / d + 8; a block's second half is in the high nibbles. */
const q4: Blocks = {
  bytes: 2 + BLOCK / 2,
  scale: (most) => most / -8,
  quantize: (values, start, inverse, out) => {
    for (let i = 0; i < BLOCK; i++) {
      const x = Math.fround(Math.fround(values[start + i]! * inverse) + 8.5);
      const nibble = Math.min(15, Math.trunc(x));
      out[i % 16]! |= i < 16 ? nibble : nibble << 4;
    }
  },
  value: (q, i) => (i < 16 ? q[i]! & 15 : q[i - 16]! >> 4) - 8,
};

const asBytes = (data: Float32Array | Uint16Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** A copy: typed arrays need aligned bytes. */
const copied = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

/** The types by their names in llama.cpp. */
export const ggmlTypes: Readonly<Record<GgmlType, GgmlForm>> = {
  f32: {
    id: 0,
    block: 1,
    blockBytes: 4,
    pack: asBytes,
    unpack: (bytes) => new Float32Array(copied(bytes)),
  },
  f16: {
    id: 1,
    block: 1,
    blockBytes: 2,
    pack: (values) => asBytes(halvesOf(values, "f16")),
    unpack: (bytes) => widen(new Uint16Array(copied(bytes))),
  },
  q8_0: blockForm(8, "q8_0", q8),
  q4_0: blockForm(2, "q4_0", q4),
};
