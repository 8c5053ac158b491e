/** Rows of random numbers, of lengths known at run time, and of detach. */
import * as ops from "../../../src/ops/index.ts";
import { streamOf } from "../../../src/util/rng.ts";
import { make } from "../../reference.ts";
import { casesOf, f32, int32, int64 } from "./case.ts";

/** The hash of src/ops/random.ts (lowbias32) on BigInts: words of 32 bits. */
const wordsOf = (seed: number, site: string, n: number): bigint[] => {
  const word = (x: bigint): bigint => BigInt.asUintN(32, x);
  const mix = (x: bigint): bigint => {
    const y = word((x ^ (x >> 16n)) * 0x7feb352dn);
    const z = word((y ^ (y >> 15n)) * 0x846ca68bn);
    return z ^ (z >> 16n);
  };
  const key = mix(word(BigInt(seed) + BigInt(streamOf(site))));
  return Array.from({ length: n }, (_, i) => mix(BigInt(i) ^ key));
};

const uniformOf = (seed: number, site: string, n: number): number[] =>
  wordsOf(seed, site, n).map((word) => Number(word >> 8n) / 2 ** 24);

/** What `kept` makes of rows and columns. */
const keptOf = (
  { seed, site, rate }: { seed: number; site: string; rate: number },
  [rows, columns]: [number, number],
) => {
  const words = wordsOf(seed, site, rows + columns);
  return Array.from({ length: rows * columns }, (_, i) => {
    const product = words[Math.floor(i / columns)]! * words[rows + (i % columns)]!;
    return Number(BigInt.asIntN(32, product)) >= rate * 2 ** 32 - 2 ** 31 ? 1 / (1 - rate) : 0;
  });
};

export const dynamic = casesOf({
  uniform: [
    {
      name: "a hash of seed, site and position",
      inputs: [int32([], 12345)],
      build: (seed) => [ops.uniform(seed!, "a", [2, 8]), ops.uniform(seed!, "b", [4])],
      reference: () => [uniformOf(12345, "a", 16), uniformOf(12345, "b", 4)],
    },
    {
      name: "a negative seed",
      inputs: [int32([], -7)],
      build: (seed) => ops.uniform(seed!, "a", [16]),
      reference: () => [uniformOf(-7, "a", 16)],
    },
  ],
  kept: [
    {
      name: "a product of a row's word and a column's",
      inputs: [int32([], 12345)],
      build: (seed) => [
        ops.kept(seed!, "a", [2, 3, 4], { rate: 0.25 }),
        ops.kept(seed!, "b", [5], { rate: 0.5 }),
      ],
      reference: () => [
        keptOf({ seed: 12345, site: "a", rate: 0.25 }, [6, 4]),
        keptOf({ seed: 12345, site: "b", rate: 0.5 }, [1, 5]),
      ],
    },
  ],
  lengthOf: [
    {
      name: "of a named axis",
      inputs: [f32([2, "T"])],
      dims: { T: 5 },
      build: (x) => ops.lengthOf(x!, -1),
      reference: () => [[5]],
      gradient: "refused",
    },
  ],
  keepLast: [3, 1, 0].map((n) => ({
    name: `${n} of 3`,
    inputs: [f32([2, "T", 2]), int64([], n)],
    dims: { T: 3, K: n === 0 ? 3 : n },
    build: (x, keep) => ops.keepLast(x!, keep!, "K"),
    reference: (x) => [
      n === 0 ? [...x!] : make([2, n, 2], ([b, t, c]) => x![b! * 6 + (3 - n + t!) * 2 + c!]!),
    ],
    gradient: "refused",
  })),
  detach: [
    {
      name: "passes values and no gradient",
      inputs: [f32([2, 3])],
      build: (x) => ops.detach(x!),
      reference: (x) => [[...x!]],
      gradient: "zero",
    },
  ],
  countUp: [3, 0].map((n) => ({
    name: `to ${n}`,
    inputs: [int64([1], n)],
    dims: { T: n },
    build: (count) => ops.countUp(count!, "T"),
    reference: () => [make([n], ([i]) => i!)],
  })),
  dynamicSlice: [
    [1, 3],
    [0, 4],
    [2, 2],
  ].map(([start, end]) => ({
    name: `${start} to ${end} of 4`,
    inputs: [f32([2, "T", 2]), int64([1], start!), int64([1], end!)],
    dims: { T: 4, N: end! - start! },
    build: (x, from, to) => ops.dynamicSlice(x!, [from!, to!], { axis: 1, size: "N" }),
    reference: (x) => [make([2, end! - start!, 2], ([b, t, c]) => x![b! * 8 + (start! + t!) * 2 + c!]!)],
    gradient: "refused",
  })),
  append: [0, 2].map((past) => ({
    name: `behind ${past}`,
    inputs: [f32([2, "P", 2]), f32([2, "T", 2])],
    dims: { P: past, T: 3, N: past + 3 },
    build: (x, y) => ops.append(x!, y!, { axis: 1, size: "N" }),
    reference: (x, y) => [
      make([2, past + 3, 2], ([b, t, c]) =>
        t! < past ? x![(b! * past + t!) * 2 + c!]! : y![(b! * 3 + t! - past) * 2 + c!]!,
      ),
    ],
    gradient: "refused",
  })),
});
