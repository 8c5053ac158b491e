/** The objectives of causal language models. */
import type { Feeds } from "../engine/engine.ts";
import { type TensorType, tensor } from "../ir/tensor.ts";
import { type BatchShape, labelsType, labelTotals, type Objective } from "./objective.ts";

// B batch, T time

/** Next-token cross-entropy. */
export const languageModelling: Objective = {
  name: "lm",
  inputs: (shape) => ({ labels: labelsType(shape) }),
  totals: (outputs, { labels }) => labelTotals(outputs, labels!),
};

/** The inputs of rows that several texts share: `documentIds` and `positionIds`, int32 [B, T] each. */
export const documentInputs = ({ batch, context }: BatchShape) => {
  const grid: TensorType = { dtype: "int32", shape: [batch, context] };
  return { documentIds: grid, positionIds: grid };
};

/** The same as feeds, of texts by their numbers in a row [B * T]: positions count anew in each. */
export const documentFeeds = (
  documents: Int32Array,
  shape: readonly [batch: number, context: number],
): Feeds => {
  const positions = new Int32Array(documents.length);
  for (let i = 0; i < documents.length; i++) {
    const goesOn = i % shape[1] > 0 && documents[i] === documents[i - 1];
    positions[i] = goesOn ? positions[i - 1]! + 1 : 0;
  }
  return {
    documentIds: tensor("int32", shape, documents),
    positionIds: tensor("int32", shape, positions),
  };
};

/** Next-token cross-entropy of texts that share rows and do not see each other. */
export const documentModelling: Objective = {
  ...languageModelling,
  inputs: (shape) => ({ ...languageModelling.inputs(shape), ...documentInputs(shape) }),
  // Held-out text is one stream.
  heldOut: languageModelling,
};
