// The passes of each kind of model, as commands after the model's name; the folder of the result where it is not that of --out.
const quantized = {
  "8-bits": ["--bits", "8"],
  nearest: ["--method", "nearest"],
  search: ["--method", "search"],
  hqq: ["--method", "hqq"],
  awq: ["--method", "awq"],
  gptq: ["--method", "gptq"],
  reconstruct: ["--method", "reconstruct"],
  "blocks-of-128": ["--block", "128"],
  "down-8": ["--keep-8", "down"],
  "6-bits-a-weight": ["--bits-per-weight", "6"],
};

const pruned = {
  layers: ["--layers", "3"],
  influence: ["--layers", "3", "--layers-by", "influence"],
  neurons: ["--neurons", "0.5"],
  taylor: ["--neurons", "0.75", "--importance", "taylor"],
  magnitude: ["--sparsity", "0.5", "--method", "magnitude"],
  wanda: ["--sparsity", "0.5", "--method", "wanda"],
  sparsegpt: ["--sparsity", "2:4"],
  admm: ["--sparsity", "2:4", "--method", "admm"],
  vocabulary: ["--cut-vocab"],
  taught: ["--neurons", "0.5", "--recover", "20"],
};

const distilled = {
  cut: ["--layers", "2", "--steps", "20"],
  fresh: ["--fresh", "--layers", "2", "--width", "64", "--heads", "4", "--steps", "20"],
  hidden: ["--layers", "2", "--hidden", "0.1", "--steps", "20"],
  relations: ["--layers", "2", "--relations", "1", "--steps", "20"],
  "learnt-4-bits": ["--bits", "4", "--steps", "20"],
  "learnt-2-bits": ["--bits", "2", "--steps", "20"],
};

const HEADS = { heads: ["--heads", "0.5"] };

/** What a kind has besides what all have. */
const own = {
  llama: { pruned: { ...HEADS, width: ["--width", "0.75"] } },
  t5: { pruned: HEADS },
  embedder: { distilled: { static: ["--static", "--dims", "64", "--steps", "20"] } },
};

/** How adapters are learnt that are merged in the end: on records, or on running text. */
const adapters = (kind) => {
  const lora = ["--lora", "4", "--steps", "20"];
  return ["bert", "marian"].includes(kind) ? ["finetune", ...lora] : ["train", "--from", ...lora];
};

const all = (verb, table, folder) =>
  Object.fromEntries(
    Object.entries(table).map(([name, words]) => [`${verb}-${name}`, { words: [verb, ...words], folder }]),
  );

/** What a kind has not: of running text sentence vectors have no loss, and two stacks of layers are not matched one by one. */
const stacks = ["distill-hidden", "distill-relations"];
const absent = { embedder: ["prune-taylor"], marian: stacks, t5: stacks };

/** By name. */
export const passesOf = (kind) =>
  Object.fromEntries(
    Object.entries({
      ...{ export: { words: ["export"] }, "export-gptq": { words: ["export", "--quantize-method", "gptq"] } },
      ...all("quantize", quantized),
      ...all("prune", { ...pruned, ...own[kind]?.pruned }),
      ...all("distill", { ...distilled, ...own[kind]?.distilled }, "model"),
      ...(kind === "embedder" ? {} : { adapters: { words: adapters(kind), folder: "model" } }),
    }).filter(([name]) => !absent[kind]?.includes(name)),
  );
