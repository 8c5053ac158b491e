/** GGUF files as checkpoints: what was written is loaded again, and splits text as llama.cpp does. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getLlama, type Llama, LlamaLogLevel } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type GgmlType, ggmlTypes } from "../../src/formats/gguf/ggml.ts";
import { encodeGguf, type GgufTensor, type GgufValue } from "../../src/formats/gguf/gguf.ts";
import { decodeGguf } from "../../src/formats/gguf/read.ts";
import { type Tensor, tensor, zeros } from "../../src/ir/tensor.ts";
import { turn } from "../../src/models/gguf/layout.ts";
import { packable } from "../../src/models/linears.ts";
import type { Model } from "../../src/models/model.ts";
import { architectures } from "../../src/models/registry.ts";
import type { ParamSpec } from "../../src/nn/param.ts";
import { modelDir } from "../../src/node/hub/hub.ts";
import { loadFolder, loadModel } from "../../src/node/model/folder.ts";
import { readChatTemplates } from "../../src/node/model/template.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { exportFolder } from "../../src/recipes/export/export.ts";
import { ggufFolder } from "../../src/recipes/export/gguf.ts";
import { generateText } from "../../src/recipes/generate/generate.ts";
import { gguf } from "../../src/ship/gguf/gguf.ts";
import { type GgufMixName, mixedType } from "../../src/ship/gguf/mixes.ts";
import { trainBpe } from "../../src/tokenizer/bpe/trainBpe.ts";
import { ggufSplits } from "../../src/tokenizer/older/ggufSplits.ts";
import { rng } from "../../src/util/rng.ts";
import { flatten, mapTree, type Tree } from "../../src/util/tree.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-gguf-load-"));
let llama: Llama;
beforeAll(async () => {
  llama = await getLlama({ gpu: false, build: "never", logLevel: LlamaLogLevel.error });
});
afterAll(async () => {
  await llama.dispose();
  rmSync(dir, { recursive: true, force: true });
});

const VOCAB = 320;
const text =
  "They'LL don't  pay 1234567 (or 89!!)\r\n\n\n  to \u00e4\u4f60\u597d caf\u00e9 HTTPServer  x=y;   ";
const digits = Array.from({ length: 9 }, (_, i) => [1, 2, 3, 4, 5, 6, 7, 8, 9].slice(i, i + 4).join(""));
const learnt = trainBpe([`${text} ${digits.join(" ")} `.repeat(9)], { vocab: 310 });
const { tokenizer, config: tokenizerConfig } = learnt.files();
const chatTemplate = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}";

const modelOf = (config: Readonly<Record<string, unknown>>): Model => {
  const arch = architectures[config.model_type as string]!;
  const parsed = arch.parse(config);
  const weights = mapTree<ParamSpec, Tensor>(arch.params(parsed) as Tree<ParamSpec>, (spec, path) => {
    const t = zeros(spec);
    const random = rng(3, path);
    for (let i = 0; i < t.data.length; i++) t.data[i] = 0.15 * random.normal();
    return t;
  });
  return { arch, config: parsed, weights, history: [] };
};

const ids = { bos_token_id: learnt.eos, eos_token_id: learnt.eos, pad_token_id: learnt.eos };
const rotary = {
  vocab_size: VOCAB,
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  ...ids,
};
const llama3 = { rope_type: "llama3", low_freq_factor: 1, high_freq_factor: 4 };
const families: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  gpt2: { model_type: "gpt2", vocab_size: VOCAB, n_positions: 64, n_embd: 64, n_layer: 2, n_head: 4, ...ids },
  "llama tied": { model_type: "llama", ...rotary, tie_word_embeddings: true },
  "llama biases": { model_type: "llama", ...rotary, attention_bias: true, mlp_bias: true },
  llama3: {
    model_type: "llama",
    ...rotary,
    rope_scaling: { ...llama3, factor: 8, original_max_position_embeddings: 16 },
  },
  "llama linear": { model_type: "llama", ...rotary, rope_scaling: { rope_type: "linear", factor: 2 } },
  "llama yarn": {
    model_type: "llama",
    ...rotary,
    rope_scaling: { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16 },
  },
  "llama wide": { model_type: "llama", ...rotary, head_dim: 32, rope_theta: 1e6 },
  qwen2: { model_type: "qwen2", ...rotary },
  qwen3: { model_type: "qwen3", ...rotary, head_dim: 32, tie_word_embeddings: true },
};

let count = 0;
const save = (chunks: Iterable<Uint8Array>): string => {
  const path = join(dir, `${count++}.gguf`);
  writeFileSync(path, Buffer.concat([...chunks]));
  return path;
};

const files = { tokenizer, config: tokenizerConfig, chatTemplate };
const write = (model: Model, type: GgufMixName = "f32"): string =>
  save(gguf(model, { type, tokenizer: files }).chunks);

/** The weights as a type holds them, rows running along what is summed over. */
const rounded = (model: Model, type: GgufMixName): ReadonlyMap<string, Tensor> => {
  const matrices = packable(model.arch.linears(model.config));
  const weights = mapTree<Tensor, Tensor>(model.weights as Tree<Tensor>, (t, path) => {
    const info = matrices.get(path);
    const data = t.data as Float32Array;
    if (info === undefined) return t;
    const role = info.reads === "head" ? "head" : info.role;
    const row = t.shape[info.layout === "nk" ? 1 : 0]!;
    const { pack, unpack } = ggmlTypes[mixedType(type, { role, layer: 0, layers: 1, row, weighed: false })];
    const round = (numbers: Float32Array) => unpack(pack(numbers)) as Float32Array<ArrayBuffer>;
    if (info.layout === "nk") return tensor("float32", t.shape, round(data));
    return tensor("float32", t.shape, turn(round(turn(data, t.shape)), t.shape.toReversed()));
  });
  return flatten<Tensor>(weights);
};

describe.each(Object.entries(families))("%s", (_, config) => {
  it("comes back with its config, and with its weights bit for bit", async () => {
    const model = modelOf(config);
    for (const type of ["f32", "f16", "q8_0", "q4_0"] as const) {
      const loaded = await loadModel(write(model, type));
      const weights = flatten<Tensor>(loaded.model.weights as Tree<Tensor>);
      const expected = type === "f32" ? flatten<Tensor>(model.weights as Tree<Tensor>) : rounded(model, type);
      expect([...weights.keys()]).toEqual([...expected.keys()]);
      for (const [name, { shape, data }] of expected) {
        expect(weights.get(name)!.shape, name).toEqual(shape);
        expect(Buffer.from(weights.get(name)!.data.buffer).equals(Buffer.from(data.buffer)), name).toBe(true);
      }
      const { initializer_range: _i, ...own } = model.config;
      const scaling = own.rope_scaling as Readonly<Record<string, unknown>> | null | undefined;
      const betas = scaling?.rope_type === "yarn" ? { beta_fast: 32, beta_slow: 1 } : {};
      const inner = own.model_type === "gpt2" ? { n_inner: 4 * (own.n_embd as number) } : {};
      const wanted = {
        ...own,
        ...inner,
        ...(scaling ? { rope_scaling: { ...scaling, ...betas } } : {}),
      };
      expect(loaded.model.config).toMatchObject(wanted);
    }
  });
});

describe("a file", () => {
  const model = modelOf(families["llama tied"]!);
  const path = write(model);
  const folder = join(dir, "folder");

  it("is a model for every verb that takes a folder", async () => {
    const opened = await loadFolder(await modelDir(path));
    expect(opened.generation.stopIds).toEqual([learnt.eos]);
    expect(Array.from(opened.tokenizer.encode(text))).toEqual(Array.from(learnt.encode(text)));
    expect(opened.tokenizer.eos).toBe(learnt.eos);
    expect(await readChatTemplates(path)).toEqual([{ name: "default", template: chatTemplate }]);
    await exportFolder(path, { out: folder, dtypes: ["fp32"] });
    const again = await loadModel(folder);
    expect(again.model.weights).toEqual(opened.model.weights);
    const read = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
    expect(read("tokenizer_config.json")).toMatchObject({
      chat_template: chatTemplate,
      model_max_length: 64,
    });
    const same = await ggufFolder(path, { type: "f32", out: join(dir, "again.gguf"), name: "llama" });
    expect(readFileSync(same.path).equals(readFileSync(path))).toBe(true);
  });

  it("answers as its folder does", async () => {
    const say = async (model: string) => {
      let said = "";
      const messages = [{ role: "user", content: "pay" }] as const;
      for await (const piece of generateText({ model, messages, temperature: 0, maxTokens: 12, threads: 1 }))
        said += piece;
      return said;
    };
    const said = await say(path);
    expect(said.length).toBeGreaterThan(4);
    expect(said).toBe(await say(folder));
  });

  it("is found in a folder that has no other weights, and must be named where there are several", async () => {
    const only = join(dir, "only");
    mkdirSync(only);
    writeFileSync(join(only, "a.gguf"), readFileSync(path));
    writeFileSync(join(only, "mmproj-a.gguf"), "");
    expect(await modelDir(only)).toBe(join(only, "a.gguf"));
    writeFileSync(join(only, "b.gguf"), readFileSync(path));
    await expect(modelDir(only)).rejects.toThrow(/holds 2 GGUF files: a.gguf, b.gguf/);
    writeFileSync(join(only, "model.safetensors"), "");
    expect(await modelDir(only)).toBe(only);
  });
});

/** A file with other metadata. */
const changed = (path: string, change: (keys: Map<string, GgufValue>) => void): string => {
  const { metadata, tensors } = decodeGguf(readFileSync(path), path);
  const keys = new Map(metadata);
  change(keys);
  const same = Array.from(tensors, ([name, { shape, type, bytes }]): GgufTensor => {
    const written = type as GgmlType;
    return { name, shape, type: written, values: () => ggmlTypes[written].unpack(bytes) };
  });
  return save(encodeGguf({ metadata: keys, tensors: same }).chunks);
};

const string = (value: string): GgufValue => ({ type: "string", value });

describe("byte-level BPE", () => {
  const path = write(modelOf({ ...families.gpt2!, n_layer: 1 }));
  it.each(ggufSplits.flatMap(({ names }) => names))(
    "splits as llama.cpp does where it is %s",
    async (pre) => {
      const file = changed(path, (keys) => keys.set("tokenizer.ggml.pre", string(pre)));
      const own = await readTokenizer(file);
      const model = await llama.loadModel({ modelPath: file, gpuLayers: 0, vocabOnly: true });
      const others = [
        "a'LL I'm $<=>^~| ``x`` \u00bd\u0663\u2168 12 123 1234",
        "\tif (x) {\r\n\r\n    y\n}   \n z",
        " \u3042\u30a2\uff0c\u3002\u0e01 don't",
      ];
      for (const one of [text, ...others]) {
        expect(Array.from(own.encode(one)), JSON.stringify(one)).toEqual(model.tokenize(one));
      }
      await model.dispose();
    },
  );
  it("composes characters where it is Qwen's, as that does and llama.cpp does not", async () => {
    const own = await readTokenizer(changed(path, (keys) => keys.set("tokenizer.ggml.pre", string("qwen2"))));
    expect(own.encode("cafe\u0301")).toEqual(own.encode("caf\u00e9"));
  });
  it("by a way that is not known is refused", async () => {
    const file = changed(path, (keys) => keys.set("tokenizer.ggml.pre", string("new-way")));
    await expect(readTokenizer(file)).rejects.toThrow(/"tokenizer.ggml.pre": is "new-way"/);
  });
});
