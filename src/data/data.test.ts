import fc from "fast-check";
import { expect, test } from "vitest";
import { charTokenizer } from "../tokenizer/index.ts";
import { batches, cleanText, type Document, evalBatches, pack, prepare } from "./index.ts";

const docs = (...texts: string[]): Document[] => texts.map((text, i) => ({ id: `doc${i}`, text }));

test("clean repairs Unicode, line ends, control characters and white space", () => {
  expect(cleanText("\ufeffe\u0301\r\nx  \r\n\n\n\ny\u0007\u0000")).toBe("é\nx\n\ny");
});

test("prepare counts what it drops and names what it matched", async () => {
  const long =
    "This paragraph is long enough to count as boilerplate when it is found again in another document. ".repeat(
      2,
    );
  const given = docs(
    "First text.",
    "  First text.\t\n",
    "first   TEXT.",
    "",
    "N/A",
    `Alpha.\n\n${long}`,
    `Beta.\n\n${long}`,
    "Last one.",
  );
  const { train, validation, report } = await prepare(given, { validationShare: 0.3 });
  const [clean, exact, boilerplate] = ["repair", "exact duplicates", "boilerplate"].map((name) =>
    report.stages.find((stage) => stage.name === name),
  );
  expect(clean!.reasons.map((r) => [r.reason, r.count])).toEqual([
    ["empty", 1],
    ["missing value", 1],
  ]);
  expect(exact!.reasons[0]).toMatchObject({
    reason: "exact duplicate",
    count: 1,
    examples: [{ id: "doc1", matched: "doc0" }],
  });
  expect(boilerplate!.reasons[0]).toMatchObject({
    reason: "repeated paragraph",
    count: 1,
    examples: [{ id: "doc6", matched: "doc5" }],
  });
  expect(report.stages.at(-1)!.docsOut).toBe(train.length + validation.length);
  expect(validation.length).toBeGreaterThan(0);
  expect(train.length).toBeGreaterThan(0);
});

test("the split is by document, deterministic, and without overlap", async () => {
  const given = docs(...Array.from({ length: 40 }, (_, i) => `Document number ${i} says ${i * i}.`));
  const a = await prepare(given, { seed: 3, validationShare: 0.2 });
  const b = await prepare(given, { seed: 3, validationShare: 0.2 });
  expect(a).toEqual(b);
  const ids = new Set(a.train.map((d) => d.id));
  expect(a.validation.some((d) => ids.has(d.id))).toBe(false);
  expect(a.train.length + a.validation.length).toBe(40);
});

test("an empty corpus and a single document are refused", async () => {
  await expect(prepare([])).rejects.toThrow(/no documents/);
  await expect(prepare(docs("", "-"))).rejects.toThrow(/none of 2/);
  await expect(prepare(docs("only one"))).rejects.toThrow(/need one each/);
});

const tokens = Uint32Array.from({ length: 1000 }, (_, i) => i);

test("an epoch shows every window once, labels follow inputs, and batches depend on the index alone", () => {
  const at = batches({ tokens, batch: 3, context: 37, seed: 5 });
  const windows = Math.floor(999 / 37);
  const starts = Array.from({ length: windows }, (_, i) => i)
    .flatMap((i) => (i % 3 === 0 ? [at(i / 3)] : []))
    .flatMap(({ inputIds }) => [0, 1, 2].map((b) => inputIds[b * 37]!))
    .slice(0, windows);
  expect(new Set(starts).size).toBe(windows);
  const { inputIds, labels } = at(7);
  inputIds.forEach((id, i) => {
    expect(labels[i]).toBe(id + 1);
  });
  expect(batches({ tokens, batch: 3, context: 37, seed: 5 })(7)).toEqual(at(7));
  expect(at(100).epoch).toBe(Math.floor(300 / windows));
});

test("random windows stay inside the text", () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.integer({ min: 1, max: 999 }), (index, context) => {
      const { labels } = batches({ tokens, batch: 2, context, order: "random" })(index);
      expect(labels.every((label) => label > 0 && label < 1000)).toBe(true);
    }),
  );
});

test("held-out windows cover each token after the first exactly once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 400 }), fc.integer({ min: 1, max: 40 }), (length, context) => {
      const list = evalBatches({ tokens: tokens.subarray(0, length), batch: 2, context });
      const labels = list.flatMap((b) => Array.from(b.labels)).filter((label) => label >= 0);
      expect(labels).toEqual(Array.from({ length: length - 1 }, (_, i) => i + 1));
    }),
  );
});

test("a text shorter than one window is refused with its length", () => {
  expect(() => batches({ tokens: tokens.subarray(0, 10), batch: 1, context: 10 })).toThrow(/10 tokens.*11/);
});

test("pack ends every document with the end-of-text token and counts bytes", () => {
  const given = docs("añb", "ba");
  const tokenizer = charTokenizer(given.map((d) => d.text));
  const { tokens: ids, bytes } = pack(given, tokenizer);
  expect(Array.from(ids).filter((id) => id === tokenizer.eos)).toHaveLength(2);
  expect(bytes).toBe(6);
  expect(tokenizer.decode(ids)).toBe("añbba");
});
