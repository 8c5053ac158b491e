/** Folders that are pruned: what costs least goes, what is left works, and both are told. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { inProcess } from "../../src/cli/inProcess.fixture.ts";
import type { Tensor } from "../../src/ir/tensor.ts";
import type { Model } from "../../src/models/model.ts";
import type { Weight } from "../../src/nn/param.ts";
import { writeFolder } from "../../src/node/files/checkpoints.ts";
import { loadFolder } from "../../src/node/model/folder.ts";
import type { PrunedFolder } from "../../src/recipes/prune/prune.ts";
import { verifyFolder } from "../../src/recipes/verify/verify.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import { charTokenizer } from "../../src/tokenizer/index.ts";
import { mapTree } from "../../src/util/tree.ts";
import { dir, modelOf } from "./exported.ts";

const alphabet = "the quick brown fox jumps over a lazy dog.";
const idle = join(dir, "to-prune");
const busy = join(dir, "to-teach");
const text = join(dir, "hares.jsonl");

/** The model whose second layer adds nothing to what it reads. */
const withIdleLayer = (model: Model): Model => ({
  ...model,
  weights: mapTree<Weight, Weight>(model.weights, (w, path) => {
    if (!/\.h\.1\.(attn|mlp)\.c_proj\./.test(path)) return w;
    return { ...(w as Tensor), data: new Float32Array((w as Tensor).data.length) };
  }),
});

const layersOf = (model: Model): number => model.arch.cache(model.config).layers;

beforeAll(async () => {
  const { tokenizer, config } = charTokenizer(alphabet).files();
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const files = new Map([
    ["tokenizer.json", bytes(tokenizer)],
    ["tokenizer_config.json", bytes(config)],
  ]);
  const model = modelOf("gpt2", "causal-lm");
  await writeFolder(busy, exportModel(model, { files }));
  await writeFolder(idle, exportModel(withIdleLayer(model), { files }));
  const words = alphabet.split(/[. ]/).slice(0, 9);
  const record = (i: number) => Array.from({ length: 30 }, (_, w) => words[(i * w * w + w) % 9]).join(" ");
  writeFileSync(
    text,
    Array.from({ length: 40 }, (_, i) => `${JSON.stringify({ text: record(i) })}\n`).join(""),
  );
});

const prune = async (source: string, out: string, ...argv: string[]): Promise<PrunedFolder> => {
  const given = ["prune", source, "--data", text, "--threads", "1", "--out", out, "--json", ...argv];
  const { code, out: said, err } = await inProcess(dir, given);
  expect(code, err).toBe(0);
  return JSON.parse(said) as PrunedFolder;
};

describe("anneal prune", () => {
  it("leaves out the layer that is missed least, at no cost where it adds nothing", async () => {
    const whole = layersOf((await loadFolder(idle)).model);
    const out = join(dir, "shallow");
    const { before, after, kept, better } = await prune(idle, out, "--layers", String(whole - 1));
    expect(kept).toEqual(Array.from({ length: whole }, (_, i) => i).filter((i) => i !== 1));
    expect({ layers: after.layers, better }).toEqual({ layers: whole - 1, better: "less" });
    expect(after.score).toBeCloseTo(before.score, 5);
    expect(after.params).toBeLessThan(before.params);
    const { model } = await loadFolder(out);
    expect(layersOf(model)).toBe(whole - 1);
    expect(model.history.at(-1)).toEqual({ name: "dropLayers", options: { kept } });
    expect(readFileSync(join(out, "README.md"), "utf8")).toMatch(/## Pruning\n\nThe model was cut\. Of/);
    const { targets } = await verifyFolder(out, { targets: ["node-cpu"] });
    expect(targets["node-cpu"]).toMatchObject({ status: "passed" });
  });

  it("cuts the vocabulary to the text, and the whole model teaches what is left", async () => {
    const out = join(dir, "taught");
    const taught = [
      "--layers",
      "1",
      "--cut-vocab",
      "--recover",
      "40",
      "--batch",
      "4",
      "--distill-lr",
      "0.01",
    ];
    const { before, cut, after } = await prune(busy, out, ...taught);
    const { model, tokenizer } = await loadFolder(out);
    expect(after.tokens).toBe(tokenizer.vocabSize);
    // The model has rows that no token has.
    expect(tokenizer.vocabSize).toBeLessThan(before.tokens);
    expect(model.config.vocab_size).toBe(tokenizer.vocabSize);
    expect(after.score).toBeLessThan(cut!.score - 0.1);
    expect(model.history.map(({ name }) => name).slice(-3)).toEqual([
      "cutVocabulary",
      "dropLayers",
      "distill",
    ]);
  });

  it.each([
    [[], /asks for nothing.*\n.*--layers N or --cut-vocab/],
    [["--layers", "99"], /prune.layers.*from 1 to the model's \d+ layers, not 99/],
  ])("refuses %j", async (more, message) => {
    const given = ["prune", idle, "--data", text, "--threads", "1", "--out", join(dir, "none"), ...more];
    const { code, err } = await inProcess(dir, given);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
