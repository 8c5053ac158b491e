/** Exports of 8 bits find an encoder's steps on the text that is given. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { decodeOnnx } from "../../src/formats/onnx/read.ts";
import { usualPooling } from "../../src/models/pooling.ts";
import { architectures } from "../../src/models/registry.ts";
import { initialize } from "../../src/nn/param.ts";
import { defaults } from "../../src/recipes/config/options.ts";
import { exportFolder } from "../../src/recipes/export/export.ts";
import { families, writeModel } from "../browser/folders.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-steps-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A BERT whose matrices are large enough for integer products. */
const source = async () => {
  const arch = architectures.bert!;
  const sizes = { hidden_size: 192, intermediate_size: 768, num_hidden_layers: 1, initializer_range: 0.05 };
  const named = { architectures: [arch.classes.features!] };
  const config = arch.parse({ model_type: "bert", ...families.bert.config, ...sizes, ...named });
  const weights = initialize(arch.params(config) as Parameters<typeof initialize>[0], 7);
  const model = { arch, config, weights, history: [], pooling: usualPooling };
  return writeModel(join(dir, "model"), model, ["fp32"]);
};

/** The graph of 8 bits. */
const graphOf = (out: string) => readFileSync(join(out, "onnx/model_quantized.onnx"));

test("by --data the steps of its inputs are those of that text", async () => {
  const from = await source();
  const words = ["the", "cat", "sat", "on", "a", "mat", "dog", "ran", "far", "away", "red", "river"];
  const sentence = (i: number) => Array.from({ length: 12 }, (_, k) => words[(5 * i + k * k) % 12]).join(" ");
  const file = join(dir, "own.txt");
  writeFileSync(file, Array.from({ length: 400 }, (_, i) => `${sentence(i)}.`).join("\n\n"));
  const run = { ...defaults, data: { ...defaults.data, paths: [file] } };
  const made = async (name: string, more: object) => {
    const out = join(dir, name);
    await exportFolder(from, { out, dtypes: ["q8"], ...more });
    return graphOf(out);
  };
  const [plain, shown, again] = [
    await made("plain", {}),
    await made("shown", { text: { run } }),
    await made("again", { text: { run } }),
  ];
  expect(again.equals(shown)).toBe(true);
  expect(shown.equals(plain)).toBe(false);
  const count = (bytes: Buffer, op: string) =>
    decodeOnnx(bytes).graph.nodes.filter(({ opType }) => opType === op).length;
  // Nobody looks for a row's largest number where steps are fixed.
  expect(count(shown, "ReduceMax")).toBeLessThanOrEqual(count(plain, "ReduceMax"));
  expect(count(shown, "QuantizeLinear")).toBeGreaterThan(0);
});
