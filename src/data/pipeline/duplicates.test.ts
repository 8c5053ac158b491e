/** What counts as a repetition: exactly the same, nearly the same, and neither. */
import { describe, expect, test } from "vitest";
import type { Document } from "../records/document.ts";
import { repeats } from "./distinct.ts";
import { prepare } from "./prepare.ts";

const words =
  "maple birch iris quartz pearl zephyr jade tulip lotus river delta violet cedar ember umber willow kelp heron";
const vocabulary = words.split(" ");
/** Words of a row that depends on `seed`. */
const row = (seed: number, count: number): string =>
  Array.from(
    { length: count },
    (_, i) => vocabulary[(seed * 7 + i * (seed + 3) + ((seed * i * i) >> 2)) % 18]!,
  ).join(" ");

const kept = async (given: readonly (string | Document)[]) => {
  const docs = given.map((doc, i) => (typeof doc === "string" ? { id: `d${i}`, text: doc } : doc));
  const { train, validation, report } = await prepare(docs, { near: "fineweb", validationShare: 0.3 });
  const counts = new Map(
    report.stages.flatMap(({ reasons }) => reasons.map((r) => [r.reason, r.count] as const)),
  );
  return { texts: [...train, ...validation].map(({ text }) => text).sort(), counts };
};

/** That all of `texts` stay. */
const allKept = async (texts: readonly string[]): Promise<void> => {
  expect((await kept(texts)).texts).toEqual([...texts].sort());
};

describe("texts that are no duplicates", () => {
  test("short ones, that punctuation and numbers tell apart", async () => {
    await allKept([
      "C++",
      "C#",
      "C",
      "node.js",
      "node js",
      "x = 0",
      "x = 1",
      "x = 10",
      "Page 1",
      "Page 2",
      "?",
      "!",
    ]);
  });

  test("those that case or indentation tell apart are no exact ones", async () => {
    await allKept(["if x:\n    a()\n    b()", "if x:\n    a()\nb()", "Polish", "polish", "a b", "a  b"]);
    const { counts } = await kept(["one of them", "one of them", "One of them"]);
    expect([counts.get(repeats.exact), counts.get(repeats.near)]).toEqual([1, undefined]);
  });

  test("sums, amounts, dates and numbers of orders", async () => {
    const numbers = Array.from({ length: 12 }, (_, i) => i);
    await allKept(numbers.flatMap((a) => numbers.map((b) => `What is ${a} plus ${b}? It is ${a + b}.`)));
    await allKept(
      numbers.map((i) => `Invoice ${4711 + i} of 2021-03-${10 + i}: ${35 + 7 * i}.90 EUR were paid.`),
    );
    await allKept(numbers.map((i) => `The temperature at noon was ${i - 6} degrees.`));
  });
});

describe("near-duplicates", () => {
  test("that numbers alone tell apart are counted by themselves", async () => {
    const page = (n: number): string => `${row(1, 60)} page ${n} ${row(2, 60)}`;
    const { texts, counts } = await kept([page(1), page(2), page(3), `${page(1)} indeed`, row(5, 80)]);
    expect(texts).toEqual([page(1), row(5, 80)].sort());
    expect([counts.get(repeats.numbers), counts.get(repeats.near)]).toEqual([2, 1]);
  });

  test("keep that reason where the longest stays, which comes later", async () => {
    const docs = [`${row(1, 80)} page 1`, `${row(1, 80)} page 22`, row(5, 80)].map((text, i) => ({
      id: `d${i}`,
      text,
    }));
    const { report } = await prepare(docs, { near: "fineweb", keep: "longest", validationShare: 0.3 });
    const reasons = report.stages.flatMap(({ reasons: all }) => all);
    expect(reasons).toMatchObject([
      { reason: repeats.numbers, count: 1, examples: [{ id: "d0", matched: "d1" }] },
    ]);
  });
});

describe("conversations", () => {
  const long = row(1, 300);
  const chat = (id: string, ...contents: string[]): Document => {
    const turns = contents.map((content, i) => ({ role: ["system", "user", "assistant"][i]!, content }));
    return { id, text: "", turns };
  };

  test("are not alike for a long instruction that they share", async () => {
    const docs = Array.from({ length: 8 }, (_, i) => chat(`${i}`, long, `${row(i + 2, 8)}?`, row(i + 20, 6)));
    expect((await kept(docs)).texts).toHaveLength(8);
    const prompts = Array.from({ length: 8 }, (_, i): Document => {
      const turns = [
        { role: "prompt", content: `${long}\n\n${row(i + 2, 8)}` },
        { role: "completion", content: i % 2 === 0 ? "yes" : "no" },
      ];
      return { id: `${i}`, text: "", turns };
    });
    expect((await kept(prompts)).texts).toHaveLength(8);
  });

  test("are where each line is like its counterpart", async () => {
    const [question, answer] = [row(3, 40), row(4, 60)];
    const docs = [
      chat("a", long, question, answer),
      chat("b", long, `${question}!`, `Well: ${answer}`),
      chat("c", long, row(9, 40), answer),
    ];
    const { texts, counts } = await kept(docs);
    expect(texts).toHaveLength(2);
    expect(counts.get(repeats.near)).toBe(1);
  });
});
