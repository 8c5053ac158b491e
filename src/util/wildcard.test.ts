import { expect, test } from "vitest";
import { wildcard } from "./wildcard.ts";

test.each([
  ["h.0.weight", ["h.0.weight"], ["h.0.weights", "h.0.bias", ""]],
  ["h.*.weight", ["h.0.weight", "h.1.mlp.weight", "h..weight"], ["h.weight", "g.h.0.weight"]],
  ["*", ["", "anything"], []],
  ["a*b*c", ["abc", "a1b2c", "abbc"], ["ac", "acb", "cab"]],
  ["ab*ba", ["abba", "ab.ba"], ["aba"]],
])("%s", (pattern, named, others) => {
  expect(named.filter(wildcard(pattern))).toEqual(named);
  expect(others.filter(wildcard(pattern))).toEqual([]);
});
