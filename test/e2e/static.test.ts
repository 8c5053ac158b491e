/** Static embeddings: made of an embedding model, read by transformers.js, taught by it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as hf from "@huggingface/transformers";
import { beforeAll, expect, it } from "vitest";
import { inProcess } from "../../src/cli/inProcess.fixture.ts";
import { tensorsOf } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { loadFolder } from "../../src/node/model/folder.ts";
import type { Distilled } from "../../src/recipes/distill/distill.ts";
import { verifyFolder } from "../../src/recipes/verify/verify.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import { rng } from "../../src/util/rng.ts";
import { dir, modelOf } from "./exported.ts";

const words = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far", "away", ".", "red", "old", "fox"];
const special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
const teacher = join(dir, "static-teacher");
const text = join(dir, "static.jsonl");

const tokenizer = {
  version: "1.0",
  added_tokens: special.map((content, id) => ({
    ...{ id, content, special: true, normalized: false, single_word: false, lstrip: false, rstrip: false },
  })),
  normalizer: { type: "BertNormalizer", clean_text: true, handle_chinese_chars: true, lowercase: true },
  pre_tokenizer: { type: "BertPreTokenizer" },
  post_processor: {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "[CLS]", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "[SEP]", type_id: 0 } },
    ],
    pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
    special_tokens: {
      "[CLS]": { id: "[CLS]", ids: [2], tokens: ["[CLS]"] },
      "[SEP]": { id: "[SEP]", ids: [3], tokens: ["[SEP]"] },
    },
  },
  decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  model: {
    type: "WordPiece",
    unk_token: "[UNK]",
    continuing_subword_prefix: "##",
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries([...special, ...words].map((word, id) => [word, id])),
  },
};
const settings = {
  tokenizer_class: "BertTokenizer",
  ...{ pad_token: "[PAD]", unk_token: "[UNK]", cls_token: "[CLS]", sep_token: "[SEP]", mask_token: "[MASK]" },
};

beforeAll(async () => {
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const files = new Map([
    ["tokenizer.json", bytes(tokenizer)],
    ["tokenizer_config.json", bytes(settings)],
  ]);
  const vocab = { vocab_size: special.length + words.length };
  const model = {
    ...modelOf("bert", "features", vocab),
    pooling: { mode: "mean", normalize: true } as const,
  };
  await writeFolder(teacher, exportModel(model, { files, dtypes: ["fp32"] }));
  const random = rng(1, "static");
  const sentence = () => Array.from({ length: 12 }, () => words[random.int(words.length)]).join(" ");
  writeFileSync(
    text,
    Array.from({ length: 300 }, () => `${JSON.stringify({ text: sentence() })}\n`).join(""),
  );
});

const common =
  "--rules none --near off --lines off --threads 1 --context 16 --batch 8 --static --dims 8 --json";

const made = async (out: string, ...more: string[]): Promise<Distilled> => {
  const given = ["distill", teacher, "--data", text, "--out", join(dir, out), ...common.split(" "), ...more];
  const { code, out: said, err } = await inProcess(dir, given);
  expect(code, `${err}${said}`).toBe(0);
  return JSON.parse(said) as Distilled;
};

it("is a table whose mean transformers.js takes for a vector, and learns its teacher's relations", async () => {
  const bare = await made("static-bare");
  expect(bare.steps).toBe(0);
  const { model, tokenizer: own } = await loadFolder(bare.path);
  expect(model).toMatchObject({ arch: { name: "model2vec" }, pooling: { mode: "mean", normalize: true } });
  expect(model.history.map(({ name }) => name)).toEqual(["static"]);
  const table = new Map(tensorsOf(model.weights)).get("embeddings")!.data as Float32Array;
  const rows = [...own.encode("the old fox")].map((id) => table.subarray(id * 8, id * 8 + 8));
  const sum = Array.from({ length: 8 }, (_, c) => rows.reduce((all, row) => all + row[c]!, 0));
  const length = Math.hypot(...sum);
  const embed = await hf.pipeline("feature-extraction", bare.path, { dtype: "fp32" });
  const { data } = await embed("the old fox", { pooling: "mean", normalize: true });
  Array.from(data as Float32Array).forEach((x, c) => {
    expect(x).toBeCloseTo(sum[c]! / length, 5);
  });
  const { targets } = await verifyFolder(bare.path, { targets: ["node-cpu"] });
  expect(targets["node-cpu"]).toMatchObject({ status: "passed" });
  const taught = await made("static-taught", "--steps", "400", "--lr", "0.002");
  expect(taught.after.score).toBeGreaterThan(bare.after.score);
});

it.each([
  [["--layers", "1"], /distill.static.*student of its own/],
  [["--hidden", "1"], /distill.static.*no layers/],
  [["--dims", "999"], /distill.dims.*999 is not from 1 to/],
])("refuses %j", async (more, message) => {
  const given = ["distill", teacher, "--data", text, "--out", join(dir, "no"), ...common.split(" "), ...more];
  const { code, out, err } = await inProcess(dir, given);
  expect(code, err).toBe(2);
  expect(`${out}${err}`).toMatch(message);
});
