import { expect, test } from "vitest";
import { fixed, signed } from "./figures.ts";

test("what rounds to 0 has no sign, and what does not has one", () => {
  expect([fixed(-0.00001, 4), fixed(-0.0001, 4), fixed(0, 1)]).toEqual(["0.0000", "\u22120.0001", "0.0"]);
  const texts = [signed(0.00001, 4), signed(-0.00001, 4), signed(0.02, 2), signed(-0.02, 2)];
  expect(texts).toEqual(["0.0000", "0.0000", "+0.02", "\u22120.02"]);
});
