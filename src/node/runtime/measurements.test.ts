import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tensor } from "../../ir/tensor.ts";
import type { Json, Model } from "../../models/model.ts";
import { architectures } from "../../models/registry.ts";
import { initialize, type ParamSpec } from "../../nn/param.ts";
import type { Tree } from "../../util/tree.ts";
import { measurements } from "./measurements.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-measured-"));
afterAll(() => rmSync(dir, { recursive: true }));

const arch = architectures.gpt2!;
const config = arch.parse({
  model_type: "gpt2",
  vocab_size: 20,
  n_positions: 8,
  n_embd: 8,
  n_layer: 1,
  n_head: 2,
});
const weights = initialize(arch.params(config) as Tree<ParamSpec>, 1);
const model: Model = { arch, config, weights, history: [] };

const made: string[] = [];
const of = async (given: Model, name: string, about: Json, version = "1", leastMs = 0): Promise<Json> => {
  const kept = measurements(given, { dir, version, leastMs });
  return kept.of(name, about, async () => {
    made.push(name);
    return [made.length];
  });
};

test("what was measured of the same numbers on the same text is not measured again", async () => {
  const first = await of(model, "a", [1, 2]);
  expect(await of({ ...model, history: [{ name: "x", options: {} }] }, "a", [1, 2])).toEqual(first);
  expect(made).toEqual(["a"]);
  const wte = tensor("float32", [20, 8], new Float32Array(160));
  const { transformer } = weights as { transformer: Record<string, Tree<never>> };
  const other = { ...weights, transformer: { ...transformer, wte: { weight: wte } } } as Model["weights"];
  const all = [
    await of(model, "a", [1, 3]),
    await of(model, "b", [1, 2]),
    await of(model, "a", [1, 2], "2"),
    await of({ ...model, weights: other }, "a", [1, 2]),
  ];
  expect(new Set([first, ...all].map(String)).size).toBe(5);
});

test("a damaged file, and what took no time, are measured anew; files that nobody used go", async () => {
  const first = await of(model, "c", 1);
  const files = readdirSync(dir);
  for (const name of files) writeFileSync(join(dir, name), "[1");
  expect(await of(model, "c", 1)).not.toEqual(first);
  const before = made.length;
  await of(model, "d", 1, "1", 1e6);
  await of(model, "d", 1, "1", 1e6);
  expect(made.length).toBe(before + 2);
  for (let i = 0; i < 70; i++) {
    const file = join(dir, `${i}.json`);
    writeFileSync(file, "[]");
    utimesSync(file, i, i);
  }
  const last = await of(model, "e", 1);
  expect(readdirSync(dir).length).toBe(64);
  expect(readdirSync(dir)).not.toContain("0.json");
  expect(await of(model, "e", 1)).toEqual(last);
});
