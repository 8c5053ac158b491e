/**
 * Training by a loss of texts' vectors: all texts of all examples go through the encoder as rows of one
 * batch.
 */
import { readsTokenTypes } from "../../models/encoders/encoder.ts";
import type { ModelConfig } from "../../models/model.ts";
import { sentenceEmbedding } from "../../models/pooling.ts";
import { reshape } from "../../ops/structure.ts";
import { encoderInputs } from "../encoderInputs.ts";
import type { Objective, VectorHalves } from "../objective.ts";
import type { LessonOptions } from "../task.ts";
import type { VectorLoss } from "./losses/vectorLoss.ts";
import { poolingOf } from "./neighbours.ts";

// B examples, G texts of an example, T time, C channels

/**
 * `loss` of the vectors of examples of `texts` texts each, which stand one below another in `inputIds` [B *
 * G, T]; `present` float32 [B, G] is 0 where a row stands for no text.
 */
export const sentenceObjective = (
  model: LessonOptions["model"],
  loss: VectorLoss,
  texts: number,
): Objective & { readonly byVectors: VectorHalves } => {
  const byVectors: VectorHalves = {
    vectors: ({ hidden }, { attentionMask }) => sentenceEmbedding(hidden, attentionMask!, poolingOf(model)),
    totals: (vectors, inputs) => {
      const [rows, width] = vectors.shape as readonly number[];
      return loss.totals(reshape(vectors, [rows! / texts, texts, width!]), inputs);
    },
  };
  return {
    name: loss.name,
    texts,
    inputs: (shape) => ({
      ...encoderInputs(
        { ...shape, batch: shape.batch * texts },
        { tokenTypes: readsTokenTypes(model.config as ModelConfig) },
      ),
      present: { dtype: "float32", shape: [shape.batch, texts] },
      ...loss.inputs({ batch: shape.batch, texts }),
    }),
    totals: (outputs, inputs) => byVectors.totals(byVectors.vectors(outputs, inputs), inputs),
    byVectors,
  };
};
