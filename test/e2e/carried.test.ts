/** What a checkpoint has besides its weights goes along with its export. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";
import { parse } from "yaml";
import { decodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import type { Tensor } from "../../src/ir/tensor.ts";
import { architectures } from "../../src/models/index.ts";
import type { Head, Model } from "../../src/models/model.ts";
import { initialize, type ParamSpec } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { silent } from "../../src/recipes/context/ui.ts";
import { named } from "../../src/recipes/evaluate/subject.ts";
import { exportFolder } from "../../src/recipes/export/export.ts";
import { trainedCard } from "../../src/report/run/sourceCard.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import { modelFolder } from "../../src/ship/onnx/modelFolder.ts";
import { charTokenizer } from "../../src/tokenizer/index.ts";
import type { Tree } from "../../src/util/tree.ts";
import { exportCases } from "../cases/exports.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-carried-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const modelOf = (name: string, task: Head): Model => {
  const arch = architectures[name]!;
  const config = arch.parse({
    model_type: name,
    architectures: [arch.classes[task]],
    ...exportCases[name]!.config,
  });
  return { arch, config, weights: initialize(arch.params(config) as Tree<ParamSpec>, 3), history: [] };
};

const put = (folder: string, files: Readonly<Record<string, string>>): void => {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
};

/** A checkpoint's folder as others write it: weights, config, and these files. */
const checkpoint = async (
  folder: string,
  model: Model,
  files: Readonly<Record<string, string>>,
): Promise<string> => {
  const path = join(dir, folder);
  await writeFolder(path, exportModel(model));
  for (const name of ["onnx", "generation_config.json"])
    rmSync(join(path, name), { recursive: true, force: true });
  const { "transformers.js_config": _, ...config } = JSON.parse(text(path, "config.json"));
  put(path, { "config.json": JSON.stringify(config), ...files });
  return path;
};

const text = (...path: string[]): string => readFileSync(join(...path), "utf8");

it("the parts of sentence-transformers, licence and other files go along; what is left is said", async () => {
  const kept = {
    "modules.json": JSON.stringify([
      { path: "" },
      { path: "1_Pooling" },
      { path: "2_Dense" },
      { path: "../up" },
    ]),
    "1_Pooling/config.json": '{"pooling_mode_cls_token": true}',
    "2_Dense/config.json": "{}",
    "2_Dense/model.safetensors": "not read",
    "config_sentence_transformers.json": "{}",
    "sentence_bert_config.json": '{"max_seq_length": 32}',
    LICENSE: "do as you like",
    "additional_chat_templates/tool.jinja": "x",
  };
  const source = await checkpoint("sentences", modelOf("bert", "features"), {
    ...kept,
    "pytorch_model.bin": "a pickle",
    "openvino/model.xml": "<x/>",
    ".gitattributes": "hidden",
    "../outside.txt": "secret",
  });
  symlinkSync(join(dir, "outside.txt"), join(source, "link.txt"));
  const out = join(dir, "sentences-out");
  const lines: string[] = [];
  const ui = { ...silent, line: (line: string) => lines.push(line) };
  const { left } = await exportFolder(source, { out, dtypes: ["fp32"], ui });
  for (const [name, content] of Object.entries(kept)) expect(text(out, name), name).toBe(content);
  expect(left.toSorted()).toEqual(["link.txt", "openvino/", "pytorch_model.bin"]);
  expect(lines.join("\n")).toContain("pytorch_model.bin");
  for (const name of ["pytorch_model.bin", "openvino", ".gitattributes", "link.txt"]) {
    expect(existsSync(join(out, name)), name).toBe(false);
  }
  const again = join(dir, "sentences-again");
  expect((await exportFolder(out, { out: again, dtypes: ["fp32"] })).left).toEqual([]);
  expect(readdirSync(again).sort()).toEqual(readdirSync(out).sort());
});

it("a classifier that an embedding model was tuned into is one, and passes on no pooling", async () => {
  const pooling = {
    "modules.json": JSON.stringify([
      { type: "sentence_transformers.models.Transformer", path: "" },
      { type: "sentence_transformers.models.Pooling", path: "1_Pooling" },
    ]),
    "1_Pooling/config.json": '{"pooling_mode_cls_token": true}',
    "sentence_bert_config.json": '{"max_seq_length": 32}',
  };
  const tokenizer = { "tokenizer.json": JSON.stringify(charTokenizer("abc").files().tokenizer) };
  const labels = await checkpoint("labels", modelOf("bert", "sequence-classification"), {
    ...pooling,
    ...tokenizer,
    "README.md":
      "---\npipeline_tag: sentence-similarity\ntags: [sentence-transformers, sentence-similarity, mine]\n---\n",
  });
  expect((await named(labels, {})).task.name).toBe("sequence-classification");
  expect((await loadModel(labels)).model.config.architectures).toEqual(["BertForSequenceClassification"]);
  const out = join(dir, "labels-out");
  await exportFolder(labels, { out, dtypes: ["fp32"] });
  for (const name of Object.keys(pooling)) expect(existsSync(join(out, name)), name).toBe(false);
  const card = parse(text(out, "README.md").split("---\n")[1]!) as object;
  expect(card).toMatchObject({
    ...{ pipeline_tag: "text-classification", tags: ["onnx", "text-classification", "anneal", "mine"] },
  });
  // Of many embedding models the class is that of a language model.
  const words = await checkpoint("words", modelOf("bert", "masked-lm"), { ...pooling, ...tokenizer });
  expect((await named(words, {})).task.name).toBe("embedding");
  expect((await loadModel(words)).model.config.architectures).toEqual(["BertModel"]);
});

it("numbers of configs keep their kind", async () => {
  const source = await checkpoint("numbers", modelOf("t5", "seq2seq-lm"), {});
  const config = JSON.parse(text(source, "config.json")) as object;
  const spelled = JSON.stringify({ ...config, initializer_factor: "@1", extra: { n: ["@2", 3] } });
  put(source, {
    "config.json": spelled.replace('"@1"', "1.0").replace('"@2"', "2.0"),
    "generation_config.json":
      '{"temperature": 1.0, "top_k": 50, "repetition_penalty": 1, "x": [[[3], -5.0]]}',
  });
  const out = join(dir, "numbers-out");
  await exportFolder(source, { out, dtypes: ["fp32"] });
  expect(text(out, "config.json")).toMatch(/"initializer_factor": 1\.0,/);
  expect(text(out, "config.json")).toMatch(/\[\s+2\.0,\s+3\s+\]/);
  expect(text(out, "config.json")).toMatch(/"d_model": \d+,/);
  const generation = text(out, "generation_config.json");
  for (const part of ['"temperature": 1.0', '"top_k": 50', '"repetition_penalty": 1,', "-5.0"]) {
    expect(generation).toContain(part);
  }
});

it("a model made here spells real fields as real numbers", async () => {
  const files = exportModel(modelOf("t5", "seq2seq-lm"), {
    config: { fields: { repetition_penalty: 2, num_beams: 2, initializer_factor: 1 } },
  });
  const json = (name: string) => Buffer.concat(files.get(name)! as Uint8Array[]).toString();
  expect(json("config.json")).toContain('"initializer_factor": 1.0');
  expect(json("generation_config.json")).toContain('"repetition_penalty": 2.0');
  expect(json("generation_config.json")).toMatch(/"num_beams": 2$/m);
  expect(json("generation_config.json")).not.toContain("null");
});

it("chat templates stand in every form; licence, source and settings in the card", async () => {
  const { tokenizer, config } = charTokenizer("the quick brown fox").files();
  const [main, tool] = ["{{ messages[0].content }}", "{{ tools }}"];
  const source = await checkpoint("chats", modelOf("llama", "causal-lm"), {
    "tokenizer.json": JSON.stringify(tokenizer),
    "tokenizer_config.json": JSON.stringify({ ...(config as object), big: "@" }).replace('"@"', "1e30"),
    "chat_template.jinja": main,
    "additional_chat_templates/tool_use.jinja": tool,
    "generation_config.json": '{"temperature": 0.5, "do_sample": true}',
    "README.md":
      "---\nlicense: apache-2.0\nbase_model: some/base\nlanguage:\n- en\ntags: [mine]\nmodel-index: [1]\n---\n# Its card\n",
  });
  const out = join(dir, "chats-out");
  const made = await exportFolder(source, { out, dtypes: ["fp32", "q8"], weights: false });
  expect(made.default).toBe("q8");
  expect(existsSync(join(out, "model.safetensors"))).toBe(false);
  expect(existsSync(join(out, "onnx", "model_quantized.onnx"))).toBe(true);
  expect(JSON.parse(text(out, "tokenizer_config.json")).chat_template).toEqual([
    { name: "default", template: main },
    { name: "tool_use", template: tool },
  ]);
  expect(text(out, "tokenizer_config.json")).toContain('"big": 1e30');
  const card = text(out, "README.md");
  const [, head = "", body = ""] = card.split(/^---$/m);
  expect(parse(head)).toEqual({
    license: "apache-2.0",
    base_model: "some/base",
    language: ["en"],
    library_name: "transformers.js",
    pipeline_tag: "text-generation",
    tags: ["onnx", "text-generation", "anneal", "mine"],
  });
  for (const part of ["# Its card", '"temperature": 0.5', "no dtype was chosen"])
    expect(body).toContain(part);
});

it("a template that stands in tokenizer_config.json alone becomes a file too", async () => {
  const { tokenizer, config } = charTokenizer("the quick brown fox").files();
  const source = await checkpoint("inline", modelOf("gpt2", "causal-lm"), {
    "tokenizer.json": JSON.stringify(tokenizer),
    "tokenizer_config.json": JSON.stringify({ ...(config as object), chat_template: "{{ 1 }}" }),
  });
  const out = join(dir, "inline-out");
  await exportFolder(source, { out, dtypes: ["fp32"] });
  expect(text(out, "chat_template.jinja")).toBe("{{ 1 }}");
  expect(text(out, "tokenizer_config.json")).toBe(text(source, "tokenizer_config.json"));
  expect(text(out, "README.md")).toMatch(/^---\n#.*\n#.*\nlicense: other\nlicense_name: not-chosen-yet\n/);
});

it("a bundle loses nothing of its checkpoint; a card says what was done alone", async () => {
  const model = modelOf("gpt2", "causal-lm");
  const forms = { fp32: model, q8: model, q4: model };
  const tokenizer = charTokenizer("abc").files();
  const source = {
    config: { fields: { author: "someone", dtype: "bfloat16", layer_types: ["a"] } },
    generation: { fields: { top_k: 7 } },
    files: new Map([["chat_template.jinja", new TextEncoder().encode("{{ 1 }}")]]),
  };
  const files = modelFolder(model, { dtype: "fp32", tokenizer, eos: 0, forms, source });
  const json = (name: string) => JSON.parse(Buffer.concat(files.get(name)! as Uint8Array[]).toString());
  expect(json("config.json")).toMatchObject({ author: "someone", dtype: "float32" });
  expect(json("config.json").layer_types).toBeUndefined();
  expect(json("generation_config.json")).toEqual({ top_k: 7 });
  expect([...files.keys()]).toContain("chat_template.jinja");
  const card = trainedCard(model, { steps: 0, generation: {} });
  expect(card).toContain("It was not trained");
  expect(card).toContain("begun with random weights");
  const title = { title: "some/base", name: "some/base", fields: { license: "mit" }, text: "", chats: true };
  const tuned = trainedCard(model, { steps: 5, valLoss: 1.5, generation: {}, source: title });
  expect(tuned).toMatch(/license: "mit"\nbase_model: some\/base\n/);
  expect(tuned).toContain("for 5 steps; its loss on held-out data is 1.500 nats per token");
});

it.each([
  ["gpt2-bfloat16-sharded", "bfloat16"],
  ["bert-classifier-float16", "float16"],
  ["llama-float16", "float16"],
  ["gpt2-body", "float32"],
])("the weights of %s stay %s, bit for bit", async (name, dtype) => {
  const source = fileURLToPath(new URL(`../golden/loading/${name}`, import.meta.url));
  const out = join(dir, `${name}-out`);
  await exportFolder(source, { out, dtypes: ["fp32"] });
  const bytesOf = (t: Tensor) => Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength);
  const shards = readdirSync(source).filter((file) => file.endsWith(".safetensors"));
  const originals = shards.flatMap((file) => [
    ...decodeSafetensors(readFileSync(join(source, file)), file).tensors,
  ]);
  const written = decodeSafetensors(
    readFileSync(join(out, "model.safetensors")),
    "model.safetensors",
  ).tensors;
  expect(new Set(Array.from(written.values(), (t) => t.dtype))).toEqual(new Set([dtype]));
  let same = 0;
  for (const [tensorName, original] of originals) {
    const kept = written.get(tensorName) ?? written.get(`transformer.${tensorName}`);
    if (kept === undefined) continue;
    expect(bytesOf(kept).equals(bytesOf(original)), tensorName).toBe(true);
    same++;
  }
  expect(same).toBe(written.size);
  const [before, after] = [source, out].map((path) => JSON.parse(text(path, "config.json")));
  expect(after.dtype ?? after.torch_dtype).toBe(before.dtype ?? before.torch_dtype);
});
