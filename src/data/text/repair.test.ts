import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { type Document, stageRecorder } from "../records/document.ts";
import { fieldPolicy, isMissing } from "../records/fields.ts";
import { decodeEntities, isHtml } from "../records/html.ts";
import { isDeeper } from "../records/json.ts";
import { cleanText } from "./clean.ts";
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

  test.each([
    ["Le cafÃ© est fermÃ© jusqu'Ã midi", "Le café est fermé jusqu'à midi"],
    ["dÃ©jÃ vu, voilÃ ! lÃ -bas, l'Ã  cÃ´tÃ©", "déjà vu, voilà ! là-bas, l'à côté"],
    ["nÃ£o vou Ã quele lugar Ã s duas", "não vou àquele lugar às duas"],
    ["â€œHelloâ€ he said, 10Â km from Å koda's", "“Hello” he said, 10\u00a0km from Škoda's"],
    ["la cittÃ\nÃ¨ lÃ", "la città\nè là"],
  ])("%s: bytes lost as white space are put back", (broken, text) => {
    expect(repairMojibake(broken)).toBe(text);
  });

  test.each(["Ã midi", "São Paulo, Ã, Â e â €", "Å and Î in Î ", "SÃO e NÃ O"])(
    "%s has no sure sign",
    (text) => {
      expect(repairMojibake(text)).toBe(text);
    },
  );

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

describe("control characters", () => {
  const run = (given: string): string => textRepairer()(given).text;
  test.each([
    ["It\u0092s a \u0093quoted\u0094 word \u0096 7 \u0080", "It’s a “quoted” word – 7 €"],
    ["Il a chanté\u0085 puis", "Il a chanté… puis"],
    ["dit\u0085\u0094", "dit…”"],
    ["first\u0085second", "first\nsecond"],
    ["&#145;a&#146; &#x93;b&#x94; &#133; &#128;", "‘a’ “b” … €"],
    ["a\u0081\u008d\u008f\u0090\u009db", "ab"],
    ["page one\fpage two", "page one\npage two"],
    ["one\n\ftwo\f\nthree\r\n\ffour", "one\ntwo\nthree\nfour"],
    ["a\u000bb\u2028c\u2029d\u001ce\u001df\u001eg\u001fh", "a\nb\nc\nd\ne\nf\ng h"],
    ["is \u001b[0;32mgreen\u001b[0m, \u001b[38;5;208mor\u001b[K \u009b1mnot\u009b0m", "is green, or not"],
    ["\u001b]8;;http://a.b\u0007link\u001b]8;;\u001b\\ \u001b(Bx\u001b7y\u001b[2Cz", "link xy z"],
    ["N\bNA\bAM\bME\bE _\bx", "NAME x"],
    ["a \ud83d b \ude00\ud83d c \ud83d\ude00", "a  b  c 😀"],
    ["\ufeffa\u200bb\u061c \u2066c\u2069", "ab c"],
  ])("%j becomes %j", (given, wanted) => {
    expect(run(given)).toBe(wanted);
    expect(run(run(given))).toBe(wanted);
    if (!given.includes("&#") && !/[\u200b\u061c\u2066]/.test(given)) expect(cleanText(given)).toBe(wanted);
  });

  test("each change is called what it is", () => {
    const reasons = (text: string) => textRepairer()(text).changes.map(({ reason }) => reason);
    expect(reasons("a \ud83d b")).toEqual(["halves of characters removed"]);
    expect(reasons("a\u2028b")).toEqual(["separators made white space"]);
    expect(reasons("a\u0092b")).toEqual(["controls read as Windows-1252"]);
    expect(reasons("a\u001b[0mb")).toEqual(["terminal escapes removed"]);
    expect(reasons("a\r\nb")).toEqual(["white space and line ends"]);
  });

  test("long rows of what almost matches take time by their length", () => {
    for (const unit of ["\u001b[", "\u001b]", "\u001b]a", "\u009b1;", "\f", "a\b", "Ã ", "\ud83d", "\u0085 "])
      expect(run(`${unit.repeat(200_000 / unit.length)}\nx`).slice(-1)).toBe("x");
  }, 20_000);
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

  test("no example of a change shows personal data, whole or broken", async () => {
    const texts = [
      "cafÃ© jane.doe@example.com asks",
      "jane.doe&#64;example.com\u200b asks",
      "jane\u200b.doe@example.com asks",
      `${"x".repeat(30)} \u0007jane.doe@example-${"y".repeat(40)}.com`,
      "Tel:\u00ad +49\u200b 30 1234567",
      "fine\u0007 text",
    ];
    const documents = texts.map((text, i) => ({ id: `${i}`, text }));
    const { report } = await run(documents, { personal: {} });
    const shown = JSON.stringify(report);
    for (const part of ["doe", "example.com", "example-", "1234567"]) expect(shown).not.toContain(part);
    expect(shown).toContain("<EMAIL>");
    expect(shown).toContain("fine");
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
