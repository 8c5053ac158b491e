import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../util/errors.ts";
import { type Document, stageRecorder } from "./document.ts";
import { fieldPolicy, isMissing } from "./fields.ts";
import { decodeEntities, isHtml } from "./html.ts";
import { isDeeper } from "./json.ts";
import { fromLatin1, repairMojibake } from "./mojibake.ts";
import { type RepairOptions, repair, textRepairer } from "./repair.ts";

/** Text whose UTF-8 was read as Latin-1 or Windows-1252. */
const misread = (text: string, encoding: "latin1" | "windows-1252" = "windows-1252"): string =>
  encoding === "latin1"
    ? Buffer.from(text).toString("latin1")
    : fromLatin1(Buffer.from(text).toString("latin1"));

describe("mojibake", () => {
  const texts = [
    "Le café est fermé à Noël, où l’été",
    "“Quotes” – dashes — and … ellipsis",
    "Größe, Straße, Ärger, Öl",
    "Привет, мир",
    "価格は¥100です",
    "smile 😀 and 👍",
    "naïve œuvre — 50 € £5 ©2020",
    "Ελληνικά και עברית",
  ];
  test.each(texts)("%s comes back, misread once and twice, by either table", (text) => {
    for (const encoding of ["latin1", "windows-1252"] as const) {
      expect(repairMojibake(misread(text, encoding))).toBe(text);
      expect(repairMojibake(misread(misread(text, encoding), encoding))).toBe(text);
    }
    expect(repairMojibake(text)).toBe(text);
  });

  test.each([
    "“NÃO”, DISSE “O CAPITÃO”… E “AMANHÔ",
    "“fiancé…” and ‘café’” he said",
    "MAÇÔ",
    "CAFÉ™ and É… and Ö”",
    "Â bon? À «Paris»",
    "ÄÖÜ äöü ß “Ü” …",
    "São Paulo, Ã, Â, â, €",
    "x² + y³ = ½, 20 °C ±1",
    "ÐÑÒ ðñò þ",
  ])("%s is left as it is", (text) => {
    expect(repairMojibake(text)).toBe(text);
  });

  test("text beside mojibake is left, and ASCII is never touched", () => {
    expect(repairMojibake(`déjà vu, “yes” ${misread("l’été")}`)).toBe("déjà vu, “yes” l’été");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme-ascii", maxLength: 200 }), (text) => {
        expect(repairMojibake(text)).toBe(text);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        expect(repairMojibake(repairMojibake(text))).toBe(repairMojibake(text));
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe("HTML", () => {
  test("references are decoded once, and only the known and the valid", () => {
    expect(decodeEntities("&amp;lt; &eacute;&#233;&#xE9; &hellip; &nbsp;&frac12;&yuml;")).toBe(
      "&lt; ééé … \u00a0½ÿ",
    );
    expect(decodeEntities("AT&T &nosuch; &#0; &#xD800; &#x110000; a&b;")).toBe(
      "AT&T &nosuch; &#0; &#xD800; &#x110000; a&b;",
    );
  });
  test("pages are told from prose and code", () => {
    expect(isHtml("<p>one</p> <br>")).toBe(true);
    expect(isHtml("<!DOCTYPE html>x")).toBe(true);
    expect(isHtml("if (a < b && c > d) <p> is a tag")).toBe(false);
    expect(isHtml(`Vec<T> ${"<".repeat(100_000)}`)).toBe(false);
  });
});

test("missing values and policies", () => {
  for (const value of [undefined, null, "", " - ", "N/A", "NaN", Number.NaN, "null"])
    expect(isMissing(value)).toBe(true);
  for (const value of [0, false, "no", "nanna", "x".repeat(100)]) expect(isMissing(value)).toBe(false);
  expect(isMissing("?", ["?"])).toBe(true);
  expect([fieldPolicy("drop"), fieldPolicy("default:a:b"), fieldPolicy("fill:title")]).toEqual([
    { drop: true },
    { default: "a:b" },
    { from: "title" },
  ]);
  for (const bad of ["", "fill:", "remove"]) expect(() => fieldPolicy(bad)).toThrow(ConfigError);
});

test("depth counts brackets outside of strings", () => {
  expect(isDeeper(`{"a":"${"[{".repeat(100)}"}`, 4)).toBe(false);
  expect(isDeeper('[[[["\\"]]]]]"]]]]', 4)).toBe(false);
  expect(isDeeper("[[[[[]]]]]", 4)).toBe(true);
  expect(isDeeper("[],".repeat(1000), 4)).toBe(false);
});

const run = async (documents: readonly Document[], options?: RepairOptions) => {
  const record = stageRecorder("repair");
  const out: Document[] = [];
  for await (const doc of repair(documents, record, options)) out.push(doc);
  const report = record.report();
  const counts = Object.fromEntries(report.reasons.map(({ reason, count }) => [reason, count]));
  return { out, counts, report };
};

describe("the stage", () => {
  test("each change is counted once a document, with before and after", async () => {
    const { out, counts, report } = await run([
      { id: "1", text: misread("déjà vu &amp; cie") },
      { id: "2", text: "a\u200bb\u00ad c\u0007 e\u0301\n" },
      { id: "3", text: "fine\n" },
      { id: "4", text: "x  \n\n\n\ny\r\nz" },
    ]);
    expect(out.map(({ text }) => text)).toEqual(["déjà vu & cie", "ab c é", "fine", "x\n\ny\nz"]);
    expect(counts).toEqual({
      "mojibake repaired": 1,
      "character references decoded": 1,
      "normalized to NFC": 1,
      "invisible characters removed": 1,
      "control characters removed": 1,
      "white space and line ends": 1,
    });
    const [first] = report.reasons;
    expect(first!.examples).toEqual([{ id: "1", excerpt: expect.stringContaining('"déjà') }]);
    expect(report).toMatchObject({ docsIn: 4, docsOut: 4 });
  });

  test("what reading noted, dropped and left missing is counted", async () => {
    const documents: Document[] = [
      { id: "1", text: "12", notes: ["number converted to text"], source: "s" },
      { id: "2", text: "", dropped: 'field "lang" is missing' },
      { id: "3", text: " N/A " },
      { id: "4", text: "\u200b\n" },
    ];
    const { out, counts } = await run(documents);
    expect(out).toEqual([{ id: "1", text: "12", source: "s" }]);
    expect(counts).toEqual({
      "number converted to text": 1,
      'field "lang" is missing': 1,
      "invisible characters removed": 1,
      "missing value": 1,
      empty: 1,
    });
    const filled = await run(documents, { missing: "(none)", nullLike: ["n/a"] });
    expect(filled.out.map(({ id, text }) => [id, text])).toEqual([
      ["1", "12"],
      ["3", "(none)"],
      ["4", "(none)"],
    ]);
    expect(filled.counts["missing text took its default"]).toBe(2);
  });

  test("turns are repaired, and the text with them", async () => {
    const turns = [
      { role: "user", content: misread("café?") },
      { role: "assistant", content: "oui\u200b" },
    ];
    const { out } = await run([{ id: "1", text: "stale", turns }]);
    expect(out[0]).toEqual({
      id: "1",
      text: "user: café?\nassistant: oui",
      turns: [
        { role: "user", content: "café?" },
        { role: "assistant", content: "oui" },
      ],
    });
  });

  test("options turn steps off, on and to another form", () => {
    const bare = textRepairer({ mojibake: false, entities: false, form: "NFKC" });
    expect(bare("Ã© &amp; ﬁ ２").text).toBe("Ã© &amp; fi 2");
    const html = textRepairer({ fromHtml: (text) => text.replace(/<[^>]*>/g, "") });
    expect(html("<p>a</p><br>").text).toBe("a");
    expect(html("a < b").changes).toEqual([]);
    expect(textRepairer()("<p>&amp;</p>").text).toBe("<p>&amp;</p>");
  });

  test("repairing twice changes nothing more", () => {
    const once = textRepairer({ entities: false });
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        const first = once(text).text;
        expect(once(first)).toEqual({ text: first, changes: [] });
      }),
      { numRuns: 500, seed: 3 },
    );
  });
});
