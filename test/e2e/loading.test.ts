/** Folders that transformers wrote, whole: what is loaded computes what PyTorch computes; and in how much memory. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compile } from "../../src/engine/compile.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { trace } from "../../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf } from "../../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../../src/models/decoders/gpt2.ts";
import type { Model } from "../../src/models/model.ts";
import { asConstants, type ParamSpec } from "../../src/nn/param.ts";
import { loadModel } from "../../src/node/model/folder.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { flatten, type Tree } from "../../src/util/tree.ts";
import golden from "../golden/loading.json" with { type: "json" };

const folder = (name: string): string => fileURLToPath(new URL(`../golden/loading/${name}`, import.meta.url));

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** The logits (a body's: the features) of the golden's rows of ids. */
const logitsOf = async (model: Model): Promise<Float32Array> => {
  const shape = [golden.ids.length, golden.ids[0]!.length];
  const program = trace({ ids: { dtype: "int32", shape } as TensorType }, ({ ids: inputIds }) => {
    return { logits: model.arch.forward(asConstants(model.weights), { inputIds }, model.config).logits };
  });
  const session = await compile(engine, program);
  const { logits } = await session.run({ ids: tensorOf("int32", shape, golden.ids.flat()) });
  await session.dispose();
  return logits!.data as Float32Array;
};

const worst = (a: ArrayLike<number>, b: readonly number[]): number =>
  b.reduce((most, x, i) => Math.max(most, Math.abs(x - a[i]!)), 0);

test.each(Object.entries(golden.logits))("%s computes what PyTorch computes", async (name, want) => {
  const { model } = await loadModel(folder(name));
  const found = await logitsOf(model);
  expect(found.length).toBe(want.length);
  expect(worst(found, want)).toBeLessThan(1e-4);
  expect(model.history).toEqual([]);
});

test("labels come from the config", async () => {
  const { model } = await loadModel(folder("roberta-tagger"));
  expect(model.config).toMatchObject({ id2label: { 0: "bad", 1: "good", 2: "so so" } });
});

test("a checkpoint of one task begins a model of another", async () => {
  const options = { task: "token-classification", labels: ["O", "PER", "LOC", "ORG"], seed: 3 } as const;
  const { model } = await loadModel(folder("bert-pretraining"), options);
  const logits = await logitsOf(model);
  expect(logits.length).toBe(golden.ids.flat().length * 4);
  expect(new Set(logits).size).toBeGreaterThan(10);
  const again = await loadModel(folder("bert-pretraining"), options);
  expect(await logitsOf(again.model)).toEqual(logits);
  const body = await loadModel(folder("bert-pretraining"));
  const [mine, theirs] = [model, body.model].map(({ weights }) => flatten<Tensor>(weights as Tree<Tensor>));
  for (const [name, t] of theirs!) if (name.startsWith("bert.")) expect(mine!.get(name), name).toEqual(t);
  expect(model.history[0]!.options).toMatchObject({
    task: "token-classification",
    initialized: ["classifier.weight", "classifier.bias"],
  });
});

describe("memory", () => {
  const config = gpt2Config({ vocab_size: 60_000, n_embd: 512, n_layer: 6, n_head: 8 });
  const specs = flatten<ParamSpec>(gpt2.params(config));
  const sizes = new Map([...specs].map(([name, { shape }]) => [name, shape.reduce((a, b) => a * b, 1)]));
  const weightsBytes = 4 * [...sizes.values()].reduce((a, b) => a + b, 0);
  const dirs: string[] = [];
  afterAll(() => Promise.all(dirs.map((dir) => rm(dir, { recursive: true, force: true }))));

  /** A checkpoint of zeros that takes no room on the disk. */
  const sparse = async (dtype: "F32" | "F16" | "BF16"): Promise<string> => {
    const dir = await mkdtemp(join(tmpdir(), "anneal-memory-"));
    dirs.push(dir);
    let offset = 0;
    const header = Object.fromEntries(
      [...specs].map(([name, { shape }]) => {
        const start = offset;
        offset += sizes.get(name)! * (dtype === "F32" ? 4 : 2);
        return [name, { dtype, shape, data_offsets: [start, offset] }];
      }),
    );
    const text = Buffer.from(JSON.stringify(header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const file = join(dir, "model.safetensors");
    await writeFile(file, Buffer.concat([length, text]));
    await truncate(file, 8 + text.length + offset);
    await writeFile(join(dir, "config.json"), JSON.stringify(config));
    return dir;
  };

  const program = `
    const { readFileSync } = await import("node:fs");
    const status = (name) => 1024 * Number(new RegExp(name + ":\\\\s*(\\\\d+)").exec(readFileSync("/proc/self/status"))[1]);
    const { loadModel } = await import(process.argv[1]);
    const before = status("VmRSS");
    await loadModel(process.argv[2]);
    console.log(status("VmHWM") - before);
  `;

  test.runIf(process.platform === "linux").each(["F32", "F16", "BF16"] as const)(
    "loading %s takes at most 1.3 times the weights' float32 size",
    async (dtype) => {
      const module = new URL("../../dist/node/model/folder.js", import.meta.url).href;
      const args = ["--input-type=module", "-e", program, module, await sparse(dtype)];
      const taken = Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
      expect(taken / weightsBytes).toBeGreaterThan(0.9);
      expect(taken / weightsBytes).toBeLessThan(1.3);
    },
  );
});
