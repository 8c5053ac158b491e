/** The architectures by config.json's model_type. */

import { gpt2 } from "./decoders/gpt2.ts";
import { llama } from "./decoders/llama.ts";
import { qwen2 } from "./decoders/qwen2.ts";
import { qwen3 } from "./decoders/qwen3.ts";
import { bert } from "./encoders/bert.ts";
import { distilbert } from "./encoders/distilbert.ts";
import { electra } from "./encoders/electra.ts";
import { model2vec } from "./encoders/model2vec.ts";
import { modernbert } from "./encoders/modernbert.ts";
import { mpnet } from "./encoders/mpnet.ts";
import { roberta, xlmRoberta } from "./encoders/roberta.ts";
import type { Architecture } from "./model.ts";
import { marian } from "./seq2seq/marian.ts";
import { t5 } from "./seq2seq/t5.ts";

/** The architectures by config.json's model_type. */
export const architectures: Readonly<Record<string, Architecture>> = {
  gpt2,
  llama,
  qwen2,
  qwen3,
  bert,
  roberta,
  "xlm-roberta": xlmRoberta,
  distilbert,
  electra,
  modernbert,
  mpnet,
  model2vec,
  t5,
  marian,
};
