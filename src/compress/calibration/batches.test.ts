import { expect, test } from "vitest";
import { tensor } from "../../ir/tensor.ts";
import { weighing } from "./batches.ts";

test("mean squares are of some batches from all over a text, of all where there are few", () => {
  const batches = Array.from({ length: 40 }, (_, b) =>
    tensor("int32", [8, 128], new Int32Array(1024).fill(b)),
  );
  expect(weighing(batches).map(({ data }) => data[0])).toEqual([0, 5, 10, 15, 20, 25, 30, 35]);
  expect(weighing(batches.slice(0, 3))).toEqual(batches.slice(0, 3));
});
