import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { FormatError } from "../../util/errors.ts";
import { precompiled } from "./precompiled.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/tokenization.json", import.meta.url), "utf8"),
);
const { precompiled_charsmap: charsmap } = golden.kinds.t5.json.normalizer.normalizers[0];
const normalize = precompiled(charsmap);

test("maps what is in the map, whole graphemes first", () => {
  expect(normalize("ﬁ ① Ａ\u00a0x²")).toBe("fi 1 A x2");
  expect(normalize("e\u0301 A\u030a \u0001\ufeff.")).toBe("e Å .");
  expect(normalize("你好 👨‍👩‍👧")).toBe("你好 man‍👩‍👧");
  expect(precompiled("")("ﬁ")).toBe("ﬁ");
});

test("long texts are mapped as short ones are", () => {
  for (const text of golden.hostile as string[]) {
    const apart = `${text} .`;
    expect(normalize(apart.repeat(80))).toBe(normalize(apart).repeat(80));
  }
  const marks = `e${"\u0301".repeat(3000)}`;
  expect(normalize(`${marks} ﬁ`)).toBe(`${marks} fi`);
});

test("a map that is torn is refused", () => {
  for (const torn of ["*", "AA==", "//8AAA=="]) expect(() => precompiled(torn)).toThrow(FormatError);
});
