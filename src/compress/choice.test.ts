import { expect, test } from "vitest";
import { quickest } from "./choice.ts";

const slow = { cost: 0, time: 10 };

test("changes that save most for their cost are made first, as far as the budget goes", () => {
  const groups = [
    [slow, { cost: 4, time: 5 }],
    [slow, { cost: 1, time: 5 }],
    [slow, { cost: 1, time: 9 }],
  ];
  expect(quickest(groups, 0)).toEqual([0, 0, 0]);
  expect(quickest(groups, 1)).toEqual([0, 1, 0]);
  expect(quickest(groups, 2)).toEqual([0, 1, 1]);
  expect(quickest(groups, 5)).toEqual([1, 1, 0]);
  expect(quickest(groups, 6)).toEqual([1, 1, 1]);
});

test("a group goes on from one option to a quicker one while that fits", () => {
  const group = [slow, { cost: 1, time: 5 }, { cost: 3, time: 4 }];
  expect([1, 2.9, 3].map((budget) => quickest([group], budget))).toEqual([[1], [1], [2]]);
});

test("what costs nothing, or less, is taken at no budget; what is slower is not", () => {
  expect(
    quickest(
      [
        [slow, { cost: -1, time: 9 }],
        [slow, { cost: 0, time: 11 }],
      ],
      0,
    ),
  ).toEqual([1, 0]);
});
