import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { type Tensor, tensor, zeros } from "../../ir/tensor.ts";
import { gpt2, gpt2Config } from "../../models/decoders/gpt2.ts";
import { initialize } from "../../nn/param.ts";
import { ConfigError, DataError, FormatError, MissingError } from "../../util/errors.ts";
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from "../../util/float16.ts";
import { entries, type Tree } from "../../util/tree.ts";
import { config, dir, loaded, put, putShards, putTensors, refusal, weights } from "./folder.fixture.ts";
import { loadFolder, loadModel } from "./folder.ts";

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
