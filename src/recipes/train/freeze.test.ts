import { describe, expect, test } from "vitest";
import { zeros } from "../../ir/tensor.ts";
import { freezing } from "./freeze.ts";

const weight = zeros({ dtype: "float32", shape: [1] });
const weights = {
  h: [{ attn: { weight, bias: weight } }, { attn: { weight, bias: weight } }],
  wte: { weight },
};
const paths = ["h.0.attn.weight", "h.0.attn.bias", "h.1.attn.weight", "h.1.attn.bias", "wte.weight"];

describe("patterns of weights", () => {
  test.each([
    [["*"], paths],
    [["*.bias"], ["h.0.attn.bias", "h.1.attn.bias"]],
    [["h.0.*"], ["h.0.attn.weight", "h.0.attn.bias"]],
    [["h.*.weight"], ["h.0.attn.weight", "h.1.attn.weight"]],
    [["*1*b*s"], ["h.1.attn.bias"]],
    [
      ["wte.weight", "h.1*"],
      ["h.1.attn.weight", "h.1.attn.bias", "wte.weight"],
    ],
    [[], []],
  ])("%j", (patterns, frozen) => {
    expect(paths.filter(freezing(patterns, weights))).toEqual(frozen);
  });

  test("parts do not overlap", () => {
    expect(() => freezing(["wte.weight*weight"], weights)).toThrow(/names no weight/);
    expect(() => freezing(["h.0.attn.weight*h.0.attn.weight"], weights)).toThrow(/names no weight/);
  });

  test("a pattern that names nothing is refused, with a name that there is", () => {
    expect(() => freezing(["*.bias", "wte.wieght"], weights)).toThrow(/"wte.wieght" names no weight/);
    try {
      freezing(["wte.wieght"], weights);
    } catch (error) {
      expect((error as { details: object }).details).toMatchObject({
        field: "train.freeze",
        hint: expect.stringContaining("wte.weight"),
      });
    }
  });
});
