import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { type Document, stageRecorder } from "../records/document.ts";
import { cutText, trimmed } from "../text/cuts.ts";
import {
  countSubstrings,
  dropRepeatedSubstrings,
  type SubstringOptions,
  substringFinder,
} from "./substrings.ts";

const documentsOf = (texts: readonly string[]): Document[] => texts.map((text, i) => ({ id: `d${i}`, text }));

const spans = async (texts: readonly string[], options: SubstringOptions) => {
  const docs = documentsOf(texts);
  const { find, untracked } = substringFinder(await countSubstrings(docs, options));
  return { found: docs.map(find), untracked: untracked() };
};

const run = async (texts: readonly string[], options: SubstringOptions = {}) => {
  const docs = documentsOf(texts);
  const record = stageRecorder("substrings");
  const out: Document[] = [];
  for await (const doc of dropRepeatedSubstrings(docs, record, await countSubstrings(docs, options))) {
    out.push(doc);
  }
  return { out, report: record.report() };
};

/** Marks what lies in a substring of `k` that an earlier text has. */
const bruteForce = (texts: readonly string[], k: number): string[] => {
  const seen = new Set<string>();
  return texts.map((text) => {
    const mask = new Array<string>(text.length).fill(".");
    const own: string[] = [];
    for (let i = 0; i + k <= text.length; i++) {
      const gram = text.slice(i, i + k);
      own.push(gram);
      if (seen.has(gram)) mask.fill("x", i, i + k);
    }
    for (const gram of own) seen.add(gram);
    return mask.join("");
  });
};

const maskOf = (text: string, found: readonly { start: number; end: number }[]): string => {
  const mask = new Array<string>(text.length).fill(".");
  for (const { start, end } of found) mask.fill("x", start, end);
  return mask.join("");
};

const words = (count: number, name: string): string => {
  const random = rng(7, name);
  return Array.from({ length: count }, () => {
    const length = 2 + random.int(8);
    return Array.from({ length }, () => String.fromCharCode(97 + random.int(26))).join("");
  }).join(" ");
};

/** Exactly `length` characters of whole words. */
const passage = (length: number, name: string): string =>
  `${words(length, name)
    .slice(0, length - 1)
    .replace(/\s/g, " ")
    .replace(/ $/, "z")}z`;

describe("against a reference that compares all substrings", () => {
  const piece = fc.string({ unit: fc.constantFrom("a", "b", " ", "\n"), minLength: 1, maxLength: 40 });
  const corpus = fc.array(piece, { minLength: 2, maxLength: 6 }).chain((pieces) =>
    fc.array(
      fc
        .array(fc.oneof(fc.constantFrom(...pieces), piece), { minLength: 1, maxLength: 8 })
        .map((parts) => parts.join("")),
      { minLength: 2, maxLength: 7 },
    ),
  );
  const k = fc.integer({ min: 16, max: 40 });

  test("on random texts of shared pieces", async () => {
    await fc.assert(
      fc.asyncProperty(corpus, k, async (texts, minChars) => {
        const { found, untracked } = await spans(texts, { minChars, maxBytes: 2 ** 20 });
        fc.pre(untracked === 0);
        const masks = found.map((cuts, i) => maskOf(texts[i]!, cuts));
        expect(masks).toEqual(bruteForce(texts, minChars));
      }),
      { numRuns: 400, seed: 11 },
    );
  });

  test("each span stands in the document that it names, but for its joints", async () => {
    await fc.assert(
      fc.asyncProperty(corpus, k, async (texts, minChars) => {
        const { found } = await spans(texts, { minChars, maxBytes: 2 ** 20 });
        for (const [i, cuts] of found.entries()) {
          for (const { start, end, matched } of cuts) {
            const first = texts[Number(matched.slice(1))]!;
            const held = Array.from({ length: end - start - minChars + 1 }, (_, at) =>
              texts[i]!.slice(start + at, start + at + minChars),
            );
            expect(Number(matched.slice(1))).toBeLessThan(i);
            expect(held.some((gram) => first.includes(gram))).toBe(true);
          }
        }
      }),
      { numRuns: 200, seed: 12 },
    );
  });
});

describe("planted copies", () => {
  const copy = passage(200, "copy");
  const hosts = Array.from({ length: 40 }, (_, i) => [words(60, `host ${i}`), words(60, `rest ${i}`)]);
  const planted = hosts.map(([start, end], i) =>
    i % 3 === 0 ? `${start} ${copy} ${end}` : `${start} ${end}`,
  );

  test("of 200 characters go from all documents but the first, and nothing else does", async () => {
    expect(copy).toHaveLength(200);
    const { out, report } = await run(planted);
    expect(out[0]!.text).toBe(planted[0]);
    for (const [i, doc] of out.entries()) if (i > 0) expect(doc.text).toBe(hosts[i]!.join(" "));
    const reason = report.reasons[0]!;
    expect(reason).toMatchObject({ reason: "repeated substring", count: 13 });
    expect(reason.examples[0]).toMatchObject({ id: "d3", matched: "d0", excerpt: copy.slice(0, 160) });
    expect(report.bytesIn - report.bytesOut).toBe(13 * 201);
  });

  test("of 199 characters stay", async () => {
    const short = passage(199, "short");
    const texts = [0, 1].map((i) => `${words(60, `a${i}`)} ${i}${short}${i} ${words(60, `b${i}`)}`);
    expect((await run(texts)).out.map(({ text }) => text)).toEqual(texts);
    const longer = [0, 1].map((i) => `${words(60, `a${i}`)} ${i}${short}!${i} ${words(60, `b${i}`)}`);
    expect((await run(longer)).report.reasons).toMatchObject([{ count: 1 }]);
  });

  test("cuts end at borders of words and of characters", async () => {
    const shared = `ing ${words(60, "shared")} beg`;
    const { out } = await run([`go${shared}in`, `com${shared}uile`], { minChars: 100 });
    expect(out[1]!.text).toBe("coming beguile");
  });

  test("cuts at line borders take whole lines only", async () => {
    const lines = Array.from({ length: 6 }, (_, i) => words(9, `line ${i}`));
    const first = `one ${lines.join("\n")} two\nend`;
    const second = `three ${lines.join("\n")} four\nlast`;
    const { out } = await run([first, second], { border: "line", minChars: 100 });
    expect(out[1]!.text).toBe(`three ${lines[0]}\n${lines[5]} four\nlast`);
  });

  test("a whole copy goes, and names the document", async () => {
    const text = words(80, "whole");
    const { out, report } = await run([text, "something else", text]);
    expect(out.map(({ id }) => id)).toEqual(["d0", "d1"]);
    expect(report.reasons.at(-1)).toMatchObject({
      reason: "only repeated substrings",
      examples: [{ id: "d2", matched: "d0" }],
    });
  });

  test("least number of words", async () => {
    const ten = words(10, "ten");
    const texts = [0, 1].map((i) => `${words(20, `p${i}`)}${i}! ${ten} ${i}?${words(20, `q${i}`)}`);
    const cut = async (minWords: number) => (await run(texts, { minWords })).report.reasons.length;
    expect([await cut(10), await cut(11)]).toEqual([1, 0]);
  });
});

describe("hostile texts", () => {
  test("one character a million times, twice", async () => {
    const { out } = await run(["a".repeat(1e6), `${"a".repeat(1e6)} end`]);
    expect(out.at(-1)!.text).toBe("end");
  });

  test("a period of text with no spaces", async () => {
    const text = "abcdefghijklmnop".repeat(20_000);
    const { out } = await run([text, text]);
    expect(out).toHaveLength(1);
  });

  test("pairs of surrogates stay whole", async () => {
    const emoji = "😀".repeat(150);
    const { out } = await run([`a${emoji}😁b`, `c${emoji}😂d`], { minChars: 100 });
    expect(out[1]!.text).not.toMatch(/\p{Cs}/u);
    expect(out[1]!.text).toContain("😂");
  });

  test("little memory: what has no room stays and is counted", async () => {
    const texts = Array.from({ length: 30 }, (_, i) => words(3000, `w${i % 15}`));
    const { found, untracked } = await spans(texts, { maxBytes: 2 ** 17 });
    expect(untracked).toBeGreaterThan(0);
    for (const cuts of found.slice(0, 15)) expect(cuts).toEqual([]);
  });

  test("wrong options are refused", async () => {
    await expect(countSubstrings([], { minChars: 3 })).rejects.toThrow(/minChars/);
    await expect(countSubstrings([], { maxBytes: 1 })).rejects.toThrow(/maxBytes/);
  });
});

describe("gaps", () => {
  const without = (text: string, part: string): string => {
    const start = text.indexOf(part);
    return cutText(text, [trimmed(text, { start, end: start + part.length }, "word")]);
  };
  test.each([
    ["one two three", "two", "one three"],
    ["one\ntwo\n  three", "two", "one\n  three"],
    ["one\n\ntwo\n\nthree", "two", "one\n\nthree"],
    ["one two\n\ntwo three", "two\n\ntwo", "one\n\nthree"],
    ["two three", "two", "three"],
    ["one two", "two", "one"],
    ["前文複製的後文", "複製的", "前文後文"],
  ])("%j without %j", (text, part, rest) => {
    expect(without(text, part)).toBe(rest);
  });
});
