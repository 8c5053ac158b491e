/** What ops refuse where they are applied, and which of them refuse a gradient. */
import { describe, expect, test } from "vitest";
import { input, type Value } from "../../src/ir/op.ts";
import * as ops from "../../src/ops/index.ts";
import { AnnealError } from "../../src/util/errors.ts";
import { opCases } from "../cases/ops/index.ts";

test("every op whose gradient is refused is known to be inference only", () => {
  const refused = Object.entries(opCases).flatMap(([name, cases]) =>
    cases.some((row) => row.gradient === "refused") ? [name] : [],
  );
  expect(refused.sort()).toEqual(
    [
      ...[
        "cachedAttend",
        "digitRounded",
        "int4Dense",
        "int4Rows",
        "int8Dense",
        "int8Rows",
        "keepLast",
        "lengthOf",
      ],
      ...["dynamicSlice", "append", "addRmsNorm"],
    ].sort(),
  );
});

describe("wrong shapes and dtypes throw where the op is applied", () => {
  const f = (...shape: (number | string)[]): Value => input("x", { dtype: "float32", shape });
  const i = (...shape: (number | string)[]): Value => input("i", { dtype: "int32", shape });
  const wrong: [name: string, apply: () => unknown, message: RegExp][] = [
    ["add, shapes", () => ops.add(f(2, 3), f(2, 4)), /add: dimension 1 is 3 in \[2, 3\] and 4 in \[2, 4\]/],
    ["add, dtypes", () => ops.add(f(2), i(2)), /float32 and int32 do not mix/],
    ["add, names", () => ops.add(f("B"), f("T")), /dimension 0 is B/],
    ["greater, dtypes", () => ops.greater(f(2), i(2)), /greater: float32 and int32/],
    ["where, condition", () => ops.where(f(2), f(2), f(2)), /where/],
    ["matmul, inner", () => ops.matmul(f(2, 3), f(4, 2)), /inner dimensions 3 of \[2, 3\] and 4 of \[4, 2\]/],
    ["matmul, vector", () => ops.matmul(f(3), f(3, 2)), /no matrix/],
    ["matmul, batch", () => ops.matmul(f(2, 3, 4), f(3, 4, 2)), /dimension 0 is 2/],
    ["affine", () => ops.affine(f(2, 3), f(3, 4), f(3)), /affine/],
    ["sum, axis", () => ops.sum(f(2, 3), [2]), /axis 2/],
    ["expandTo", () => ops.expandTo(f(2), [3]), /expand/],
    ["expandTo, smaller", () => ops.expandTo(f(2), [1]), /expand/],
    ["reshape", () => ops.reshape(f(2, 3), [4]), /reshape: \[2, 3\] does not fill \[4\]/],
    ["transpose, twice", () => ops.transpose(f(2, 3), [0, 0]), /does not permute/],
    ["transpose, rank", () => ops.transpose(f(2, 3), [0]), /does not permute/],
    ["transpose, axis", () => ops.transpose(f(2, 3), [1, 0, 2]), /axis 2/],
    ["slice", () => ops.slice(f(2, 3), 1, 1, 4), /slice: 1\.\.4/],
    ["slice, empty", () => ops.slice(f(2, 3), 1, 1, 1), /slice/],
    ["pad, axis", () => ops.pad(f(2), 1, 1, 0), /axis 1/],
    ["concat, shapes", () => ops.concat([f(2, 3), f(3, 3)], 1), /concat/],
    ["concat, nothing", () => ops.concat([], 0), /concat/],
    ["split", () => ops.split(f(2, 3), 1, 2), /equal parts/],
    ["partsOf", () => ops.partsOf(f(5), [2, 2]), /parts/],
    ["gather, float ids", () => ops.gather(f(4, 2), f(3)), /gather/],
    ["gather, scalar table", () => ops.gather(f(), i(3)), /gather/],
    ["scatterAdd, rows", () => ops.scatterAdd(f(2, 3), i(2), [5, 4]), /scatterAdd/],
    ["take", () => ops.take(f(2, 3), i(3, 1)), /take/],
    ["put", () => ops.put(f(2, 3), i(2, 1), f(2, 2)), /put/],
    ["layerNorm", () => ops.layerNorm(f(2, 3), f(4), f(4)), /layerNorm/],
    ["attend", () => ops.attend(f(1, 1, 2, 4), f(1, 1, 2, 3), f(1, 1, 2, 3)), /attend/],
    ["attend, keys", () => ops.attend(f(1, 1, 2, 4), f(1, 1, 3, 4), f(1, 1, 2, 4)), /attend/],
    ["attend, mask", () => ops.attend(f(1, 1, 2, 4), f(1, 1, 3, 4), f(1, 1, 3, 4), f(1, 1, 2, 2)), /attend/],
    ...([0, 1, 2] as const).map((digits): [string, () => unknown, RegExp] => [
      `int8Matmul, ${digits} digits`,
      () => {
        const q = input("q", { dtype: "int8", shape: [4, 2] });
        return ops.int8Matmul(f(2, 3), { q, scale: f(2) }, { digits, strong: [] });
      },
      /int8Matmul: \[2, 3\] does not fit \[4, 2\]/,
    ]),
    [
      "int4Matmul",
      () => {
        const [q, zero] = [input("q", { dtype: "uint8", shape: [2, 2, 16] }), f(2)];
        return ops.int4Matmul(f(2, 3), { q, scale: f(4), zero }, { block: 32 });
      },
      /int4Matmul: \[2, 3\] has no rows of 2 blocks of 32/,
    ],
    [
      "int8Matmul, a vector",
      () => {
        const q = input("q", { dtype: "int8", shape: [4, 2] });
        return ops.int8Matmul(f(4), { q, scale: f(2) }, { digits: 1, strong: [] });
      },
      /int8Matmul: \[4\] has no rows/,
    ],
    ["mean, axis", () => ops.mean(f(2), [1]), /axis 1/],
    ["lengthOf, axis", () => ops.lengthOf(f(2), 1), /axis 1/],
  ];
  test.each(wrong)("%s", (_, apply, message) => {
    expect(apply).toThrow(AnnealError);
    expect(apply).toThrow(message);
  });
});
