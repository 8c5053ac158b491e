import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contaminationIndex, cutSpans } from "./contamination.ts";
import { judge } from "./filter.ts";

const words = (from: number, n: number): string =>
  Array.from({ length: n }, (_, i) => `w${from + i}`).join(" ");

describe("contamination", () => {
  test("thirteen words in a row are a hit, twelve are none", () => {
    const index = contaminationIndex([{ id: "q1", text: words(0, 30) }]);
    expect(index).toMatchObject({ records: 1, tooShort: 0, grams: 18 });
    expect(index.find(`x ${words(5, 12)} y`).hits).toEqual([]);
    const { hits, spans } = index.find(`x ${words(5, 13)} y`);
    expect(hits).toEqual([{ record: "q1", gram: words(5, 13), share: 1 / 18 }]);
    expect(spans).toEqual([[2, 2 + words(5, 13).length]]);
  });
  test("case, punctuation and white space do not matter", () => {
    const index = contaminationIndex([{ id: "q", text: "The Cat, sat on: the mat!" }], { words: 6 });
    expect(index.find("- THE cat\n sat (on) the  mat -").hits[0]!.gram).toBe("THE cat\n sat (on) the  mat");
    expect(index.find("İİ the cat sat on the mat").hits[0]!.gram).toBe("the cat sat on the mat");
  });
  test("records shorter than an n-gram are looked for whole, but not the shortest", () => {
    const index = contaminationIndex([
      { id: "nine", text: words(0, 9) },
      { id: "seven", text: words(50, 7) },
    ]);
    expect(index.tooShort).toBe(1);
    expect(index.find(words(0, 20)).hits.map(({ record }) => record)).toEqual(["nine"]);
    expect(index.find(words(50, 7)).hits).toEqual([]);
    expect(() => contaminationIndex([{ id: "a", text: "too short" }])).toThrow(/8 words/);
  });
  test("a share of the record can be asked for", () => {
    const record = { id: "q", text: words(0, 22) };
    const index = contaminationIndex([record], { minShare: 0.5 });
    expect(index.find(words(0, 16)).hits).toEqual([]);
    expect(index.find(words(0, 17)).hits[0]!.share).toBe(0.5);
  });
  test("a document is dropped, or the hit is cut with what stands around it", () => {
    const evaluation = [{ id: "q", text: words(0, 20) }];
    const text = `${words(1000, 100)} ${words(0, 20)} ${words(2000, 100)}`;
    const drop = judge(
      text,
      { preset: "none", contamination: {} },
      { index: contaminationIndex(evaluation) },
    );
    expect(drop.reasons).toEqual([
      { rule: "contamination", value: 1, threshold: 0, matched: "q", excerpt: words(0, 13) },
    ]);
    const options = { preset: "none", contamination: { action: "cut", window: 20 } } as const;
    const cut = judge(text, options, { index: contaminationIndex(evaluation, options.contamination) });
    expect(cut.keep).toBe(true);
    expect(cut.text).toBe(`${words(1000, 96)}\n\n${words(2004, 96)}`);
    expect(cut.cuts).toEqual([{ rule: "contamination", text: words(0, 13), matched: "q" }]);
    const all = judge(words(0, 20), options, { index: contaminationIndex(evaluation) });
    expect(all.keep).toBe(false);
  });
  test("cutting leaves no half word and no short piece", () => {
    const text = "ab ".repeat(200);
    expect(cutSpans(text, [[300, 302]], 1)).toBe(`${"ab ".repeat(100).trim()}\n\n${"ab ".repeat(99).trim()}`);
    expect(cutSpans(text, [[100, 102]], 0)).toBe("ab ".repeat(166).trim());
    const chinese = "中".repeat(600);
    expect(cutSpans(chinese, [[300, 320]], 10)).toBe(`${"中".repeat(290)}\n\n${"中".repeat(270)}`);
  });
  test("finds what a plain search finds", () => {
    const letters = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 40 });
    fc.assert(
      fc.property(letters, letters, fc.integer({ min: 1, max: 5 }), (record, doc, n) => {
        fc.pre(record.length >= n);
        const grams = new Set(
          record.slice(0, record.length - n + 1).map((_, i) => record.slice(i, i + n).join(" ")),
        );
        const index = contaminationIndex([{ id: "r", text: record.join(" ") }], { words: n });
        expect(index.grams).toBe(grams.size);
        const wanted = doc.filter((_, i) => i + n <= doc.length && grams.has(doc.slice(i, i + n).join(" ")));
        expect(index.find(doc.join(" ")).hits.length > 0).toBe(wanted.length > 0);
      }),
    );
  });
  test.each([
    ["Chinese", "下列哪一项是中国古代四大发明之一，并且对世界航海事业的发展产生了重要影响？"],
    ["Chinese, short", "中国的首都是哪一个城市，为什么？"],
    ["Japanese", "次のうち、江戸時代に始まったものはどれか。カタカナもひらがなも使う。"],
    ["Thai", "ข้อใดต่อไปนี้เป็นหนึ่งในสี่สิ่งประดิษฐ์ที่ยิ่งใหญ่ของจีนโบราณ"],
    ["Lao", "ຂໍ້ໃດຕໍ່ໄປນີ້ແມ່ນຫນຶ່ງໃນສີ່ສິ່ງປະດິດທີ່ຍິ່ງໃຫຍ່ຂອງຈີນ"],
    ["Khmer", "តើចម្លើយណាមួយខាងក្រោមនេះជាការច្នៃប្រឌិតដ៏អស្ចារ្យរបស់ចិន"],
    ["Burmese", "အောက်ပါတို့အနက်မည်သည်ကတရုတ်ရှေးခေတ်၏တီထွင်မှုကြီးလေးခုတွင်ပါဝင်သနည်း"],
  ])("%s is compared by characters", (_, record) => {
    const english = { id: "en", text: words(0, 20) };
    const index = contaminationIndex([english, { id: "q", text: record }]);
    expect(index).toMatchObject({ records: 2, tooShort: 0 });
    const letters = record.replace(/[\p{P}\s]/gu, "");
    expect(index.find(`${letters[0]}${record}${letters[1]}`).hits.map((hit) => hit.record)).toEqual(["q"]);
    expect(index.find(record.replace(/[\p{P}\s]/gu, " \n")).hits).toHaveLength(1);
    expect(index.find(Array.from(letters).reverse().join("")).hits).toEqual([]);
    // Half of a short record is not it.
    expect(index.find(letters.slice(0, 10)).hits).toEqual([]);
  });
  test("a phrase of a long record is no hit where scripts have no spaces, a sentence is", () => {
    const record = "下列哪一项是中国古代四大发明之一，并且对世界航海事业的发展产生了重要影响？";
    const index = contaminationIndex([{ id: "q", text: record }]);
    expect(index.find("对世界航海事业的发展产生了重要影响").hits).toEqual([]);
    expect(index.find(record.slice(6, 34)).hits).toHaveLength(1);
    expect(() => contaminationIndex([{ id: "a", text: "中国的首都是哪里" }])).toThrow(/12 characters/);
  });
  test("parts of a record are looked for each by itself, and count as one record", () => {
    const parts = [words(0, 20), "72", words(100, 9)];
    const index = contaminationIndex([
      { id: "q", text: parts.join("\n"), parts },
      { id: "s", text: "x", parts: ["yes", "no"] },
    ]);
    expect(index).toMatchObject({ records: 2, tooShort: 1 });
    for (const part of [parts[0]!, parts[2]!]) expect(index.find(`a ${part} b`).hits).toHaveLength(1);
    expect(index.find(`${words(10, 10)} 72 ${words(100, 3)}`).hits).toEqual([]);
  });
  test("many records", () => {
    const records = Array.from({ length: 3000 }, (_, i) => ({ id: `q${i}`, text: words(i * 40, 30) }));
    const index = contaminationIndex(records);
    expect(index.grams).toBe(3000 * 18);
    expect(index.find(words(2999 * 40 + 3, 13)).hits[0]!.record).toBe("q2999");
  });
});
