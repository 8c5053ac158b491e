/** What encoders read in training besides `inputIds`. */
import type { TensorType } from "../ir/tensor.ts";
import type { BatchShape } from "./objective.ts";

// B batch, T time

/** What a batch for an encoder says. */
export interface EncoderInputs {
  /** Whether the batch says the type of each token: see `readsTokenTypes`. */
  readonly tokenTypes?: boolean;
}

/** The type of int32 numbers. */
export const int32 = (...shape: number[]): TensorType => ({ dtype: "int32", shape });

/** attentionMask, and tokenTypeIds where the model reads them: [B, T] int32 each. */
export const encoderInputs = ({ batch, context }: BatchShape, { tokenTypes = false }: EncoderInputs) => ({
  attentionMask: int32(batch, context),
  ...(tokenTypes ? { tokenTypeIds: int32(batch, context) } : {}),
});
