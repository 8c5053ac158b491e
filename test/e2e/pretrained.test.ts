/** What `anneal train --family` makes of text and pairs, as the real @huggingface/transformers loads and runs it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { env, pipeline } from "@huggingface/transformers";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import type { ModelConfig, Seq2SeqArchitecture } from "../../src/models/model.ts";
import { loadFolder } from "../../src/node/model/folder.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { greedySearch, seq2seqDecoder } from "../../src/serve/decode/seq2seqDecoder.ts";
import { encoderOf } from "../../src/serve/graphs/encoder.ts";
import type { Tokenizer } from "../../src/tokenizer/index.ts";
import { annealHere as anneal, onlyJson, sentences, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-pretrained-"));
const shape = "--layers 2 --heads 2 --width 32 --context 48 --vocab 420 --near off".split(" ");
const work = "--steps 60 --batch 4 --eval-every 30 --seed 1 --threads 1".split(" ");

/** Trains a model of a family on a file, and returns its folder. */
const trained = async (family: string, data: string): Promise<string> => {
  const out = join(dir, family);
  const run = await anneal(["train", "--family", family, "--data", data, "--out", out, ...shape, ...work]);
  expect(run.code, run.stderr).toBe(0);
  return join(out, "model");
};

let engine: Engine;
beforeAll(async () => {
  env.allowRemoteModels = false;
  env.localModelPath = "/";
  engine = await nodeEngine({ threads: 1 });
  writeCorpus(join(dir, "text"), 200);
  const pairs = sentences(200).map((text) => ({ source: text, target: text.split(" ").reverse().join(" ") }));
  writeFileSync(join(dir, "pairs.jsonl"), pairs.map((pair) => `${JSON.stringify(pair)}\n`).join(""));
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Ids of a text's parts and of the tokens that are named between them. */
const idsOf = (tokenizer: Tokenizer, parts: readonly (string | { readonly token: string })[]): number[] =>
  parts.flatMap((part) =>
    typeof part === "string" ? Array.from(tokenizer.encode(part)) : [tokenizer.idOf(part.token)!],
  );

/** The likeliest tokens of a row of logits, with their probabilities. */
const likeliest = (logits: Float32Array, count: number) => {
  const top = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, x) => total + Math.exp(x - top), 0);
  return Array.from(logits, (x, token) => ({ token, score: Math.exp(x - top) / sum }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
};

describe.each(["bert", "roberta", "distilbert"])("%s: fill-mask", (family) => {
  let path: string;
  beforeAll(async () => {
    path = await trained(family, join(dir, "text"));
  }, 120_000);

  test("has anneal's predictions", async () => {
    const { model, tokenizer } = await loadFolder(path);
    const fill = await pipeline("fill-mask", path, { dtype: "fp32" });
    const { mask_token: mask } = JSON.parse(readFileSync(join(path, "tokenizer_config.json"), "utf8"));
    const [before, after] = ["The quiet", " holds the old lamp near winter 7."];
    const theirs = (await fill(`${before}${mask}${after}`)) as { token: number; score: number }[];
    await fill.dispose();
    const { cls, sep, bos, eos } = tokenizer.specials;
    const inner = idsOf(tokenizer, [before, { token: mask }, after]);
    const ids = [(cls ?? bos)!, ...inner, (sep ?? eos)!];
    const encoder = await encoderOf(engine, model);
    const { output } = await encoder.run([{ ids }]);
    await encoder.dispose();
    const [at, vocab] = [ids.indexOf(tokenizer.specials.mask!), output.shape[2]!];
    const logits = (output.data as Float32Array).subarray(at * vocab, (at + 1) * vocab);
    const ours = likeliest(logits, theirs.length);
    expect(theirs.map(({ token }) => token)).toEqual(ours.map(({ token }) => token));
    for (const [i, { score }] of theirs.entries())
      expect(Math.abs(score - ours[i]!.score)).toBeLessThan(1e-5);
  });

  test("cuts a text that is longer than the model's positions", async () => {
    const fill = await pipeline("fill-mask", path, { dtype: "fp32" });
    const text = `The ${fill.tokenizer.mask_token} river ${"near the old garden ".repeat(40)}`;
    await expect(fill(text)).resolves.toHaveLength(5);
    await fill.dispose();
  });
});

describe.each([
  { family: "t5", data: "text", parts: ["The quiet", { token: "<extra_id_0>" }, " near winter 7."] },
  { family: "marian", data: "pairs.jsonl", parts: ["The quiet lamp follows the old river."] },
])("$family: text2text-generation", ({ family, data, parts }) => {
  test("writes anneal's tokens", async () => {
    const path = await trained(family, join(dir, data));
    const { model, tokenizer } = await loadFolder(path);
    const arch = model.arch as Seq2SeqArchitecture;
    const { start, pad, eos } = arch.tokens(model.config as ModelConfig);
    const decoder = await seq2seqDecoder(engine, model);
    const maxTokens = 12;
    const source = [...idsOf(tokenizer, parts), tokenizer.eos];
    const rows = await greedySearch(await decoder.encode([source]), { start, pad, eos, maxTokens });
    await decoder.dispose();
    const run = await pipeline("text2text-generation", path, { dtype: "fp32" });
    const text = parts.map((part) => (typeof part === "string" ? part : part.token)).join("");
    const out = (await run.model.generate({ ...run.tokenizer(text), max_new_tokens: maxTokens })) as {
      tolist(): bigint[][];
    };
    const theirs = out.tolist()[0]!.map(Number);
    // The last one may be an end that the folder forces.
    expect(theirs.slice(0, maxTokens)).toEqual([start, ...rows[0]!].slice(0, maxTokens));
    const written = await run(text, { max_new_tokens: maxTokens } as never);
    await run.dispose();
    const args = ["--prompt", text, "--greedy", "--max-tokens", String(maxTokens), "--json"];
    const { text: generated_text } = onlyJson<{ text: string }>(await anneal(["generate", path, ...args]));
    expect(written).toEqual([{ generated_text }]);
  }, 120_000);
});
