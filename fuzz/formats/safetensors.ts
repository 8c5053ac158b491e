import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { tensorOf, zeros } from "../../src/ir/tensor.ts";
import type { Rng } from "../../src/util/rng.ts";
import type { Format } from "../format.ts";
import { mutateBytes, orBytes, pick } from "../mutate/bytes.ts";
import { changedJson } from "../mutate/json.ts";

const seed = (files: Parameters<typeof encodeSafetensors>): Uint8Array =>
  new Uint8Array(Buffer.concat(encodeSafetensors(...files)));

const seeds = [
  seed([
    new Map([
      ["wte.weight", tensorOf("float32", [3, 2], [1, 2, 3, 4, 5, 6])],
      ["h.0.bias", zeros({ dtype: "float16", shape: [4] })],
      ["ids", zeros({ dtype: "int64", shape: [2] })],
      ["none", zeros({ dtype: "uint8", shape: [0, 7] })],
    ]),
    { format: "pt", größe: "✓" },
  ]),
  seed([new Map([["x", zeros({ dtype: "bfloat16", shape: [] })]])]),
];

/** The file with another header of the right length. */
const withHeader = (bytes: Uint8Array, random: Rng, others: readonly Uint8Array[]): Uint8Array => {
  const length =
    bytes.length < 8 ? -1 : Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length < 0 || length > bytes.length - 8) return mutateBytes(bytes, random, others);
  const changed = changedJson(new TextDecoder().decode(bytes.subarray(8, 8 + length)), random);
  if (changed === undefined) return mutateBytes(bytes, random, others);
  const json = new TextEncoder().encode(changed + " ".repeat(pick(random, [0, 1, 7])));
  const first = new Uint8Array(BigUint64Array.of(BigInt(json.length)).buffer);
  return new Uint8Array(Buffer.concat([first, json, bytes.subarray(8 + length)]));
};

export const safetensors: Format = {
  seeds,
  mutate: orBytes(withHeader, 3),
  read: (bytes) => decodeSafetensors(bytes, "model.safetensors"),
};
