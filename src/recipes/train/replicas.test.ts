import { expect, test } from "vitest";
import { bert, bertConfig } from "../../models/encoders/bert.ts";
import { initialize } from "../../nn/param.ts";
import { defaults } from "../config/options.ts";
import { replicasOf } from "./replicas.ts";

const fields = {
  ...{ vocab_size: 4000, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2 },
  ...{ intermediate_size: 128, max_position_embeddings: 32, num_labels: 2 },
};
const modelOf = (more: object) => {
  const config = bertConfig({ ...fields, ...more });
  return { arch: bert, config, weights: initialize(bert.params(config), 1), history: [] };
};
const classifier = { architectures: ["BertForSequenceClassification"] };
const filler = { architectures: ["BertForMaskedLM"] };
const engine = { threads: 2 } as Parameters<typeof replicasOf>[2];

test("a model that is hardly more than a table of embeddings trains on one replica", () => {
  const train = { ...defaults.train, batch: 32 };
  expect(replicasOf(train, modelOf(classifier), engine)).toBe(1);
  expect(replicasOf({ ...train, replicas: 2 }, modelOf(classifier), engine)).toBe(2);
  expect(replicasOf(train, modelOf({ ...classifier, num_hidden_layers: 8 }), engine)).toBe(2);
  // Its head multiplies by the table.
  expect(replicasOf(train, modelOf(filler), engine)).toBe(2);
});
