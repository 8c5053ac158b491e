/** The architectures by config.json's model_type. */
import { bert } from "./bert.ts";
import { distilbert } from "./distilbert.ts";
import { gpt2 } from "./gpt2.ts";
import { llama } from "./llama.ts";
import { marian } from "./marian.ts";
import type { Architecture } from "./model.ts";
import { mpnet } from "./mpnet.ts";
import { qwen2 } from "./qwen2.ts";
import { qwen3 } from "./qwen3.ts";
import { roberta, xlmRoberta } from "./roberta.ts";
import { t5 } from "./t5.ts";

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
  mpnet,
  t5,
  marian,
};
