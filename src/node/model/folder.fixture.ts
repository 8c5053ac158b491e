/** A model folder of its own for each test of a file that imports this. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import { encodeIndex, planShards, shardName } from "../../formats/safetensors/safetensorsIndex.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { initialize } from "../../nn/param.ts";
import { charTokenizer } from "../../tokenizer/index.ts";
import type { AnnealError } from "../../util/errors.ts";
import { entries, type Tree } from "../../util/tree.ts";
import { loadFolder } from "./folder.ts";

const tokenizer = charTokenizer(["abc"]);

export const config = gpt2Config({
  vocab_size: tokenizer.vocabSize,
  n_positions: 8,
  n_embd: 8,
  n_layer: 2,
  n_head: 2,
});

export const weights = new Map(entries<Tensor>(initialize(gpt2.params(config), 3)));

export let dir = "";

export const put = (name: string, data: string | Uint8Array) => writeFile(join(dir, name), data);

export const putTensors = (name: string, tensors: ReadonlyMap<string, Tensor>) =>
  put(name, Buffer.concat(encodeSafetensors(tensors)));

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "anneal-folder-"));
  const files = tokenizer.files();
  await put("config.json", JSON.stringify(config));
  await put("tokenizer.json", JSON.stringify(files.tokenizer));
  await put("tokenizer_config.json", JSON.stringify(files.config));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

/** Writes the weights as shards of at most `maxBytes`, and returns the shards' names. */
export const putShards = async (maxBytes = 1024): Promise<string[]> => {
  const shards = planShards(weights, maxBytes);
  for (const [i, names] of shards.entries()) {
    const part = new Map(names.map((name) => [name, weights.get(name)!]));
    await putTensors(shardName(i, shards.length), part);
  }
  await put("model.safetensors.index.json", encodeIndex(shards, weights));
  return shards.map((_, i) => shardName(i, shards.length));
};

export const refusal = async (work: Promise<unknown> = loadFolder(dir)): Promise<AnnealError> =>
  work.then(
    () => {
      throw new Error("nothing was refused");
    },
    (error) => error as AnnealError,
  );

export const loaded = async () =>
  new Map(entries<Tensor>((await loadFolder(dir)).model.weights as Tree<Tensor>));
