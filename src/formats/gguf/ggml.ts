/**
 * The storage types of ggml's tensors. Written are float32, float16, blocks of 32 numbers under a scale and
 * perhaps an offset (packBlocks.ts) and of 256 (packSuperBlocks.ts). Read are some more.
 */
import { widenBfloat16, widenFloat16 } from "../../util/float16.ts";
import { blockTypes, type GgmlForm } from "./ggmlBlocks.ts";
import { superBlockTypes } from "./ggmlSuperBlocks.ts";
import { packedBlocks } from "./packBlocks.ts";
import { packedSuperBlocks } from "./packSuperBlocks.ts";
import { type GgmlWrittenForm, halvesOf } from "./writing.ts";

export type { GgmlWrittenForm };

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
  ...packedBlocks,
  ...packedSuperBlocks,
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
