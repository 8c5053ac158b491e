/** The dropout of a checkpoint, which its config says in each family's own fields. */
import { ConfigError } from "../util/errors.ts";
import type { Model } from "./model.ts";

/** Fields of config.json that are rates of dropout within a model, or in front of its head. */
const RATES: ReadonlySet<string> = new Set([
  ...["hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout", "seq_classif_dropout"],
  ...["dropout", "attention_dropout", "dropout_rate", "resid_pdrop", "embd_pdrop", "attn_pdrop"],
  ...["embedding_dropout", "mlp_dropout"],
]);

/**
 * The model with all its rates of dropout at `rate`, which its config.json then says; a rate that follows
 * another (null) still does. Throws ConfigError for a family that has none.
 */
export const withDropout = (model: Model, rate: number): Model => {
  const fields = Object.entries(model.config);
  const changed = fields.filter(([name, value]) => RATES.has(name) && typeof value === "number");
  if (changed.length === 0) {
    throw new ConfigError(`means nothing to a ${model.arch.name}, which has no dropout`, {
      field: "model.dropout",
      hint: "leave --dropout out",
    });
  }
  const rates = Object.fromEntries(changed.map(([name]) => [name, rate]));
  return { ...model, config: { ...model.config, ...rates } };
};
