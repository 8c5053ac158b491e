import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { type TokenizerFiles, trainBpe } from "../../tokenizer/index.ts";
import { ConfigError, FormatError, RunError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { tokenizePool } from "./tokenizePool.ts";

const words = [
  "the",
  " quick",
  "\r\n",
  " brown\ud83d\ude00",
  "<|endoftext|>",
  " 1234",
  "e\u0301",
  "\ud800",
  "   ",
];
const r = rng(1, "texts");
const texts = Array.from({ length: 3000 }, (_, i) =>
  Array.from({ length: i % 97 === 0 ? 0 : r.int(200) }, () => words[r.int(words.length)]!).join(""),
);
const tokenizer = trainBpe(texts.slice(0, 200), { vocab: 400 });
const files = JSON.parse(JSON.stringify(tokenizer.files())) as TokenizerFiles;

test.each([1, 2, 3])("%i threads give the ids of one text after another", async (threads) => {
  const pool = tokenizePool(files, { threads });
  for (const options of [{}, { special: true }]) {
    const { ids, offsets } = await pool.encodeMany(texts, options);
    expect(offsets.length).toBe(texts.length + 1);
    expect([offsets[0], offsets.at(-1)]).toEqual([0, ids.length]);
    texts.forEach((text, i) => {
      expect(ids.slice(offsets[i], offsets[i + 1])).toEqual(tokenizer.encode(text, options));
    });
  }
  await pool.close();
});

test("several calls at a time, and little work", async () => {
  const pool = tokenizePool(files, { threads: 2 });
  const [a, b, none, little] = await Promise.all([
    pool.encodeMany(texts),
    pool.encodeMany([...texts].reverse()),
    pool.encodeMany([]),
    pool.encodeMany(["", "the"]),
  ]);
  expect(a.ids.length).toBe(b.ids.length);
  expect(b.ids.slice(0, b.offsets[1])).toEqual(tokenizer.encode(texts.at(-1)!));
  expect([...none.ids, ...none.offsets]).toEqual([0]);
  expect([...little.offsets]).toEqual([0, 0, tokenizer.encode("the").length]);
  await pool.close();
});

test("a closed pool says so, and bad settings are refused", async () => {
  const pool = tokenizePool(files, { threads: 2 });
  const open = pool.encodeMany(texts);
  await Promise.all([expect(open).rejects.toThrow(RunError), pool.close()]);
  await expect(pool.encodeMany(texts)).rejects.toThrow(/closed/);
  expect(() => tokenizePool(files, { threads: 0 })).toThrow(ConfigError);
  expect(() => tokenizePool({ ...files, tokenizer: {} }, { threads: 2 })).toThrow(FormatError);
});

test("an idle pool keeps no process alive", () => {
  const program = `
    const { tokenizePool } = await import(${JSON.stringify(new URL("../../../dist/node/prepare/tokenizePool.js", import.meta.url).href)});
    const pool = tokenizePool(${JSON.stringify(files)}, { threads: 2 });
    const { ids } = await pool.encodeMany(Array.from({ length: 100 }, () => "the quick ".repeat(1000)));
    console.log(ids.length > 0);`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", program], { timeout: 60_000 });
  expect(out.toString().trim()).toBe("true");
});
