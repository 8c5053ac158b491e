/**
 * The storage types of ggml's tensors. Written are float32, float16, and blocks of 32 numbers under one
 * float16 scale (Q8_0, Q4_0); rounding is that of ggml's reference quantizers bit for bit, which compute in
 * float32 (https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c). Read are many more.
 */
import { ConfigError } from "../../util/errors.ts";
import { narrowFloat16, widenBfloat16, widenFloat16 } from "../../util/float16.ts";
import { type BlockLayout, blocks, blockTypes, type GgmlForm, q4Block, q8Block } from "./ggmlBlocks.ts";
import { superBlockTypes } from "./ggmlSuperBlocks.ts";

/** A type that is written too. */
export interface GgmlWrittenForm extends GgmlForm {
  /** Whole blocks of numbers as bytes. Throws ConfigError for a number that the type cannot hold. */
  pack(values: Float32Array): Uint8Array;
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

interface Rounding {
  readonly name: string;
  /** A float16 scale, then the quantized numbers. */
  readonly layout: BlockLayout;
  scale(extreme: number): number;
  /** Writes a block's quantized numbers; `inverse` is one over the scale, 0 for a block of zeros. */
  quantize(values: Float32Array, start: number, inverse: number, out: Uint8Array): void;
}

const written = ({ name, layout, scale, quantize }: Rounding): GgmlWrittenForm => ({
  ...blocks(layout),
  pack: (values) => {
    const count = values.length / BLOCK;
    const bytes = layout.blockBytes;
    const scales = Float32Array.from({ length: count }, (_, b) => scale(extreme(values, b * BLOCK)));
    const bits = halvesOf(scales, name);
    const out = new Uint8Array(count * bytes);
    for (let b = 0, at = 0; b < count; b++, at += bytes) {
      out[at] = bits[b]! & 255;
      out[at + 1] = bits[b]! >> 8;
      const inverse = scales[b] === 0 ? 0 : Math.fround(1 / scales[b]!);
      quantize(values, b * BLOCK, inverse, out.subarray(at + 2, at + bytes));
    }
    return out;
  },
});

/** d = max |x| / 127; q = x / d, halves away from zero. */
const q8: Rounding = {
  name: "q8_0",
  layout: q8Block,
  scale: (most) => Math.abs(most) / 127,
  quantize: (values, start, inverse, out) => {
    for (let i = 0; i < BLOCK; i++) {
      const x = Math.fround(values[start + i]! * inverse);
      out[i] = x < 0 ? -Math.floor(0.5 - x) : Math.floor(0.5 + x);
    }
  },
};

/** d = (x of largest magnitude) / -8; q = x / d + 8; a block's second half is in the high nibbles. */
const q4: Rounding = {
  name: "q4_0",
  layout: q4Block,
  scale: (most) => most / -8,
  quantize: (values, start, inverse, out) => {
    for (let i = 0; i < BLOCK; i++) {
      const x = Math.fround(Math.fround(values[start + i]! * inverse) + 8.5);
      const nibble = Math.min(15, Math.trunc(x));
      out[i % 16]! |= i < 16 ? nibble : nibble << 4;
    }
  },
};

const asBytes = (data: Float32Array | Uint16Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** 16-bit numbers of bytes, which need not be aligned. */
const words = ({ buffer, byteOffset, length }: Uint8Array): Uint16Array =>
  byteOffset % 2 === 0
    ? new Uint16Array(buffer, byteOffset, length / 2)
    : new Uint16Array(buffer.slice(byteOffset, byteOffset + length));

const halfForm = (id: number, widen: (bits: Uint16Array, out: Float32Array) => void): GgmlForm => ({
  id,
  block: 1,
  blockBytes: 2,
  unpack: (bytes, out = new Float32Array(bytes.length / 2)) => {
    widen(words(bytes), out);
    return out;
  },
});

/** The types that are written, by their names in llama.cpp. */
export const ggmlTypes = {
  f32: {
    id: 0,
    block: 1,
    blockBytes: 4,
    pack: asBytes,
    unpack: (bytes: Uint8Array, out = new Float32Array(bytes.length / 4)) => {
      asBytes(out).set(bytes);
      return out;
    },
  },
  f16: { ...halfForm(1, widenFloat16), pack: (values: Float32Array) => asBytes(halvesOf(values, "f16")) },
  q8_0: written(q8),
  q4_0: written(q4),
} as const satisfies Readonly<Record<string, GgmlWrittenForm>>;

/** All types that are read. */
export const ggmlReadTypes = {
  ...ggmlTypes,
  bf16: halfForm(30, widenBfloat16),
  ...blockTypes,
  ...superBlockTypes,
} as const satisfies Readonly<Record<string, GgmlForm>>;

/** A storage type that is written. */
export type GgmlType = keyof typeof ggmlTypes;
/** A storage type that is read. */
export type GgmlReadType = keyof typeof ggmlReadTypes;

/** Names of the types that are not read, by their numbers. */
export const ggmlOtherTypes: ReadonlyMap<number, string> = new Map([
  ...([
    [9, "q8_1"],
    [16, "iq2_xxs"],
    [17, "iq2_xs"],
    [18, "iq3_xxs"],
    [19, "iq1_s"],
    [21, "iq3_s"],
  ] as const),
  ...([
    [22, "iq2_s"],
    [24, "i8"],
    [25, "i16"],
    [26, "i32"],
    [27, "i64"],
    [28, "f64"],
  ] as const),
  ...([
    [29, "iq1_m"],
    [34, "tq1_0"],
    [35, "tq2_0"],
    [39, "mxfp4"],
  ] as const),
]);
