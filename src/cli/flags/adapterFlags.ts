/** The flags of adapters: what is trained in place of a model's weights. */
import type { Flag } from "./flag.ts";

/** The adapters that a model is opened with. */
export const adapterFlag: Flag = {
  flag: "--adapter <folders...>",
  field: "model.adapters",
  help: "adapters on the model, each on those before: folders, or org/name",
  verbs: ["quickstart", "train", "finetune", "optimize", "eval"],
};

/** What of a model stays as it is, what moves less, and how a step saves memory. */
export const freezeFlags: readonly Flag[] = [
  {
    flag: "--freeze <patterns...>",
    field: "train.freeze",
    help: "weights that stay as they are, such as 'transformer.w*'",
  },
  {
    flag: "--freeze-layers <n>",
    field: "train.freezeLayers",
    help: "first layers that stay as they are; 0: none",
  },
  { flag: "--freeze-embeddings", field: "train.freezeEmbeddings", help: "embeddings stay as they are" },
  {
    flag: "--layer-decay <x>",
    field: "train.layerDecay",
    help: "factor on the rate from a layer to the one below",
  },
  {
    flag: "--recompute",
    field: "train.recompute",
    help: "compute activations again in place of keeping them: less memory, more time",
  },
  {
    flag: "--loss-rows <n>",
    field: "train.lossRows",
    help: "rows of logits that are there at once: less memory; 0: all",
  },
];

/** Their rows in the table of flags. */
export const adapterFlags: readonly Flag[] = [
  {
    flag: "--lora <rank>",
    field: "adapter.rank",
    help: "train adapters of this rank alone; 0: none",
    common: ["train", "finetune"],
  },
  { flag: "--lora-alpha <x>", field: "adapter.alpha", help: "scale by this over the rank; 0: as the rank" },
  { flag: "--lora-dropout <x>", field: "adapter.dropout", help: "dropout of what adapters read" },
  {
    flag: "--lora-targets <names...>",
    field: "adapter.targets",
    help: "ends of matrices' names (default: all inner ones)",
  },
  { flag: "--lora-save <modules...>", field: "adapter.save", help: "modules that are trained whole beside" },
  {
    flag: "--lora-tokens <tokens...>",
    field: "adapter.tokens",
    help: "tokens whose embeddings are trained beside",
  },
  { flag: "--lora-bias <which>", field: "adapter.bias", help: "biases that are trained beside" },
  { flag: "--rslora", field: "adapter.rankStabilized", help: "scale by the rank's square root" },
  { flag: "--dora", field: "adapter.dora", help: "train the outputs' lengths beside" },
  {
    flag: "--base-bits <n>",
    field: "adapter.baseBits",
    help: "32, 8 or 4: of the weights below the adapters",
  },
];
