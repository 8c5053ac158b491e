/** Held-out files of running text: they are measured on as they stand, and nothing of theirs is trained on. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { defaults, type RunOptions } from "../config/options.ts";
import { silent } from "../context/ui.ts";
import { corpus } from "./corpus.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-held-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const wordsOf = (seed: number, count: number): string[] => {
  const r = rng(seed, "words");
  return Array.from({ length: count }, () => `w${r.int(400)}`);
};
const write = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};
const held = wordsOf(1, 300).join(" ");
const [plain, leak, own, empty] = [
  write("plain.txt", wordsOf(2, 2000).join(" ")),
  write("leak.txt", [...wordsOf(3, 400), ...held.split(" ").slice(100, 140), ...wordsOf(4, 400)].join(" ")),
  write("held.txt", held),
  write("empty.txt", " \n"),
];

const read = (out: string, data: Partial<RunOptions["data"]>) =>
  corpus(
    {
      ...{ ...defaults, out: join(dir, out), threads: 1 },
      data: { ...defaults.data, paths: [plain, leak], rules: [], near: "off", lines: "off", ...data },
      tokenizer: { kind: "char", vocab: 64 },
      model: { ...defaults.model, n_positions: 32 },
    },
    { ui: silent },
  );

describe.each([
  ["in memory", "concat"],
  ["over files", "bestFit"],
] as const)("%s", (_, packing) => {
  test("text with passages of theirs goes, by a stage that tells it; all else is trained on", async () => {
    const made = await read(packing, { packing, validation: [own] });
    expect(made.tokenizer.decode(Array.from(made.validation.tokens)).replace(/<\|.*?\|>/g, "")).toBe(held);
    expect(made.train.documents).toBe(1);
    const dropped = made.report.stages
      .flatMap(({ reasons }) => reasons)
      .find(({ reason }) => reason.includes("contam"));
    expect(dropped).toMatchObject({ count: 1 });
  });
});

test("without them a share is held out, as before; files without text are refused", async () => {
  const made = await read("share", {});
  const short = await read("short", {
    validation: [write("short.jsonl", '{"text":"w1 w2"}\n{"text":"w3"}\n')],
  });
  expect(short.validation.documents).toBe(2);
  expect(made.validation.tokens.length).toBeGreaterThan(10);
  await expect(read("none", { validation: [empty] })).rejects.toThrow(/empty.txt/);
});
