/** What saves memory changes nothing: recompute of activations, and the head's loss in chunks of rows. */
import { beforeAll, describe, expect, test } from "vitest";
import { adapt, besidesAdapters } from "../src/adapters/index.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import { nodesOf } from "../src/ir/program.ts";
import { type Tensor, tensorOf } from "../src/ir/tensor.ts";
import type { Model } from "../src/models/model.ts";
import { architectures } from "../src/models/registry.ts";
import { initialize, type ParamSpec, tensorsOf } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw, sgd } from "../src/optim/index.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import { maskedLanguageModelling } from "../src/tasks/maskedLm.ts";
import type { Objective } from "../src/tasks/objective.ts";
import { sequenceToSequence } from "../src/tasks/seq2seq/sequenceToSequence.ts";
import { train } from "../src/train/loop.ts";
import { fusedStep, type StepOptions } from "../src/train/step.ts";
import type { Tree } from "../src/util/tree.ts";
import { draw } from "./reference.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [B, T] = [2, 6];
const ints = (name: string, shape: readonly number[]): Tensor => {
  const n = shape.reduce((a, b) => a * b, 1);
  return tensorOf("int32", shape, draw(name, n, 2, 20).map(Math.floor));
};
const drawn = Array.from(ints("labels", [B * T]).data, Number);
const labels = tensorOf(
  "int32",
  [B * T],
  drawn.map((id, i) => (i === 3 || i === 4 ? -100 : id)),
);
const labelled = { inputIds: ints("ids", [B, T]), labels };
const attentionMask = tensorOf("int32", [B, T], new Array(B * T).fill(1));
const small = { vocab_size: 23, hidden_size: 16, intermediate_size: 24, initializer_range: 0.2 };
const rates = { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1 };

interface Family {
  readonly config: Readonly<Record<string, unknown>>;
  readonly objective: Objective;
  readonly batch: Feeds;
}
const families: Readonly<Record<string, Family>> = {
  gpt2: {
    config: { vocab_size: 23, n_positions: 8, n_embd: 16, n_layer: 3, n_head: 2, resid_pdrop: 0.1 },
    objective: languageModelling,
    batch: labelled,
  },
  llama: {
    config: { ...small, num_hidden_layers: 3, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 8 },
    objective: languageModelling,
    batch: labelled,
  },
  bert: {
    config: { ...small, ...rates, num_hidden_layers: 3, num_attention_heads: 2, max_position_embeddings: 8 },
    objective: maskedLanguageModelling(),
    batch: { ...labelled, attentionMask },
  },
  distilbert: {
    config: { vocab_size: 23, dim: 16, n_layers: 3, n_heads: 2, hidden_dim: 24, max_position_embeddings: 8 },
    objective: maskedLanguageModelling(),
    batch: { ...labelled, attentionMask },
  },
  t5: {
    config: {
      vocab_size: 23,
      d_model: 16,
      d_kv: 8,
      d_ff: 24,
      num_heads: 2,
      num_layers: 3,
      dropout_rate: 0.1,
    },
    objective: sequenceToSequence({ target: T }),
    batch: { ...labelled, attentionMask, decoderInputIds: ints("target", [B, T]) },
  },
  marian: {
    config: {
      ...{ vocab_size: 23, d_model: 16, encoder_layers: 2, decoder_layers: 2, max_position_embeddings: 8 },
      ...{ encoder_attention_heads: 2, decoder_attention_heads: 2, encoder_ffn_dim: 24, decoder_ffn_dim: 24 },
      ...{ pad_token_id: 0, eos_token_id: 1, decoder_start_token_id: 0 },
    },
    objective: sequenceToSequence({ target: T }),
    batch: { ...labelled, attentionMask, decoderInputIds: ints("target", [B, T]) },
  },
};

const modelOf = (name: string): Model => {
  const arch = architectures[name]!;
  const config = arch.parse({ ...families[name]!.config, model_type: name });
  return { arch, config, weights: initialize(arch.params(config) as Tree<ParamSpec>, 1), history: [] };
};

const trained = async (model: Model, { objective, batch }: Family, more: object) => {
  const losses: number[] = [];
  const result = await train(engine, model, () => batch, {
    ...{ batch: B, context: T, steps: 3, schedule: () => 0.1, optimizer: sgd(), objective, clipNorm: 1 },
    onRow: ({ loss }) => loss !== undefined && losses.push(loss),
    ...more,
  });
  return { losses, weights: new Map(tensorsOf(result.model.weights)) };
};

const same = (a: Awaited<ReturnType<typeof trained>>, b: typeof a): void => {
  expect(a.losses.every((loss, i) => Math.abs(loss - b.losses[i]!) < 1e-5)).toBe(true);
  for (const [name, { data }] of a.weights) {
    const other = Array.from(b.weights.get(name)!.data, Number);
    const worst = Math.max(...Array.from(data, Number).map((x, i) => Math.abs(x - other[i]!)));
    expect(worst, name).toBeLessThan(1e-5);
  }
};

describe.each(Object.entries(families))("%s", (name, family) => {
  test("trains as it does without recompute, its nodes computed twice", async () => {
    const model = modelOf(name);
    const plain = await trained(model, family, {});
    same(plain, await trained(model, family, { recompute: true }));
    const options: StepOptions = { ...family, batch: B, context: T, optimizer: adamw() } as never;
    const count = (more: object) => nodesOf(fusedStep(model, { ...options, ...more })).length;
    expect(count({ recompute: true })).toBeGreaterThan(count({}) * 1.05);
  });
});

test.each([1, 5, 6])("the loss in chunks of %i rows is that of all at once", async (lossRows) => {
  for (const name of ["gpt2", "t5"]) {
    const [model, family] = [modelOf(name), families[name]!];
    same(await trained(model, family, {}), await trained(model, family, { lossRows }));
  }
});

test("both under adapters over a head that stands still", async () => {
  const [model, family] = [adapt(modelOf("llama"), { rank: 2, dropout: 0.1 }), families.llama!];
  const frozen = besidesAdapters(model.weights);
  const plain = await trained(model, family, { frozen });
  same(plain, await trained(model, family, { frozen, recompute: true, lossRows: 4 }));
});

test("weights that are trained where they lie end as copies do", async () => {
  const arch = architectures.gpt2!;
  const sizes = { vocab_size: 1040, n_positions: 8, n_embd: 128, n_layer: 2, n_head: 2 };
  const config = arch.parse({ model_type: "gpt2", ...sizes });
  const fresh = () => initialize(arch.params(config) as Tree<ParamSpec>, 1) as Tree<Tensor>;
  const run = async (weights: Tree<Tensor>, more: object) => {
    const model: Model = { arch, config, weights, history: [] };
    return (await trained(model, families.gpt2!, { accumulate: 2, steps: 2, ...more })).weights;
  };
  const bytes = ({ data }: Tensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const words = (weights: Tree<Tensor>) => new Map(tensorsOf(weights)).get("transformer.wte.weight")!;
  const [mine, given] = [fresh(), fresh()];
  const want = await run(mine, {});
  const got = await run(given, { takesWeights: true });
  for (const [name, t] of want) expect(bytes(got.get(name)!).equals(bytes(t)), name).toBe(true);
  expect(bytes(words(mine)).equals(bytes(words(fresh())))).toBe(true);
  expect(bytes(words(given)).equals(bytes(want.get("transformer.wte.weight")!))).toBe(true);
});
