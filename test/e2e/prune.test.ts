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
import type { PrunePrediction } from "../../src/recipes/prune/predict.ts";
import type { PrunedFolder } from "../../src/recipes/prune/prune.ts";
import { verifyFolder } from "../../src/recipes/verify/verify.ts";
import { exportModel } from "../../src/ship/onnx/export.ts";
import { charTokenizer } from "../../src/tokenizer/index.ts";
import { flatten, mapTree, type Tree } from "../../src/util/tree.ts";
import { agreement, dir, modelOf, reference, theirs } from "./exported.ts";

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

const { tokenizer: json, config } = charTokenizer(alphabet).files();
const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const files = new Map([
  ["tokenizer.json", bytes(json)],
  ["tokenizer_config.json", bytes(config)],
]);

beforeAll(async () => {
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

/** Whether two of every four neighbouring inputs are 0. */
const zerosOfFour = ({ data }: Tensor): boolean =>
  Array.from({ length: data.length / 4 }, (_, i) => Array.from(data.slice(4 * i, 4 * i + 4), Number)).every(
    (four) => four.filter((v) => v === 0).length === 2,
  );

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
    expect(model.history.slice(-2)).toEqual([
      { name: "dropLayers", options: { kept } },
      { name: "restore", options: {} },
    ]);
    expect(readFileSync(join(out, "README.md"), "utf8")).toMatch(/## Pruning\n\nThe model was cut\. Of/);
    const { targets } = await verifyFolder(out, { targets: ["node-cpu"] });
    expect(targets["node-cpu"]).toMatchObject({ status: "passed" });
  });

  it("cuts vocabulary, layers and neurons in rounds, and the whole model teaches what is left", async () => {
    const out = join(dir, "taught");
    const cuts = ["--layers", "1", "--neurons", "0.5", "--cut-vocab"];
    const teaching = ["--recover", "40", "--batch", "4", "--distill-lr", "0.01"];
    const { before, states, after } = await prune(busy, out, ...cuts, ...teaching);
    const { model, tokenizer } = await loadFolder(out);
    expect(after.tokens).toBe(tokenizer.vocabSize);
    // The model has rows that no token has.
    expect(tokenizer.vocabSize).toBeLessThan(before.tokens);
    expect(model.config.vocab_size).toBe(tokenizer.vocabSize);
    const [cut, restored, taught] = states.slice(-3);
    expect([cut, restored, taught].map((each) => each!.name.replace(/^round \d: /, ""))).toEqual([
      ...["cut", "restored", "taught again"],
    ]);
    expect(taught!.score).toBeLessThan(states[1]!.score - 0.1);
    expect(after).toMatchObject({ layers: 1, neurons: before.neurons / 2 });
    const names = model.history.map(({ name }) => name);
    const round = ["keepUnits", "restore", "distill"];
    const expected = ["cutVocabulary", "dropLayers", ...round, ...round];
    expect(names.slice(names.indexOf("cutVocabulary"))).toEqual(expected);
  });

  it("cuts heads with their keys and values and hidden states, as predicted, and transformers.js says what is left of them", async () => {
    const [from, out] = [join(dir, "to-narrow"), join(dir, "narrow")];
    await writeFolder(from, exportModel(modelOf("llama", "causal-lm"), { files }));
    const how = ["--importance", "taylor", "--sparsity", "2:4"];
    const cuts = ["--heads", "0.5", "--neurons", "0.5", "--width", "0.75", ...how];
    const predicted = (await prune(from, out, ...cuts, "--dry-run")) as unknown as PrunePrediction;
    const { before, after, path } = await prune(from, out, ...cuts);
    expect([predicted.before.params, predicted.after.params]).toEqual([before.params, after.params]);
    expect(after).toMatchObject({
      ...{ heads: before.heads! / 2, neurons: before.neurons / 2, width: (3 * before.width!) / 4 },
    });
    const { model } = await loadFolder(path);
    // All in layers but norms.
    expect(after.packed!.zeros).toBeGreaterThan(0.3);
    expect(after.packed!.gzipBytes).toBeLessThan(0.85 * 4 * after.params);
    expect(
      zerosOfFour(flatten(model.weights as Tree<Tensor>).get("model.layers.1.mlp.down_proj.weight")!),
    ).toBe(true);
    const found = await theirs(path, "causal-lm", "fp32", model);
    expect(agreement(model, await reference(model), found).maxDiff).toBeLessThan(1e-4);
    const { targets } = await verifyFolder(path, { targets: ["node-cpu"] });
    expect(targets["node-cpu"]).toMatchObject({ status: "passed" });
  });

  it("refuses gradients of sentence vectors, which text alone gives no loss", async () => {
    const from = join(dir, "vectors");
    const own = { ...modelOf("bert", "features"), pooling: { mode: "mean", normalize: true } } as Model;
    await writeFolder(from, exportModel(own, { files }));
    const how = ["--validation-share", "0.4", "--neurons", "0.5", "--importance", "taylor"];
    const { code, err } = await inProcess(dir, [
      "prune",
      from,
      "--data",
      text,
      ...how,
      "--out",
      join(dir, "no-vectors"),
    ]);
    expect(code, err).toBe(2);
    expect(err).toMatch(/prune.importance.*by taylor needs a loss.*--importance activation/s);
  });

  it.each([
    [[], /asks for nothing.*\n.*--layers N, --neurons 0.5, --heads 0.5, --sparsity 0.5 or --cut-vocab/],
    [["--heads", "0.5"], /prune.heads.*heads' widths add up to the hidden width/],
    [["--neurons", "1.5"], /prune.neurons.*share between 0 and 1 or a number from 1 to \d+, not 1.5/],
    [["--neurons", "0.5", "--importance", "size"], /prune.importance.*activation, taylor, magnitude/],
    [["--width", "0.5"], /prune.width.*of gpt2 cannot be cut/],
    [["--sparsity", "2:4", "--allocate"], /prune.allocate.*alike in all/],
    [["--layers", "1", "--allocate"], /prune.allocate.*none are asked for/],
    [["--sparsity", "5"], /prune.sparsity.*a share between 0 and 1, or 2:4 and the like, not "5"/],
    [["--sparsity", "0.5", "--recover", "10"], /prune.recover.*would fill the zeros again/],
    [["--layers", "99"], /prune.layers.*from 1 to the model's \d+ layers, not 99/],
  ])("refuses %j", async (more, message) => {
    const given = ["prune", idle, "--data", text, "--threads", "1", "--out", join(dir, "none"), ...more];
    const { code, err } = await inProcess(dir, given);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });
});
