/** Spans of one text by two tokenizers: the same bytes, and all of them where no character is cut. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { trainBpe } from "../../tokenizer/index.ts";
import { alignedSpans } from "./alignedSpans.ts";

const student = trainBpe(["the cat sat on the mat, the cat is fat"], { vocab: 270 });
const teacher = trainBpe(["a mat is what the fat cat sat on; what is that?"], { vocab: 280 });

const bytesIn = (ids: readonly number[], { bytesOf }: typeof student): number[] =>
  ids.flatMap((id) => Array.from(bytesOf(id)));

test("spans of both have the same bytes, end by end, and end tokens stand for each other", () => {
  const words = fc.array(fc.constantFrom("the", " cat", " sat", " é", "日本", " on", "!?", " mat"), {
    minLength: 1,
    maxLength: 12,
  });
  const row = fc.array(words, { minLength: 1, maxLength: 3 }).map((texts) => {
    const ids = texts.flatMap((text) => [student.eos, ...student.encode(text.join(""))]);
    return ids.slice(1);
  });
  fc.assert(
    fc.property(row, fc.nat(3), (all, skipped) => {
      const ids = all.slice(Math.min(skipped, all.length - 1));
      const found = alignedSpans(ids, { student, teacher });
      let last = 0;
      for (const { student: mine, teacher: theirs, bytes } of found.spans) {
        expect(mine[0]).toBeGreaterThanOrEqual(Math.max(1, last));
        last = mine[1];
        const own = ids.slice(...mine);
        expect(bytesIn(own, student)).toEqual(bytesIn(found.ids.slice(...theirs), teacher));
        expect(bytes).toBe(bytesIn(own, student).length);
        if (bytes === 0) expect(own).toEqual([student.eos]);
      }
      // Behind its first span nothing of a whole text is left out.
      const said = found.spans.reduce((sum, { student: [from, to] }) => sum + to - from, 0);
      const first = found.spans[0]?.student[0] ?? ids.length;
      if (skipped === 0) expect(said).toBe(ids.length - first);
    }),
    { numRuns: 60, seed: 1 },
  );
});

test("a row that begins or ends within a character loses that, and one that is no text all of it", () => {
  const whole = Array.from(student.encode("日本 the cat"));
  const cut = alignedSpans(whole.slice(1), { student, teacher });
  expect(new TextDecoder().decode(teacher.decodeBytes(cut.ids))).toBe("本 the cat");
  const bytes = Array.from(student.encode("日")).slice(0, 2);
  const broken = alignedSpans([...whole, bytes[0]!, ...whole], { student, teacher });
  expect(broken.spans).toEqual([]);
});
