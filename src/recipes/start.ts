/** What training starts from: a fresh model of the options' shape, or a checkpoint. */
import { gpt2, gpt2Config } from "../models/gpt2.ts";
import { llama, llamaConfig } from "../models/llama.ts";
import type { Architecture, Model, ModelConfig } from "../models/model.ts";
import { qwen2, qwen2Config } from "../models/qwen2.ts";
import { qwen3, qwen3Config } from "../models/qwen3.ts";
import { initialize, type ParamSpec } from "../nn/param.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { Tree } from "../util/tree.ts";
import type { Family, ModelOptions, RunOptions } from "./config/options.ts";
import type { RecipeHooks } from "./context/hooks.ts";
import type { Corpus } from "./data/corpus.ts";
import { openCausal } from "./open.ts";
import { type Source, sourceIn } from "./source.ts";

type Shape = ModelOptions & { readonly vocab_size: number; readonly eos: number };

/**
 * The gated MLP of Llama has three matrices where GPT-2's has two: two thirds of the width make as many
 * params (Shazeer 2020, https://arxiv.org/abs/2002.05202).
 */
const gatedWidth = (width: number): number => 32 * Math.ceil((8 * width) / 3 / 32);

const llamaFields = ({ vocab_size, n_embd, n_layer, n_head, n_positions, dropout, eos }: Shape) => ({
  vocab_size,
  hidden_size: n_embd,
  intermediate_size: gatedWidth(n_embd),
  num_hidden_layers: n_layer,
  num_attention_heads: n_head,
  num_key_value_heads: n_head,
  head_dim: n_embd / n_head,
  max_position_embeddings: n_positions,
  attention_dropout: dropout,
  bos_token_id: eos,
  eos_token_id: eos,
  pad_token_id: eos,
});

/** A fresh model's architecture and config by family. */
const families: Readonly<Record<Family, (shape: Shape) => [Architecture, ModelConfig]>> = {
  gpt2: ({ vocab_size, n_embd, n_layer, n_head, n_positions, dropout, activation_function, eos }) => {
    const shape = { vocab_size, n_embd, n_layer, n_head, n_positions, activation_function };
    const rates = { resid_pdrop: dropout, embd_pdrop: dropout, attn_pdrop: dropout };
    return [gpt2, gpt2Config({ ...shape, ...rates, bos_token_id: eos, eos_token_id: eos })];
  },
  llama: (shape) => [llama, llamaConfig(llamaFields(shape))],
  qwen2: (shape) => [qwen2, qwen2Config(llamaFields(shape))],
  qwen3: (shape) => [qwen3, qwen3Config(llamaFields(shape))],
};

/** A fresh model's architecture and config, without its weights. */
export const freshShape = ({ model }: RunOptions, vocab_size: number, eos = 0): [Architecture, ModelConfig] =>
  families[model.family]({ ...model, vocab_size, eos });

/** A fresh model of the options' shape. */
export const newModel = (options: RunOptions, { tokenizer }: Corpus): Model => {
  const { seed } = options;
  const [arch, config] = freshShape(options, tokenizer.vocabSize, tokenizer.eos);
  const weights = initialize(arch.params(config) as unknown as Tree<ParamSpec>, seed);
  return { arch, config, weights, history: [] };
};

export interface Start {
  /** Options with the context that the model takes. */
  readonly options: RunOptions;
  /** The checkpoint that `model.from` names. */
  readonly from?: { readonly model: Model; readonly tokenizer: Tokenizer; readonly source: Source };
}

/** Loads what the options start from. Throws as `openCausal` does. */
export const startOf = async (options: RunOptions, { hub, ui }: RecipeHooks): Promise<Start> => {
  const { from } = options.model;
  if (from === "") return { options };
  ui.stage("Loading the checkpoint");
  const { model, tokenizer, dir } = await openCausal(from, hub);
  const source = await sourceIn(dir, from);
  const { positions } = model.arch.cache(model.config);
  const n_positions = Math.min(positions, options.model.n_positions);
  return {
    options: { ...options, model: { ...options.model, n_positions } },
    from: { model, tokenizer, source },
  };
};
