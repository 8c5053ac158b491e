/** A model by its contents. */
import { createHash, type Hash } from "node:crypto";
import type { Model } from "../../models/model.ts";
import { denseTensors } from "../../nn/param.ts";

/** The bytes that numbers lie in. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

/** A hash of a model, open for more: its family, config and all its numbers. */
export const modelHash = ({ arch, config, weights }: Model): Hash => {
  const hash = createHash("sha256").update(JSON.stringify([arch.name, config]));
  for (const [path, { shape, data }] of denseTensors(weights)) {
    hash.update(JSON.stringify([path, shape]));
    hash.update(bytesOf(data));
  }
  return hash;
};
