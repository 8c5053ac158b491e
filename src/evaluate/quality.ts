/** Quality on held-out text in units that do not depend on the tokenizer. */
import { bitsOf } from "../metrics/likelihood.ts";
import type { HeldOut } from "../train/validate.ts";

/** Loss on held-out text. */
export interface Quality {
  /** Mean loss, nats per token. */
  readonly natsPerToken: number;
  /** Bits to code one byte of the text: comparable across tokenizers. */
  readonly bitsPerByte: number;
}

/** From nats per token to bits per byte, for text of `bytes` bytes that made the measured tokens. */
export const qualityOf = (heldOut: HeldOut, bytes: number): Quality => ({
  natsPerToken: heldOut.loss,
  bitsPerByte: bitsOf(heldOut.loss * heldOut.tokens, bytes),
});
