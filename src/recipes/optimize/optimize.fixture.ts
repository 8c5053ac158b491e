/** A small search: a model, some text, and how candidates are made and measured. */
import { batches, evalBatches } from "../../data/index.ts";
import { sizeFigure } from "../../evaluate/probe.ts";
import { tensor } from "../../ir/tensor.ts";
import { exactly } from "../../metrics/metric.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import type { Model } from "../../models/model.ts";
import { initialize } from "../../nn/param.ts";
import { optimizers } from "../../optim/index.ts";
import type { OptimizeOptions } from "../../search/candidates/run.ts";
import { figuresOf } from "../../search/figures.ts";
import { causalLm } from "../../tasks/causalLm.ts";
import { languageModelling } from "../../tasks/languageModelling.ts";
import { trainBpe } from "../../tokenizer/index.ts";
import { asUserData } from "../data/userData.ts";
import { onGraphFiles } from "./judge.ts";

/** Rows and tokens of a batch. */
export const [batch, context] = [2, 8];
const text = "the quick brown fox jumps over the lazy dog. ".repeat(6);
const tokenizer = trainBpe([text], { vocab: 258 });
/** Its tokens. */
export const tokens = tokenizer.encode(text);
const stream = { tokens, bytes: text.length, documents: 1 };
const report = { stages: [] };
/** Some text, as data. */
export const corpus = asUserData({ tokenizer, train: stream, validation: stream, report, skipped: [] });
const feeds = ({ inputIds, labels }: { inputIds: Int32Array; labels: Int32Array }) => ({
  inputIds: tensor("int32", [batch, context], inputIds),
  labels: tensor("int32", [batch * context], labels),
});
/** Held-out windows. */
export const windows = evalBatches({ tokens: tokens.subarray(0, 60), batch, context }).map(feeds);

/** A model with numbers of its own. */
export const modelOf = (seed: number, layers = 2): Model => {
  const shape = { vocab_size: 258, n_positions: 32, n_embd: 32, n_head: 2 };
  const config = gpt2Config({ ...shape, n_layer: layers });
  return { arch: gpt2, config, weights: initialize(gpt2.params(config) as never, seed), history: [] };
};

/** How a search is made; times are the same everywhere, sizes are the files' own. */
export const optionsOf = (
  budget: OptimizeOptions["budget"],
  judge: OptimizeOptions["judge"],
): OptimizeOptions => ({
  task: causalLm,
  lesson: {
    objective: languageModelling,
    context,
    heldOut: { windows, bytes: 60 },
    source: (index) => feeds(batches({ tokens, batch, context, seed: 2 })(index)),
  },
  figures: figuresOf({ task: causalLm, does: "generates", targets: ["node-cpu"] }),
  budget,
  teaching: ({ steps = 1 }) => ({
    ...{ batch, context, steps: Number(steps), seed: 1, clipNorm: 1 },
    optimizer: optimizers.adamw({ weightDecay: 0.1 }),
    schedule: () => 1e-3,
  }),
  probe: (model) =>
    onGraphFiles(model, async (_, sizeBytes) => ({
      figures: { ...sizeFigure(sizeBytes), "node-cpu/p50Ms": exactly(1) },
    })),
  judge,
});
