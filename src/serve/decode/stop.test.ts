import fc from "fast-check";
import { expect, test } from "vitest";
import { stopFilter } from "./stop.ts";

const through = (pieces: readonly string[], stops: readonly string[]): string => {
  const filter = stopFilter(stops);
  let text = "";
  for (const piece of pieces) {
    text += filter.push(piece);
    if (filter.stopped) break;
  }
  return text + filter.end();
};

test("a text ends before a stop string that comes in pieces", () => {
  expect(through(["Hello", " wor", "ld\nUs", "er: hi"], ["\nUser:"])).toBe("Hello world");
});

test("what only looked like the start of one is given out", () => {
  expect(through(["a<", "/", "b"], ["</s>"])).toBe("a</b");
  expect(through(["a<", "/"], ["</s>"])).toBe("a</");
});

test("the first of several stop strings ends it, empty ones never", () => {
  expect(through(["one two three"], ["three", "two", ""])).toBe("one ");
});

test("however the text is cut, it is what stands before the first stop string", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 12 });
  const stops = fc.array(fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 4 }), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(fc.array(letters), stops, (pieces, ends) => {
      const whole = pieces.join("");
      // The stop string that is complete first ends the text.
      let want = whole;
      for (let n = 0; n <= whole.length && want === whole; n++) {
        const hits = ends.filter((s) => whole.slice(0, n).endsWith(s)).map((s) => n - s.length);
        if (hits.length > 0) want = whole.slice(0, Math.min(...hits));
      }
      const got = through(pieces, ends);
      expect(whole.startsWith(got)).toBe(true);
      expect(ends.some((s) => got.includes(s))).toBe(false);
      if (pieces.every((p) => p.length <= 1)) expect(got).toBe(want);
    }),
  );
});
