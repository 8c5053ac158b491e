import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Document, stageRecorder } from "../records/document.ts";
import { countLines, dropRepeatedLines, type RepeatedLineOptions } from "./lines.ts";
import { hash64, nameList, repeatedKeys } from "./repeats.ts";

const run = async (texts: readonly string[], options: RepeatedLineOptions = {}) => {
  const docs: Document[] = texts.map((text, i) => ({ id: `d${i}`, text }));
  const record = stageRecorder("lines");
  const lines = await countLines(docs, options);
  const out: Document[] = [];
  for await (const doc of dropRepeatedLines(docs, record, lines)) out.push(doc);
  return { out, report: record.report(), keys: lines.keys };
};

const notice = "Subscribe to our newsletter, and never again miss what everybody else has read already.";

describe("paragraphs", () => {
  test("stay in the first document, go from the others, and name the first", async () => {
    const { out, report } = await run([`a\n\n${notice}\n\nb`, `c\n\n${notice.toUpperCase()}`, notice]);
    expect(out.map(({ text }) => text)).toEqual([`a\n\n${notice}\n\nb`, "c"]);
    expect(report.reasons).toMatchObject([
      { reason: "repeated paragraph", count: 2, examples: [{ id: "d1", matched: "d0" }, { matched: "d0" }] },
      { reason: "only repeated paragraphs", count: 1 },
    ]);
    expect(report).toMatchObject({ docsIn: 3, docsOut: 2 });
  });

  test("keep counts documents, and a refrain within one is its own", async () => {
    const refrain = `${notice}\n\nx\n\n${notice}`;
    const { out } = await run([refrain, refrain, refrain], { keep: 2 });
    expect(out.map(({ text }) => text)).toEqual([refrain, refrain, "x"]);
  });

  test("short ones and unique documents are left as they are", async () => {
    const texts = ["Chapter 1\n\n  one ", "Chapter 1\n\ntwo"];
    expect((await run(texts)).out.map(({ text }) => text)).toEqual(texts);
  });
});

describe("lines", () => {
  const options = { scope: "line", keep: 1, minChars: 20 } as const;
  test("leave no double blank line behind", async () => {
    const text = `one\n\n${notice}\n\ntwo\n${notice}\nthree`;
    const { out } = await run([notice, text], options);
    expect(out[1]!.text).toBe("one\n\ntwo\nthree");
  });

  test("as a reference with a Map has it", async () => {
    const line = fc.constantFrom(
      "first line of twenty",
      "second line of twenty",
      "short",
      "",
      "other line, of 20 or so",
    );
    const texts = fc.array(fc.array(line, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: 1, max: 3 }), async (docs, keep) => {
        const seen = new Map<string, Set<number>>();
        const kept = docs.map((lines, i) =>
          lines.filter((text) => {
            const before = seen.get(text) ?? new Set();
            seen.set(text, before.add(i));
            return text.length < 20 || before.size <= keep;
          }),
        );
        const { out } = await run(
          docs.map((lines) => lines.join("\n")),
          { ...options, keep },
        );
        const full = (lines: readonly string[]): string[] => lines.filter((text) => text !== "");
        const expected = kept
          .map(full)
          .filter((lines, i) => lines.length > 0 || docs[i]!.join("").trim() === "");
        expect(out.map(({ text }) => full(text.split("\n")))).toEqual(expected);
      }),
      { numRuns: 200, seed: 5 },
    );
  });

  test("what has no room stays, and is counted", async () => {
    const text = Array.from({ length: 30_000 }, (_, i) => `a line that is number ${i} of many`).join("\n");
    const { out, keys } = await run([text, text], { ...options, maxBytes: 2 ** 16 });
    expect(keys.untracked).toBeGreaterThan(0);
    expect(out[0]!.text).toBe(text);
  });

  test("wrong options are refused", async () => {
    await expect(countLines([], { keep: 0 })).rejects.toThrow(/keep/);
  });
});

describe("keys", () => {
  test("all that come twice have slots of their own, few others have one", () => {
    const keys = repeatedKeys(2 ** 22);
    const hash = new Uint32Array(2);
    const see = (i: number): void => {
      hash64(`key ${i}`, hash);
      keys.see(hash[0]!, hash[1]!);
    };
    for (let i = 0; i < 100_000; i++) see(i);
    for (let i = 0; i < 20_000; i++) see(i);
    const slots = new Set<number>();
    for (let i = 0; i < 20_000; i++) {
      hash64(`key ${i}`, hash);
      slots.add(keys.slot(hash[0]!, hash[1]!));
    }
    expect(slots.has(-1)).toBe(false);
    expect(slots.size).toBe(20_000);
    expect(keys.size).toBeLessThan(21_000);
    expect(Math.max(...slots)).toBeLessThan(keys.capacity);
  });

  test("the key of zeros is a key", () => {
    const keys = repeatedKeys(2 ** 16);
    keys.see(0, 0);
    expect(keys.slot(0, 0)).toBe(-1);
    keys.see(0, 0);
    expect(keys.slot(0, 0)).toBeGreaterThanOrEqual(0);
  });

  test("hashes of near texts differ in both words", () => {
    const seen = [new Set<number>(), new Set<number>()];
    const hash = new Uint32Array(2);
    for (let i = 0; i < 20_000; i++) {
      hash64(`${"x".repeat(i % 7)}${i}`, hash);
      seen[0]!.add(hash[0]!);
      seen[1]!.add(hash[1]!);
    }
    for (const words of seen) expect(words.size).toBeGreaterThan(19_995);
  });

  test("names come back by number", () => {
    const names = nameList();
    const all = Array.from({ length: 500 }, (_, i) => (i % 50 === 0 ? "" : `file-é-${i}.txt:${i}`));
    expect(all.map(names.add)).toEqual(all.map((_, i) => i));
    expect(all.map((_, i) => names.at(i))).toEqual(all);
  });
});

describe("conversations", () => {
  const instruction =
    "Answer the question with facts from the list, and say so when you do not know the answer.";
  const drop = async (docs: readonly Document[]): Promise<Document[]> => {
    const out: Document[] = [];
    const lines = await countLines(docs);
    for await (const doc of dropRepeatedLines(docs, stageRecorder("lines"), lines)) out.push(doc);
    return out;
  };

  test("keep the instructions that they share, as messages and as text", async () => {
    const turns = (content: string) => [
      { role: "system", content: instruction },
      { role: "user", content },
    ];
    const messages = ["one", "two"].map((id) => ({
      id,
      text: `system: ${instruction}\n\nuser: ${id}`,
      turns: turns(id),
    }));
    const forms = ["a", "b", "c", "d"].map((id, i) => ({
      id,
      text: [
        `${instruction}\n\n### Instruction:\n${id}\n\n### Response:\nyes`,
        `${instruction}\n\nQuestion: ${id}\nAnswer: no`,
        `<|im_start|>system\n\n${instruction}\n\n<|im_end|>${id}`,
        `[INST] ${id}\n\n${instruction}\n\n[/INST] yes`,
      ][i]!,
    }));
    const docs = [...messages, ...forms, ...forms.map((doc) => ({ ...doc, id: `${doc.id}2` }))];
    expect(await drop(docs)).toEqual(docs);
  });

  test("are not taken for the boilerplate of other texts", async () => {
    const docs = [
      { id: "a", text: instruction, turns: [{ role: "user", content: instruction }] },
      { id: "b", text: `${instruction}\n\nmore` },
      { id: "c", text: `${instruction}\n\nother` },
    ];
    expect((await drop(docs)).map(({ text }) => text)).toEqual([instruction, docs[1]!.text, "other"]);
  });
});
