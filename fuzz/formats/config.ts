import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import { architectures } from "../../src/models/registry.ts";
import { initialize } from "../../src/nn/param.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { flatten } from "../../src/util/tree.ts";
import type { Format } from "../format.ts";
import { jsonBytes, mutateJson } from "../mutate/json.ts";
import { folder } from "./folder.ts";
import { golden } from "./golden.ts";

const { small, classes, rows } = golden("configs.json") as Readonly<
  Record<"small" | "classes" | "rows", Readonly<Record<string, unknown>>>
>;

const root = await folder();

/** A tiny model's folder for each family; its config is what is fuzzed. */
const families = Object.entries(small).map(([name, fields]) => {
  const config = { model_type: name, architectures: [classes[name]], ...(fields as object) };
  const arch = architectures[name]!;
  const tensors = flatten(initialize(arch.params(arch.parse(config)), 1));
  const dir = join(root, name);
  mkdirSync(dir);
  writeFileSync(join(dir, "model.safetensors"), Buffer.concat(encodeSafetensors(tensors)));
  return { name, dir, config };
});

/** Values of fields that the goldens give meaning to. */
const seeds = families.flatMap(({ name, config }) => [
  config,
  ...(rows[name] as { readonly fields: object }[]).map(({ fields }) => ({ ...config, ...fields })),
]);

/** Memory that a tiny model may take. */
const MEMORY = 2 ** 26;

const typeIn = (bytes: Uint8Array): unknown => {
  try {
    return (JSON.parse(Buffer.from(bytes).toString("utf8")) as { readonly model_type?: unknown } | null)
      ?.model_type;
  } catch {
    return undefined;
  }
};

export const config: Format = {
  seeds: seeds.map(jsonBytes),
  mutate: mutateJson,
  read: async (bytes) => {
    const type = typeIn(bytes);
    const { dir } = families.find(({ name }) => name === type) ?? families[0]!;
    writeFileSync(join(dir, "config.json"), bytes);
    await loadModel(dir, { memoryBytes: MEMORY });
  },
};

const generationSeeds = [
  {
    eos_token_id: [1, 2],
    pad_token_id: 0,
    do_sample: true,
    temperature: 0.7,
    top_k: 20,
    top_p: 0.9,
    min_p: 0.1,
  },
  {
    ...{
      max_new_tokens: 20,
      max_length: 30,
      min_length: 2,
      num_beams: 4,
      length_penalty: 0.6,
      early_stopping: true,
    },
    ...{
      bad_words_ids: [[3, 4], [5]],
      suppress_tokens: [1],
      begin_suppress_tokens: [2],
      forced_bos_token_id: 3,
    },
    ...{
      exponential_decay_length_penalty: [5, 1.1],
      sequence_bias: [[[1, 2], -1.5]],
      stop_strings: ["\n\n", "x"],
    },
    ...{ repetition_penalty: 1.1, no_repeat_ngram_size: 3, max_time: 5, decoder_start_token_id: 0 },
  },
  {
    num_beam_groups: 1,
    diversity_penalty: 0,
    penalty_alpha: 0,
    typical_p: 0.9,
    epsilon_cutoff: 0.01,
    eta_cutoff: 0.01,
  },
];

/** Settings of a folder whose config and weights are sound. */
export const generationConfig: Format = {
  seeds: generationSeeds.map(jsonBytes),
  mutate: mutateJson,
  read: async (bytes) => {
    const { dir, config: sound } = families[0]!;
    const own = join(dir, "generation");
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "config.json"), JSON.stringify(sound));
    copyFileSync(join(dir, "model.safetensors"), join(own, "model.safetensors"));
    writeFileSync(join(own, "generation_config.json"), bytes);
    await loadModel(own);
  },
};
