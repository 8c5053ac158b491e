/** llama.cpp as a target: folders verified on it as a user does, and what goes wrong there. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tensor } from "../../src/ir/tensor.ts";
import { initialize, type ParamSpec } from "../../src/nn/param.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { targets } from "../../src/node/targets/index.ts";
import type { Place, ScoredRows } from "../../src/node/targets/target.ts";
import { ggufFiles } from "../../src/recipes/export/gguf.ts";
import type { ParityFile } from "../../src/ship/verify/verify.ts";
import { tokenScores } from "../../src/tasks/scores.ts";
import type { Tree } from "../../src/util/tree.ts";
import { tinyModel, writeModel } from "../browser/folders.ts";
import { annealHere as anneal, onlyJson } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-llama-"));
const folder = join(dir, "model");
const model = tinyModel("gpt2");
let place: Place;

beforeAll(async () => {
  await writeModel(folder, model, ["fp32"]);
  await ggufFiles(folder, ["f32", "q8_0", "q4_0"], {});
  place = await targets["llama.cpp"].open({ threads: 1, timeoutMs: 60_000, software: false });
});
afterAll(async () => {
  await place.close();
  rmSync(dir, { recursive: true, force: true });
});

const verify = (of: string, ...more: string[]) =>
  anneal(["verify", of, "--count", "2", "--threads", "1", ...more]);
const fileOf = (of: string, kind: string): string =>
  join(of, readdirSync(of).find((name) => name.endsWith(`-${kind}.gguf`))!);
const artifact = (kind: string, file = fileOf(folder, kind.toUpperCase())) => ({
  dtype: kind,
  graphs: { model: file },
});
/** A copy to damage. */
const copyOf = (name: string): string => {
  const copy = join(dir, name);
  cpSync(folder, copy, { recursive: true });
  return copy;
};

test("a folder's files are compared with its weights, their tokenizer with its own", async () => {
  const finished = await verify(folder, "--target", "llama.cpp", "--json");
  const file = onlyJson<ParityFile>(finished);
  const { engine, dtypes } = file.targets["llama.cpp"]!;
  expect(engine).toMatch(/^llama\.cpp /);
  expect(Object.keys(dtypes)).toEqual(["f32", "q8_0", "q4_0"]);
  expect(dtypes.f32).toMatchObject({
    status: "passed",
    tokenizerAgreement: 1,
    greedyAgreement: 1,
    tokens: 32,
  });
  expect(dtypes.q8_0).toMatchObject({ status: "passed", tokenizerAgreement: 1 });
  expect(dtypes.q4_0!.cosine).toBeLessThan(dtypes.q8_0!.cosine!);
  for (const { tokensPerSec, firstTokenMs, loadMs, memoryBytes } of Object.values(dtypes))
    for (const figure of [tokensPerSec, firstTokenMs, loadMs, memoryBytes]) expect(figure).toBeGreaterThan(0);
  expect(JSON.parse(readFileSync(join(folder, "parity.json"), "utf8"))).toEqual(file);
  expect(readFileSync(join(folder, "README.md"), "utf8")).toMatch(/\| llama\.cpp \| q8\\?_0 \| passed/);
});

test("a file alone is compared with what its numbers say, and nothing is written beside it", async () => {
  const alone = join(dir, "alone");
  cpSync(fileOf(folder, "Q8_0"), join(alone, "m.gguf"));
  const finished = await verify(join(alone, "m.gguf"), "--target", "llama.cpp", "--json");
  expect(finished.code, finished.stderr).toBe(0);
  expect(onlyJson<ParityFile>(finished).targets["llama.cpp"]!.dtypes.q8_0).toMatchObject({
    status: "passed",
  });
  expect(readdirSync(alone)).toEqual(["m.gguf"]);
});

test("another tokenizer, other weights and a torn file fail, each with its reason", async () => {
  const other = copyOf("other");
  // The folder's tokenizer merges less than the file's.
  const path = join(other, "tokenizer.json");
  const json = JSON.parse(readFileSync(path, "utf8")) as { model: { merges: unknown[] } };
  json.model.merges.splice(4);
  writeFileSync(path, JSON.stringify(json));
  const split = await verify(other, "--target", "llama.cpp", "--dtype", "f32");
  expect(split.stdout).toMatch(/f32 fails \(its tokenizer splits [\d.]+ % of the texts otherwise/);
  expect(split.code).toBe(1);

  const torn = copyOf("torn");
  const file = fileOf(torn, "F32");
  writeFileSync(file, readFileSync(file).subarray(0, -4000));
  const failed = await verify(torn, "--target", "llama.cpp", "--dtype", "f32");
  expect(failed.code, failed.stdout).toBe(3);
  expect(failed.stderr).toMatch(/F32\.gguf.*ends|F32\.gguf.*beyond/s);
  await expect(
    place.probe(artifact("f32", file), { does: "generates", shape: shape(), vocab: 300 }),
  ).rejects.toThrow(/load|tensor|corrupt/i);
});

const shape = () => model.arch.cache(model.config);

test("what is asked for and is not there is said", async () => {
  const bare = join(dir, "bare");
  await writeModel(bare, model, ["fp32"]);
  const { code, stdout } = await verify(bare, "--target", "llama.cpp");
  expect(code).toBe(4);
  expect(stdout).toContain("there is no GGUF file for it");
  expect(stdout).toContain("--gguf");
  const kind = await verify(folder, "--dtype", "q6_k");
  expect(kind.code).toBe(3);
  expect(kind.stderr).toMatch(/no GGUF file of q6_k.*f32, q8_0, q4_0/s);
});

test("held-out tokens cost in llama.cpp what they cost here", async () => {
  const [rows, length] = [3, 40];
  const at = (i: number): number => (i * 37 + (i % 7) * 11) % 300;
  const ids = Int32Array.from({ length: rows * length }, (_, i) => at(i));
  const labels = Int32Array.from({ length: rows * length }, (_, i) => (i % 9 === 0 ? -100 : at(i + 1)));
  const given: ScoredRows[] = [{ ids, labels, length }];
  const window = {
    inputIds: tensor("int32", [rows, length], ids),
    labels: tensor("int32", [rows * length], labels),
  };
  const ours = await tokenScores(await nodeEngine({ threads: 1 }), model, { windows: [window] });
  const told: (readonly [number, number])[] = [];
  const theirs = await place.score!(artifact("f32"), given, (...at) => void told.push(at));
  expect(told).toEqual(Array.from({ length: rows }, (_, i) => [i + 1, rows]));
  expect(theirs.length).toBe(ours.length);
  for (const [i, cost] of theirs.entries()) expect(Math.abs(cost - ours[i]!)).toBeLessThan(0.01);
  const rounded = await place.score!(artifact("q4_0"), given);
  expect(rounded.some((cost, i) => Math.abs(cost - theirs[i]!) > 1e-3)).toBe(true);
});

test("more tokens than there are positions are refused, and what takes too long is ended", async () => {
  const ids = Int32Array.from({ length: 80 }, () => 5);
  await expect(place.score!(artifact("f32"), [{ ids, labels: ids, length: 80 }])).rejects.toThrow(
    "80 tokens are more than the 64 positions",
  );
  const hasty = await targets["llama.cpp"].open({ threads: 1, timeoutMs: 5, software: false });
  const probed = { does: "generates", shape: shape(), vocab: 300 } as const;
  await expect(hasty.probe(artifact("f32"), probed)).rejects.toThrow("took longer than 0.005 s");
  await hasty.close();
});

test("rows longer than is usual are scored where the model has the positions", async () => {
  const config = { vocab_size: 300, n_positions: 700, n_embd: 32, n_layer: 1, n_head: 2 };
  const arch = model.arch;
  const parsed = arch.parse({ model_type: "gpt2", ...config });
  const weights = initialize(arch.params(parsed) as Tree<ParamSpec>, 1);
  const long = join(dir, "long");
  await writeModel(long, { arch, config: parsed, weights, history: [] }, ["fp32"]);
  await ggufFiles(long, ["q8_0"], {});
  const ids = Int32Array.from({ length: 650 }, (_, i) => (i * 7) % 300);
  const costs = await place.score!(artifact("q8_0", fileOf(long, "Q8_0")), [
    { ids, labels: ids, length: 650 },
  ]);
  expect(costs.length).toBe(650);
  expect(costs.every(Number.isFinite)).toBe(true);
});

test("a text is gone on with, the same for the same seed, until it ends or is long enough", async () => {
  const how = { prompts: [[5, 6, 7]], maxTokens: 12, temperature: 0.7, topK: 40, seed: 3, stopIds: [] };
  const [[first], [again]] = [
    await place.write!(artifact("f32"), how),
    await place.write!(artifact("f32"), how),
  ];
  expect(first).toHaveLength(12);
  expect(again).toEqual(first);
  const [stopped] = await place.write!(artifact("f32"), { ...how, stopIds: [first![4]!] });
  expect(stopped).toEqual(first!.slice(0, first!.indexOf(first![4]!)));
});

test("a file that llama.cpp ends over, and one that it refuses, say why", async () => {
  const bytes = readFileSync(fileOf(folder, "Q8_0"));
  const with32 = (key: string, value: number): string => {
    const copy = Buffer.from(bytes);
    copy.writeUInt32LE(value, copy.indexOf(key) + key.length + 4);
    const path = join(dir, `${key}.gguf`);
    writeFileSync(path, copy);
    return path;
  };
  const probed = { does: "generates", shape: shape(), vocab: 300 } as const;
  const probe = (file: string) => place.probe(artifact("q8_0", file), probed);
  await expect(probe(with32("attention.head_count", 7))).rejects.toThrow(/Failed to load model: .*\w/);
  await expect(probe(with32("embedding_length", 0))).rejects.toThrow(
    /GGML_ASSERT|Failed to load model: .*\w/,
  );
  expect((await probe(fileOf(folder, "Q8_0"))).figures.p50Ms!.value).toBeGreaterThan(0);
});
