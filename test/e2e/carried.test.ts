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
import { afterAll, expect, it } from "vitest";
import { architectures } from "../../src/models/index.ts";
import type { Model, Task } from "../../src/models/model.ts";
import { initialize, type ParamSpec } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/store.ts";
import { exportFolder } from "../../src/recipes/export.ts";
import { exportModel } from "../../src/ship/export.ts";
import type { Tree } from "../../src/util/tree.ts";
import { exportCases } from "../cases/exports.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-carried-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const modelOf = (name: string, task: Task): Model => {
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
  put(path, files);
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
  const ui = { stage: () => {}, line: (line: string) => lines.push(line), task: () => task };
  const task = { update: () => {}, done: () => {} };
  const { left } = await exportFolder(source, { out, dtypes: ["fp32"], ui: ui as never });
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
