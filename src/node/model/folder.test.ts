import { execFileSync } from "node:child_process";
import { link, mkdir, mkdtemp, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { encodeSafetensors } from "../../formats/safetensors/safetensors.ts";
import { encodeIndex, planShards, shardName } from "../../formats/safetensors/safetensorsIndex.ts";
import { type Tensor, tensor, zeros } from "../../ir/tensor.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { initialize } from "../../nn/param.ts";
import { charTokenizer } from "../../tokenizer/index.ts";
import { type AnnealError, ConfigError, DataError, FormatError, MissingError } from "../../util/errors.ts";
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from "../../util/float16.ts";
import { entries, type Tree } from "../../util/tree.ts";
import { loadFolder, loadModel } from "./folder.ts";

const tokenizer = charTokenizer(["abc"]);
const config = gpt2Config({
  vocab_size: tokenizer.vocabSize,
  n_positions: 8,
  n_embd: 8,
  n_layer: 2,
  n_head: 2,
});
const weights = new Map(entries<Tensor>(initialize(gpt2.params(config), 3)));

let dir = "";
const put = (name: string, data: string | Uint8Array) => writeFile(join(dir, name), data);
const putTensors = (name: string, tensors: ReadonlyMap<string, Tensor>) =>
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
const putShards = async (maxBytes = 1024): Promise<string[]> => {
  const shards = planShards(weights, maxBytes);
  for (const [i, names] of shards.entries()) {
    const part = new Map(names.map((name) => [name, weights.get(name)!]));
    await putTensors(shardName(i, shards.length), part);
  }
  await put("model.safetensors.index.json", encodeIndex(shards, weights));
  return shards.map((_, i) => shardName(i, shards.length));
};

const refusal = async (work: Promise<unknown> = loadFolder(dir)): Promise<AnnealError> =>
  work.then(
    () => {
      throw new Error("nothing was refused");
    },
    (error) => error as AnnealError,
  );

const loaded = async () => new Map(entries<Tensor>((await loadFolder(dir)).model.weights as Tree<Tensor>));

test("one file and shards give the same model", async () => {
  await putTensors("model.safetensors", weights);
  const whole = await loaded();
  expect(whole).toEqual(weights);
  await rm(join(dir, "model.safetensors"));
  const names = await putShards();
  expect(names.length).toBeGreaterThan(2);
  expect(await loaded()).toEqual(weights);
  await rm(join(dir, names[1]!));
  const error = await refusal();
  expect(error).toBeInstanceOf(DataError);
  expect(error.message).toMatch(/model-00002-of-.*is not there/);
});

test.each([
  ["float16", narrowFloat16, widenFloat16],
  ["bfloat16", narrowBfloat16, widenBfloat16],
] as const)("%s is widened chunk by chunk, over the end of a chunk too", async (dtype, narrow, widen) => {
  const large = gpt2Config({ vocab_size: 70_001, n_positions: 8, n_embd: 8, n_layer: 1, n_head: 2 });
  const wide = new Map(entries<Tensor>(initialize(gpt2.params(large), 3)));
  const halves = new Map<string, Tensor>();
  const exact = new Map<string, Tensor>();
  for (const [name, { shape, data }] of wide) {
    const bits = new Uint16Array(data.length);
    narrow(data as Float32Array, bits);
    halves.set(name, tensor(dtype, shape, bits));
    const values = new Float32Array(data.length);
    widen(bits, values);
    exact.set(name, tensor("float32", shape, values));
  }
  halves.set("h.0.attn.bias", zeros({ dtype: "uint8", shape: [3] }));
  await put("config.json", JSON.stringify(large));
  await putTensors("model.safetensors", halves);
  const { model } = await loadModel(dir);
  for (const [name, t] of entries<Tensor>(model.weights as Tree<Tensor>)) {
    const [found, expected] = [t, exact.get(name)!].map((x) => Buffer.from(x.data.buffer));
    expect(found!.equals(expected!), name).toBe(true);
  }
});

test("tensors that do not fit are listed: missing, unexpected, of another shape", async () => {
  const wrong = new Map(weights);
  wrong.delete("transformer.ln_f.bias");
  wrong.set("extra", weights.get("transformer.ln_f.weight")!);
  wrong.set("transformer.ln_f.weight", weights.get("transformer.wpe.weight")!);
  await putTensors("model.safetensors", wrong);
  const error = await loadFolder(dir).catch((e) => e as Error);
  expect((error as Error).message).toMatch(/ln_f\.bias is missing \(expected \[8\]\)/);
  expect((error as Error).message).toMatch(/ln_f\.weight is \[8, 8\] \(expected \[8\]\)/);
  expect((error as Error).message).toMatch(/extra is not part of the model \(found \[8\]\)/);
});

test("an unknown architecture names the known ones", async () => {
  await putTensors("model.safetensors", weights);
  await put("config.json", JSON.stringify({ ...config, model_type: "gpt3" }));
  await expect(loadFolder(dir)).rejects.toMatchObject({
    details: { field: "model_type", hint: expect.stringMatching(/did you mean "gpt2"/) },
  });
});

test("how the model generates comes along, typed", async () => {
  await putTensors("model.safetensors", weights);
  expect((await loadFolder(dir)).generation).toEqual({
    stopIds: [config.eos_token_id],
    bosId: config.bos_token_id,
    badIds: [],
    temperature: 0,
  });
  await put("generation_config.json", '{"eos_token_id": [3, 4], "do_sample": true, "top_p": 0.9}');
  expect((await loadFolder(dir)).generation).toMatchObject({ stopIds: [3, 4], topP: 0.9, temperature: 1 });
  await put("generation_config.json", '{"eos_token_id": "3"}');
  const error = await refusal();
  expect(error).toBeInstanceOf(ConfigError);
  expect(error.message).toMatch(/generation_config\.json, field "eos_token_id": must be a token's id/);
});

test("another task is loaded from a folder too, with the step in the history", async () => {
  await putTensors("model.safetensors", weights);
  const error = await refusal(loadFolder(dir, { task: "masked-lm" }));
  expect(error.message).toMatch(/config\.json, field "model_type": has no head for masked-lm/);
});

describe("a folder that is not whole", () => {
  test("weights without a tokenizer: an error, and a model for who asks for no more", async () => {
    await putTensors("model.safetensors", weights);
    await rm(join(dir, "tokenizer.json"));
    expect(await refusal()).toBeInstanceOf(DataError);
    expect((await refusal()).message).toMatch(/tokenizer/);
    expect((await loadModel(dir)).model.config).toEqual(config);
  });

  test("a tokenizer without weights, a missing config, no folder, a file", async () => {
    expect((await refusal()).message).toMatch(/model\.safetensors: is not there/);
    await rm(join(dir, "config.json"));
    expect((await refusal()).message).toMatch(/config\.json: is not there/);
    expect((await refusal(loadFolder(join(dir, "none")))).message).toMatch(/none: cannot be read \(ENOENT\)/);
    expect((await refusal(loadFolder(join(dir, "tokenizer.json")))).message).toMatch(/is no folder/);
  });

  test.each(["pytorch_model.bin", "model.pt", "model.ckpt", "tf_model.h5", "flax_model.msgpack"])(
    "only %s: refused with the way to convert it, and not read",
    async (name) => {
      // A folder by that name: opening it as a file would fail otherwise.
      await mkdir(join(dir, name));
      const error = await refusal();
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toContain(name);
      expect(error.details.hint).toMatch(/save_pretrained.*safetensors\/convert/);
    },
  );

  test("pickles beside safetensors do not disturb", async () => {
    await putTensors("model.safetensors", weights);
    await put("pytorch_model.bin", "pickled");
    expect(await loaded()).toEqual(weights);
  });
});

describe("config.json", () => {
  beforeEach(() => putTensors("model.safetensors", weights));
  test.each([
    ["{", /config\.json: is not JSON/],
    ["", /config\.json: is not JSON/],
    ["[]", /config\.json: is no object/],
    ["null", /config\.json, field "model_type"/],
    ['{"model_type": "gpt2", "n_head": 5}', /config\.json, field "n_head"/],
    ['{"model_type": "gpt2", "vocab_size": 1e99}', /config\.json, field "vocab_size"/],
    ["[".repeat(200_000), /config\.json: is not JSON/],
    [Uint8Array.of(0x7b, 0xff, 0x7d), /config\.json: is not UTF-8/],
  ])("%j is refused by file and field", async (text, message) => {
    await put("config.json", text);
    expect((await refusal()).message).toMatch(message);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("a byte order mark does not disturb", async () => {
    await put("config.json", `\ufeff${JSON.stringify(config)}`);
    expect(await loaded()).toEqual(weights);
  });
});

describe("memory", () => {
  const needed = [...weights.values()].reduce((sum, t) => sum + t.data.byteLength, 0) + 2 ** 20;

  test("a model that is too large is refused before it is read, in numbers", async () => {
    await putTensors("model.safetensors", weights);
    const error = await refusal(loadFolder(dir, { memoryBytes: needed - 1 }));
    expect(error).toBeInstanceOf(MissingError);
    expect(error.message).toMatch(/model\.safetensors: the model needs 1\.1 MB of memory, 1\.1 MB are free/);
    expect((await loadFolder(dir, { memoryBytes: needed })).model.config).toEqual(config);
  });

  test("a config that asks for more than the machine has is refused by the tensors alone", async () => {
    await put("config.json", JSON.stringify({ ...config, n_embd: 2 ** 20, vocab_size: 2 ** 30 }));
    await putTensors("model.safetensors", weights);
    const before = process.memoryUsage().rss;
    expect((await refusal()).message).toMatch(
      /wte\.weight is \[\d+, 8\] \(expected \[1073741824, 1048576\]\)/,
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 27);
  });

  test("a header that says more than the file has makes no array", async () => {
    const header = JSON.stringify({ w: { dtype: "F32", shape: [2 ** 40], data_offsets: [0, 2 ** 42] } });
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(header.length));
    await put("model.safetensors", Buffer.concat([length, Buffer.from(header)]));
    const error = await refusal();
    expect(error).toBeInstanceOf(FormatError);
    expect(error.details).toMatchObject({ file: join(dir, "model.safetensors"), tensor: "w" });
  });
});

describe("safetensors of a folder", () => {
  test("cut at every place: refused with the file and a place in it", async () => {
    const whole = Buffer.concat(encodeSafetensors(new Map([["w", zeros({ dtype: "float32", shape: [2] })]])));
    for (let size = 0; size < whole.length; size++) {
      await put("model.safetensors", whole.subarray(0, size));
      const error = await refusal(loadModel(dir));
      expect(error, String(size)).toBeInstanceOf(FormatError);
      expect(error.details.file).toBe(join(dir, "model.safetensors"));
      expect(error.details.offset).toBeLessThanOrEqual(whole.length);
    }
  });

  test.each([
    ["a header longer than the format allows", 100_000_001n],
    ["a header longer than the file", 2n ** 20n],
    ["a header longer than a number", 2n ** 63n],
  ])("%s is not read", async (_, length) => {
    const bytes = Buffer.alloc(64);
    bytes.writeBigUInt64LE(length);
    await put("model.safetensors", bytes);
    const error = await refusal();
    expect(error.message).toMatch(/model\.safetensors, byte 0: declares a header of \d+ bytes/);
  });

  test("a large file that is all zeros is refused by its first bytes", async () => {
    await put("model.safetensors", "");
    await truncate(join(dir, "model.safetensors"), 2 ** 32);
    expect((await refusal()).message).toMatch(/byte 8: the header does not begin with/);
  });
});

describe("an index", () => {
  const putIndex = (index: unknown) =>
    put("model.safetensors.index.json", typeof index === "string" ? index : JSON.stringify(index));
  const name = "transformer.wpe.weight";

  test.each(["../outside.safetensors", "/etc/outside.safetensors", "a/../../x.safetensors", "x.bin", ""])(
    "that names %j reads nothing",
    async (file) => {
      await putIndex({ weight_map: { [name]: file } });
      const error = await refusal();
      expect(error).toBeInstanceOf(FormatError);
      expect(error.details).toMatchObject({ file: join(dir, "model.safetensors.index.json"), tensor: name });
    },
  );

  test("with a tensor twice, in text or in two shards", async () => {
    const names = await putShards();
    const twice = new Map([["more", zeros({ dtype: "float32", shape: [1] })]]);
    for (const name of names.slice(0, 2)) await putTensors(name, twice);
    expect((await refusal()).message).toMatch(
      /tensor "more": is in model-0.* too, and the index does not say/,
    );
    await putIndex(`{"weight_map": {"${name}": "${names[0]}", "${name}": "${names[1]}"}}`);
    expect(await refusal()).toMatchObject({ details: { tensor: name, offset: expect.any(Number) } });
  });

  test("with a tensor that no shard has", async () => {
    await putShards();
    const shards = planShards(weights, 1024);
    const more = new Map(weights).set("more", zeros({ dtype: "float32", shape: [0] }));
    await putIndex(encodeIndex([...shards.slice(0, -1), [...shards.at(-1)!, "more"]], more));
    expect((await refusal()).message).toMatch(/tensor "more": is named by the index and is not there/);
  });

  test("with a shard beside it that it does not name", async () => {
    await putShards();
    await putTensors("model-00099-of-00099.safetensors", new Map());
    expect((await refusal()).message).toMatch(/model-00099-of-00099\.safetensors: is a shard that the index/);
  });

  test.each([1, -1, 1.5, "large", 2 ** 53, null])(
    "with the total %j is read: it says nothing",
    async (total) => {
      await putShards();
      const shards = planShards(weights, 1024);
      const { weight_map } = JSON.parse(encodeIndex(shards, weights));
      await putIndex({ metadata: { total_size: total }, weight_map });
      expect(await loaded()).toEqual(weights);
    },
  );

  test("with a million names is read in bounded time, and refused by what is missing", async () => {
    const names = Array.from({ length: 1_000_000 }, (_, i) => `"t${i}":"x.safetensors"`);
    await putIndex(`{"weight_map":{${names.join(",")}}}`);
    await putTensors("x.safetensors", new Map());
    expect((await refusal()).message).toMatch(/tensor "t0": is named by the index and is not there/);
  });
});

describe("links", () => {
  let outside = "";
  beforeEach(async () => {
    outside = await mkdtemp(join(tmpdir(), "anneal-outside-"));
    await putTensors("model.safetensors", weights);
  });
  afterEach(() => rm(outside, { recursive: true, force: true }));

  const moveOut = async (name: string) => {
    await rename(join(dir, name), join(outside, name));
    await symlink(join(outside, name), join(dir, name));
  };

  test.each(["model.safetensors", "config.json", "tokenizer.json"])(
    "%s may not lead out of the folder",
    async (name) => {
      await moveOut(name);
      const error = await refusal();
      expect(error).toBeInstanceOf(FormatError);
      expect(error.message).toContain(`${join(dir, name)}: is a link that leaves the folder`);
    },
  );

  test("a shard may not, also over a folder of the folder or to a beginning of its name", async () => {
    await rm(join(dir, "model.safetensors"));
    const [first] = await putShards();
    await moveOut(first!);
    expect((await refusal()).message).toContain("leaves the folder");
    await rm(join(dir, first!));
    await rename(outside, `${dir}-beside`);
    await symlink(join(`${dir}-beside`, first!), join(dir, first!));
    try {
      expect((await refusal()).message).toContain("leaves the folder");
    } finally {
      await rename(`${dir}-beside`, outside);
    }
  });

  test("a link to itself, a broken one, a pipe and a folder are no files", async () => {
    const path = join(dir, "model.safetensors");
    await rm(path);
    await symlink("model.safetensors", path);
    expect(await refusal()).toBeInstanceOf(DataError);
    await rm(path);
    await symlink("nowhere.safetensors", path);
    expect((await refusal()).message).toMatch(/is not there/);
    await rm(path);
    execFileSync("mkfifo", [path]);
    expect((await refusal()).message).toMatch(/is no file/);
    await rm(path);
    await mkdir(path);
    expect((await refusal()).message).toMatch(/is no file/);
  });

  test("inside the folder, to it, and in the Hub's cache they are followed", async () => {
    await rename(join(dir, "model.safetensors"), join(dir, "real.safetensors"));
    await symlink("real.safetensors", join(dir, "model.safetensors"));
    expect(await loaded()).toEqual(weights);
    await symlink(dir, join(outside, "there"));
    expect((await loadFolder(join(outside, "there"))).model.config).toEqual(config);
    const snapshot = join(outside, "models--a--b", "snapshots", "1");
    const blobs = join(outside, "models--a--b", "blobs");
    await mkdir(snapshot, { recursive: true });
    await mkdir(blobs);
    for (const name of ["config.json", "tokenizer.json", "tokenizer_config.json", "real.safetensors"]) {
      await link(join(dir, name), join(blobs, name));
      const shown = name.replace("real", "model");
      await symlink(join("..", "..", "blobs", name), join(snapshot, shown));
    }
    expect((await loadFolder(snapshot)).model.config).toEqual(config);
  });
});
