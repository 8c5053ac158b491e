import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Document, stageRecorder } from "../records/document.ts";
import { type FilterOptions, filter, judgeOf, loadFilterParts } from "./filter.ts";
import { rules } from "./rules.ts";
import { textStats } from "./textStats.ts";
import { lines, times, words } from "./texts.fixture.ts";

const distinct = (n: number): string[] =>
  times(
    n,
    (i) =>
      `Line number ${words(i + 3)
        .split(" ")
        .at(-1)} of the text and more.`,
  );

const collect = async (docs: Document[], options: Parameters<typeof filter>[2]) => {
  const record = stageRecorder("filter");
  const kept: Document[] = [];
  for await (const doc of filter(docs, record, options)) kept.push(doc);
  return { kept, report: record.report() };
};

const hostile = fc.array(
  fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom(
      "\ud83d",
      "\udc00",
      "\u0000",
      "\r\n",
      "\u2028",
      "...",
      "…",
      "--",
      "don't",
      "'s",
      "a.b",
      "<EMAIL>",
      "\ufeff",
    ),
    fc.constantFrom(
      "{",
      "[1]",
      "#",
      "U.S.",
      "x@y.zz",
      "1.2.3.4",
      "::",
      "10km",
      "é",
      "\u0301",
      "🏳️‍🌈",
      "\u{10ffff}",
    ),
  ),
  { maxLength: 40 },
);

describe("the stage", () => {
  const secret = "The quick brown fox of the evaluation set jumps over one lazy dog and then sleeps.";
  test("counts each filter's victims and shows no personal data of them", async () => {
    const docs: Document[] = [
      { id: "good", text: lines(...distinct(8)), source: "s" },
      { id: "short", text: "Write to jane.doe@example.org." },
      {
        id: "german",
        text: "Der Hund läuft schnell über die grüne Wiese und die Katze schläft auf dem Sofa im Haus.",
      },
      { id: "leak", text: `${lines(...distinct(3))}\n${secret.toUpperCase()}` },
      { id: "mail", text: lines(...distinct(5), "Ask jane.doe@example.org about the rest of it.") },
    ];
    const options: FilterOptions = {
      preset: "none",
      rules: { "gopher.minWords": 10 },
      language: { keep: ["en"] },
      personal: true,
      contamination: { words: 8 },
    };
    const parts = await loadFilterParts(options, [{ id: "eval:1", text: secret }]);
    const { kept, report } = await collect(docs, { ...options, parts });
    expect(kept.map(({ id }) => id)).toEqual(["good", "mail"]);
    expect(kept[0]!.source).toBe("s");
    expect(kept[1]!.text).toContain("Ask <EMAIL> about");
    expect(Object.fromEntries(report.reasons.map((r) => [r.reason, r.count]))).toEqual({
      "gopher.minWords": 1,
      "personal.email": 2,
      language: 1,
      contamination: 1,
    });
    expect(report.reasons.find((r) => r.reason === "language")!.examples[0]!.matched).toBe("de");
    const leak = report.reasons.find((r) => r.reason === "contamination")!.examples[0]!;
    expect(leak).toMatchObject({ id: "leak", matched: "eval:1" });
    expect(leak.excerpt).toContain("QUICK BROWN FOX");
    expect(JSON.stringify(report)).not.toContain("jane.doe");
    expect(report).toMatchObject({ docsIn: 5, docsOut: 2 });
  });
  test("messages, labels and what is shown of victims are masked too", async () => {
    const turns = [{ role: "user", content: "Who is jane.doe@example.com?" }];
    const documents: Document[] = [
      { id: "1", text: "user: Who is jane.doe@example.com?", turns, group: "jane.doe@example.com" },
      { id: "2", text: "c", group: "joe.doe@example.com", source: "web" },
      { id: "3", text: `${"word ".repeat(30)}jane.doe@example.com ${"word ".repeat(600)}` },
      { id: "4", text: "+49 30 1234567 ".repeat(200) },
    ];
    const record = stageRecorder("filters");
    const out: Document[] = [];
    const options = { preset: "none", personal: true, rules: { "gopher.maxWords": 100 } } as const;
    for await (const doc of filter(documents, record, options)) out.push(doc);
    expect(out[0]).toMatchObject({
      text: "user: Who is <EMAIL>?",
      turns: [{ role: "user", content: "Who is <EMAIL>?" }],
      group: expect.stringMatching(/^<EMAIL> [0-9a-f]{8}$/),
    });
    expect(out[1]).toMatchObject({ source: "web", group: expect.stringMatching(/^<EMAIL> /) });
    expect(out[1]!.group).not.toBe(out[0]!.group);
    const shown = JSON.stringify([out, record.report()]);
    for (const part of ["doe", "example.com", "1234567"]) expect(shown).not.toContain(part);
  });
  test("options are refused before a document is read", async () => {
    await expect(collect([], { rules: { nothing: 1 } })).rejects.toThrow(/no rule/);
  });
});

test("no text is too hostile: nothing throws and every measure is a number", () => {
  const run = judgeOf({ preset: ["gopher", "c4", "fineweb"], personal: true, badWords: ["a.b", "性"] });
  fc.assert(
    fc.property(hostile, fc.constantFrom("", " ", "\n"), (pieces, glue) => {
      const text = pieces.join(glue);
      const { reasons } = run(text);
      for (const { value } of reasons) expect(Number.isFinite(value)).toBe(true);
      const stats = textStats(text);
      for (const rule of rules) {
        if ("drops" in rule) continue;
        const value = rule.measure(stats);
        expect(value, rule.name).toBeGreaterThanOrEqual(0);
      }
    }),
    { numRuns: 300 },
  );
});

test("long rows of one thing take time by their length", () => {
  const run = judgeOf({ preset: ["gopher", "c4", "fineweb"], personal: true, badWords: ["darn"] });
  const units = [
    "a",
    "a ",
    "a.\n",
    "\n",
    " ",
    ".",
    "-",
    "'s ",
    "://",
    "a://b ",
    "[1",
    "[",
    "{",
    "😀",
    "a,",
    "Ab.",
    "10km",
    "word-word/x ",
  ];
  for (const unit of units) expect(run(unit.repeat(300_000 / unit.length)).text).toBeDefined();
}, 60_000);
