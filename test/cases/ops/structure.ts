/** Rows of ops that move, cut, join and pick. */
import * as ops from "../../../src/ops/index.ts";
import { at, make, rows, zip } from "../../reference.ts";
import { casesOf, f32, int32, int64 } from "./case.ts";

export const structure = casesOf({
  sum: [
    {
      name: "all",
      inputs: [f32([2, 3])],
      build: (x) => ops.sum(x!),
      reference: (x) => [[x.reduce((a, b) => a + b)]],
    },
    {
      name: "one axis",
      inputs: [f32([2, 3])],
      build: (x) => ops.sum(x!, [0]),
      reference: (x) => [make([3], ([j]) => x[j!]! + x[3 + j!]!)],
    },
    {
      name: "two axes kept, counted from the back",
      inputs: [f32([2, 3, 2])],
      build: (x) => ops.sum(x!, [-1, 0], true),
      reference: (x) => [make([3], ([j]) => x[2 * j!]! + x[2 * j! + 1]! + x[6 + 2 * j!]! + x[7 + 2 * j!]!)],
    },
    { name: "of a scalar", inputs: [f32([])], build: (x) => ops.sum(x!), reference: (x) => [[...x]] },
  ],
  expandTo: [
    {
      name: "new and stretched axes",
      inputs: [f32([3, 1])],
      build: (x) => ops.expandTo(x!, [2, 3, 4]),
      reference: zip((x) => x!, [2, 3, 4], [3, 1]),
    },
  ],
  sumTo: [
    {
      name: "lead and stretched axes",
      inputs: [f32([2, 3, 4])],
      build: (x) => ops.sumTo(x!, [3, 1]),
      reference: (x) => [
        make([3], ([i]) => make([2, 4], ([a, b]) => x[a! * 12 + i! * 4 + b!]!).reduce((p, q) => p + q)),
      ],
    },
    {
      name: "to a scalar",
      inputs: [f32([2, 3])],
      build: (x) => ops.sumTo(x!, []),
      reference: (x) => [[x.reduce((a, b) => a + b)]],
    },
  ],
  reshape: [
    {
      name: "fixed",
      inputs: [f32([2, 6])],
      build: (x) => ops.reshape(x!, [3, 4]),
      reference: (x) => [[...x]],
    },
    {
      name: "to a scalar",
      inputs: [f32([1, 1])],
      build: (x) => ops.reshape(x!, []),
      reference: (x) => [[...x]],
    },
    {
      name: "named",
      inputs: [f32(["B", "T", 4])],
      dims: { B: 2, T: 3 },
      build: (x) => ops.reshape(x!, ["B", "T", 2, 2]),
      reference: (x) => [[...x]],
    },
    {
      name: "twice",
      inputs: [f32([2, 6])],
      build: (x) => ops.reshape(ops.reshape(x!, [12]), [4, 3]),
      reference: (x) => [[...x]],
    },
  ],
  transpose: [
    {
      name: "three axes",
      inputs: [f32([2, 3, 4])],
      build: (x) => ops.transpose(x!, [2, 0, 1]),
      reference: (x) => [make([4, 2, 3], ([c, a, b]) => x[at([a!, b!, c!], [2, 3, 4])]!)],
    },
    {
      name: "axes counted from the back",
      inputs: [f32([2, 3])],
      build: (x) => ops.transpose(x!, [-1, -2]),
      reference: (x) => [make([3, 2], ([j, i]) => x[i! * 3 + j!]!)],
    },
  ],
  slice: [
    {
      name: "middle",
      inputs: [f32([2, 5])],
      build: (x) => ops.slice(x!, -1, 1, 3),
      reference: (x) => [make([2, 2], ([i, j]) => x[i! * 5 + j! + 1]!)],
    },
  ],
  pad: [
    {
      name: "both sides",
      inputs: [f32([2, 3])],
      build: (x) => ops.pad(x!, 1, 1, 2),
      reference: (x) => [make([2, 6], ([i, j]) => (j! >= 1 && j! < 4 ? x[i! * 3 + j! - 1]! : 0))],
    },
    {
      name: "axis counted from the back",
      inputs: [f32([2, 3])],
      build: (x) => ops.pad(x!, -2, 0, 1),
      reference: (x) => [[...x, 0, 0, 0]],
    },
  ],
  concat: [
    {
      name: "three parts",
      inputs: [f32([2, 1]), f32([2, 2]), f32([2, 3])],
      build: (...parts) => ops.concat(parts, -1),
      reference: (a, b, c) => [
        make([2, 6], ([i, j]) => (j! < 1 ? a![i!]! : j! < 3 ? b![i! * 2 + j! - 1]! : c![i! * 3 + j! - 3]!)),
      ],
    },
    {
      name: "one part twice",
      inputs: [f32([2, 2])],
      build: (x) => ops.concat([x!, x!], 0),
      reference: (x) => [[...x, ...x]],
    },
  ],
  split: [
    {
      name: "all parts used",
      inputs: [f32([2, 6])],
      build: (x) => ops.split(x!, -1, 3),
      reference: (x) => [0, 1, 2].map((p) => make([2, 2], ([i, j]) => x[i! * 6 + p * 2 + j!]!)),
    },
    {
      name: "one part used",
      inputs: [f32([4, 2])],
      build: (x) => ops.split(x!, 0, 2)[1]!,
      reference: (x) => [x.slice(4)],
    },
  ],
  partsOf: [
    {
      name: "unequal",
      inputs: [f32([6, 2])],
      build: (x) => ops.partsOf(x!, [1, 3, 2]),
      reference: (x) => [x.slice(0, 2), x.slice(2, 8), x.slice(8)],
    },
    {
      name: "one part used",
      inputs: [f32([5])],
      build: (x) => ops.partsOf(x!, [2, 3])[0]!,
      reference: (x) => [x.slice(0, 2)],
    },
  ],
  columnsOf: [
    {
      name: "different widths",
      inputs: [f32([2, 6])],
      build: (x) => ops.columnsOf(x!, [1, 3, 2]),
      reference: (x) =>
        [
          [0, 1],
          [1, 4],
          [4, 6],
        ].map(([from, to]) => rows(x!, 6, (row) => row.slice(from, to))),
    },
    {
      name: "one width is the whole",
      inputs: [f32([2, 3])],
      build: (x) => ops.columnsOf(x!, [3]),
      reference: (x) => [[...x!]],
    },
    {
      name: "behind named dimensions",
      inputs: [f32(["B", "T", 3])],
      dims: { B: 2, T: 2 },
      build: (x) => ops.columnsOf(x!, [2, 1]),
      reference: (x) =>
        [
          [0, 2],
          [2, 3],
        ].map(([from, to]) => rows(x!, 3, (row) => row.slice(from, to))),
    },
  ],
  gather: [
    {
      name: "rows, some twice",
      inputs: [f32([4, 3]), int32([2, 2], 3, 0, 3, 1)],
      build: (table, ids) => ops.gather(table!, ids!),
      reference: (x, ids) => [ids!.flatMap((r) => x!.slice(r * 3, r * 3 + 3))],
    },
    {
      name: "elements of a vector, int64",
      inputs: [f32([4]), int64([3], 2, 2, 0)],
      build: (table, ids) => ops.gather(table!, ids!),
      reference: (x, ids) => [ids!.map((r) => x![r]!)],
    },
  ],
  scatterAdd: [
    {
      name: "rows, some on one another",
      inputs: [f32([2, 2, 3]), int32([2, 2], 3, 0, 3, 1)],
      build: (from, ids) => ops.scatterAdd(from!, ids!, [5, 3]),
      reference: (x, ids) => [
        make([5, 3], ([r, c]) => ids!.reduce((s, id, i) => s + (id === r ? x![i * 3 + c!]! : 0), 0)),
      ],
    },
  ],
  scatterOnto: [
    {
      name: "rows, some on one another, onto a table",
      inputs: [f32([5, 3]), f32([2, 2, 3]), int32([2, 2], 3, 0, 3, 1)],
      build: (table, from, ids) => ops.scatterOnto(table!, from!, ids!),
      reference: (table, x, ids) => [
        make([5, 3], ([r, c]) =>
          ids!.reduce((s, id, i) => s + (id === r ? x![i * 3 + c!]! : 0), table![r! * 3 + c!]!),
        ),
      ],
    },
  ],
  take: [
    {
      name: "one a row",
      inputs: [f32([3, 4]), int32([3, 1], 2, 0, 3)],
      build: (x, ids) => ops.take(x!, ids!),
      reference: (x, ids) => [ids!.map((id, i) => x![i * 4 + id]!)],
    },
    {
      name: "two a row, int64",
      inputs: [f32([2, 4]), int64([2, 2], 2, 0, 1, 3)],
      build: (x, ids) => ops.take(x!, ids!),
      reference: (x, ids) => [ids!.map((id, i) => x![Math.floor(i / 2) * 4 + id]!)],
    },
  ],
  put: [
    {
      name: "two a row",
      inputs: [f32([2, 4]), int32([2, 2], 2, 0, 1, 3), f32([2, 2])],
      build: (x, ids, values) => ops.put(x!, ids!, values!),
      reference: (x, ids, values) => {
        const out = [...x!];
        ids!.forEach((id, i) => {
          out[Math.floor(i / 2) * 4 + id] = values![i]!;
        });
        return [out];
      },
    },
  ],
});
