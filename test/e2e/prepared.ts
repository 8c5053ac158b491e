/** Documents with planted duplicates, and the folder that `anneal data` makes of them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect } from "vitest";
import { rng } from "../../src/util/rng.ts";
import { annealHere as anneal, filesBelow } from "./command.ts";

export const dir = mkdtempSync(join(tmpdir(), "anneal-data-"));

export const data = join(dir, "data");

export const FILES = 7;

export const DOCUMENTS = 60;

const vocabulary = Array.from({ length: 400 }, (_, i) => {
  const random = rng(7, `word/${i}`);
  return Array.from({ length: 3 + random.int(5) }, () => String.fromCharCode(97 + random.int(26))).join("");
});

/** A text of random words: no two have shingles in common. */
export const prose = (seed: number, words: number): string[] => {
  const random = rng(seed, "prose");
  return Array.from({ length: words }, () => vocabulary[random.int(vocabulary.length)]!);
};

/** A document, and versions of it with one word changed. */
const edited = (words: readonly string[], at: number): string =>
  words.map((word, i) => (i === at ? "changed" : word)).join(" ");

export const NEAR = 12;

export const EXACT = 9;

export const EMPTY = 5;

/** Files of documents, among them copies and near copies that stand in other files than what they copy. */
const writeData = (): void => {
  mkdirSync(data);
  const texts: string[][] = Array.from({ length: FILES }, () => []);
  for (let i = 0; i < FILES * DOCUMENTS; i++) texts[i % FILES]!.push(prose(i, 120).join(" "));
  for (let i = 0; i < NEAR; i++) texts[(i + 3) % FILES]!.push(edited(prose(i, 120), 60 + i));
  for (let i = 0; i < EXACT; i++) texts[(i + 1) % FILES]!.push(`  ${prose(100 + i, 120).join(" ")} \n`);
  for (let i = 0; i < EMPTY; i++) texts[i % FILES]!.push(" \n");
  texts.forEach((list, i) => {
    const rows = list.map((text, n) => JSON.stringify({ text, name: `${i}/${n}` }));
    writeFileSync(join(data, `part${i}.jsonl`), `${rows.join("\n")}\n`);
  });
};

export const vocab = ["--vocab", "300", "--context", "32"];

export const run = (out: string, ...more: string[]) =>
  anneal(["data", data, "--out", join(dir, out), ...vocab, "--quiet", "--json", ...more]);

/** Every file that is a result, by its name. */
export const results = (out: string): Record<string, string> =>
  Object.fromEntries(
    filesBelow(join(dir, out))
      .filter((name) => !name.startsWith("work"))
      .map((name) => [name, readFileSync(join(dir, out, name)).toString("base64")]),
  );

beforeAll(async () => {
  writeData();
  const made = await run("one");
  expect(made.code, made.stderr).toBe(0);
}, 180_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

export interface Row {
  readonly id: string;
  readonly text: string;
}
