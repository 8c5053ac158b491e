import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeUtf8, firstMalformed } from "./decode.ts";

test("malformed bytes are found where the platform finds them", () => {
  const bytes = fc.uint8Array({ maxLength: 12 });
  const likely = fc.array(
    fc.constantFrom(0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xa0, 0xed, 0x9f, 0xf0, 0x90, 0xf4, 0x8f),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        likely.map((list) => Uint8Array.from(list)),
      ),
      (given) => {
        const at = firstMalformed(given);
        const strict = (data: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(data);
        if (at < 0) return void strict(given);
        strict(given.subarray(0, at));
        expect(() => strict(given)).toThrow();
      },
    ),
    { numRuns: 3000 },
  );
  expect(firstMalformed(Buffer.from("\ufffd\u00e9\ud83d\ude00"))).toBe(-1);
  expect(firstMalformed(Uint8Array.of(0x61, 0xef, 0xbf, 0xbd, 0xff))).toBe(4);
});

test("UTF-16 is told from Latin-1", () => {
  const hint = (bytes: Uint8Array): unknown => {
    try {
      return decodeUtf8(bytes, { file: "x" }, 0);
    } catch (error) {
      return (error as { details: { hint: string } }).details.hint;
    }
  };
  expect(hint(Buffer.from("\ufeffhello", "utf16le"))).toMatch(/utf-16/);
  expect(hint(Uint8Array.of(0xe9))).toMatch(/latin1/);
});
