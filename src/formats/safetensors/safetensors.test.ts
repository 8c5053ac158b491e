import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bytesOf,
  bytesPerElement,
  type DType,
  sizeOf,
  type Tensor,
  tensorFromBytes,
  tensorOf,
} from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";
import { decodeSafetensors, encodeSafetensors } from "./safetensors.ts";

const dtypes: readonly DType[] = [
  "float32",
  "float16",
  "float64",
  "bfloat16",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
];

/** A file of a header text and data bytes, as they are. */
const fileOf = (header: string | Uint8Array, data: number | Uint8Array = 0): Uint8Array => {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const bytes = typeof data === "number" ? new Uint8Array(data) : data;
  return Buffer.concat([new Uint8Array(BigUint64Array.of(BigInt(text.length)).buffer), text, bytes]);
};
const entry = (dtype: string, shape: unknown, from: unknown, to: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: [from, to] });

const refusal = (bytes: Uint8Array): FormatError => {
  try {
    decodeSafetensors(bytes, "x.safetensors");
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).details.file).toBe("x.safetensors");
    return error as FormatError;
  }
  throw new Error("was accepted");
};

const a = entry("F32", [1], 0, 4);

describe("malformed files are refused, naming tensor and byte", () => {
  const badText = Buffer.concat([Buffer.from('{"a'), Buffer.from([0xff, 0xfe]), Buffer.from('":1}')]);
  const one = (value: string): string => `{"a":${value}}`;
  const keyOffset = 9;
  const dataOf = (header: string): number => 8 + Buffer.byteLength(header);
  const declares = (length: bigint, rest = 8): Uint8Array =>
    Buffer.concat([new Uint8Array(BigUint64Array.of(length).buffer), new Uint8Array(rest).fill(0x7b)]);
  const hole = `{"a":${a},"b":${entry("F32", [1], 6, 10)}}`;
  const firstHole = `{"a":${entry("F32", [1], 2, 6)}}`;
  const overlap = `{"a":${a},"b":${entry("F32", [1], 2, 6)}}`;
  const accented = `{"é":${a},"b":${entry("F32", [1], 4, 6)}}`;
  const cases: [string, Uint8Array, RegExp, string | undefined, number][] = [
    ["empty file", new Uint8Array(0), /0 bytes long/, undefined, 0],
    ["header longer than the file", declares(9n), /declares a header of 9 bytes/, undefined, 0],
    ["header over 100 MB", declares(100_000_001n), /100000000 are allowed/, undefined, 0],
    ["header of 2^64 - 1 bytes", declares(2n ** 64n - 1n), /are allowed/, undefined, 0],
    ["no header", declares(0n), /does not begin with \{/, undefined, 8],
    ["bad UTF-8", fileOf(badText), /UTF-8/, undefined, 8],
    ["not {", fileOf("[1]"), /does not begin with \{/, undefined, 8],
    ["space before {", fileOf(" {}"), /does not begin with \{/, undefined, 8],
    ["not JSON", fileOf("{]"), /not JSON/, undefined, 8],
    ["deep nesting", fileOf(`{"a":${"[".repeat(1e6)}`), /not JSON/, undefined, 8],
    ["duplicate key", fileOf(`{"a":${a},"\\u0061":${a}}`, 4), /twice/, "a", 8 + `{"a":${a},`.length],
    ["duplicate field", fileOf(`{"a":${a.replace("{", '{"dtype":"F32",')}}`, 4), /twice/, "dtype", 8 + 20],
    [
      "duplicate __metadata__",
      fileOf('{"__metadata__":{},"__metadata__":{}}'),
      /twice/,
      "__metadata__",
      8 + 19,
    ],
    ["hole", fileOf(hole, 10), /hole of 2 bytes/, "b", dataOf(hole) + 4],
    ["hole at the start", fileOf(firstHole, 6), /hole of 2 bytes/, "a", dataOf(firstHole)],
    ["overlap", fileOf(overlap, 6), /overlaps/, "b", dataOf(overlap) + 2],
    ["out of the file", fileOf(`{"a":${a}}`, 3), /outside the 3 bytes/, "a", dataOf(`{"a":${a}}`)],
    [
      "shape and dtype do not fit",
      fileOf(accented, 6),
      /takes 2 bytes where \[1\] of F32 takes 4/,
      "b",
      dataOf(accented) + 4,
    ],
    ["end before start", fileOf(one(entry("F32", [0], 4, 0)), 4), /outside/, "a", 8 + 54 + 4],
    ["overflow", fileOf(one(entry("U8", [2 ** 53 - 1, 2], 0, 0))), /impossible/, "a", keyOffset],
    [
      "overflow hidden by a zero",
      fileOf(one(entry("U8", [2 ** 53 - 1, 2 ** 53 - 1, 0], 0, 0))),
      /impossible/,
      "a",
      keyOffset,
    ],
    ["overflow by the dtype", fileOf(one(entry("F64", [2 ** 52], 0, 0))), /impossible/, "a", keyOffset],
    [
      "integers over 2^53",
      fileOf('{"a":{"dtype":"U8","shape":[18446744073709551616],"data_offsets":[0,0]}}'),
      /shape/,
      "a",
      keyOffset,
    ],
    ["negative size", fileOf(one(entry("U8", [-1], 0, 0))), /no valid shape/, "a", keyOffset],
    [
      "negative zero",
      fileOf('{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}'),
      /no valid shape/,
      "a",
      keyOffset,
    ],
    ["negative offset", fileOf(one(entry("U8", [1], -1, 0))), /no valid data_offsets/, "a", keyOffset],
    ["fractional size", fileOf(one(entry("U8", [1.5], 0, 1)), 1), /no valid shape/, "a", keyOffset],
    ["shape as text", fileOf(one(entry("U8", "1", 0, 1)), 1), /no valid shape/, "a", keyOffset],
    [
      "three offsets",
      fileOf('{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,1]}}', 1),
      /data_offsets/,
      "a",
      keyOffset,
    ],
    ["unknown dtype", fileOf(one(entry("F31", [1], 0, 4)), 4), /"F31"/, "a", keyOffset],
    ["dtype in a list", fileOf(one(a.replace('"F32"', '["F32"]')), 4), /dtype/, "a", keyOffset],
    ["entry null", fileOf('{"a":null}'), /dtype/, "a", keyOffset],
    ["entry that lies in a prototype", fileOf(`{"a":{"__proto__":${a}}}`, 4), /dtype/, "a", keyOffset],
    ["trailing bytes", fileOf(`{"a":${a}}`, 9), /5 bytes after/, undefined, dataOf(`{"a":${a}}`) + 4],
    ["trailing bytes alone", fileOf("{}", 1), /1 bytes after/, undefined, 10],
    [
      "metadata not text",
      fileOf('{"__metadata__":{"a":1}}'),
      /metadata "a" is not a string/,
      undefined,
      keyOffset,
    ],
    ["metadata list", fileOf('{"__metadata__":[]}'), /no object/, undefined, keyOffset],
  ];
  test.each(cases)("%s", (_, bytes, message, tensor, offset) => {
    const error = refusal(bytes);
    expect(error.message).toMatch(message);
    expect(error.details.tensor).toBe(tensor);
    expect(error.details.offset).toBe(offset);
  });

  test("truncated at every byte, and one byte longer", () => {
    const whole = Buffer.concat(
      encodeSafetensors(new Map([["é.weight", tensorOf("float32", [2, 2], [1, 2, 3, 4])]]), { format: "pt" }),
    );
    expect(decodeSafetensors(whole, "x").tensors.size).toBe(1);
    for (let length = 0; length < whole.length; length++) {
      const { offset } = refusal(whole.subarray(0, length)).details;
      expect(offset).toBeGreaterThanOrEqual(0);
      expect(offset).toBeLessThanOrEqual(whole.length);
    }
    refusal(Buffer.concat([whole, new Uint8Array(1)]));
  });

  test("any changed byte of the header gives a FormatError or a valid reading", () => {
    const whole = Buffer.concat(
      encodeSafetensors(new Map([["w", tensorOf("float32", [2], [1, 2])]]), { format: "pt" }),
    );
    for (let i = 0; i < whole.length; i++) {
      for (const value of [0, 0x20, 0x22, 0x2d, 0x5c, 0x7d, 0xff]) {
        const changed = Buffer.from(whole);
        changed[i] = value;
        try {
          decodeSafetensors(changed, "x");
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }
    }
  });
});

const tensorArb = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }))
  .chain(([dtype, shape]) => {
    const length = sizeOf(shape) * bytesPerElement(dtype);
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((b) => tensorFromBytes(dtype, shape, b.slice()));
  });
const nameArb = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 12 }),
  fc.constantFrom("__proto__", "constructor", "toString", "0", "", "a.b.c"),
);

const plain = (tensors: ReadonlyMap<string, Tensor>) =>
  [...tensors]
    .map(([name, t]) => [name, t.dtype, [...t.shape], Buffer.from(bytesOf(t)).toString("hex")])
    .sort(([x], [y]) => (x! < y! ? -1 : 1));

test("what is written reads back, at every alignment of the buffer", () => {
  const files = fc.uniqueArray(fc.tuple(nameArb, tensorArb), { selector: ([name]) => name, maxLength: 8 });
  fc.assert(
    fc.property(
      files,
      fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
      fc.nat(8),
      (list, metadata, shift) => {
        const tensors = new Map(list);
        const bytes = Buffer.concat([
          new Uint8Array(shift),
          ...encodeSafetensors(tensors, metadata),
        ]).subarray(shift);
        const back = decodeSafetensors(bytes, "x");
        expect(plain(back.tensors)).toEqual(plain(tensors));
        expect(new Map(Object.entries(metadata))).toEqual(back.metadata);
      },
    ),
    { numRuns: 2000, seed: 1 },
  );
});

test("an unaligned Node Buffer reads", () => {
  const file = Buffer.concat(encodeSafetensors(new Map([["w", tensorOf("float64", [2], [1.5, -2])]])));
  for (let shift = 0; shift < 8; shift++) {
    const pool = Buffer.alloc(file.length + 8);
    file.copy(pool, shift);
    const { tensors } = decodeSafetensors(pool.subarray(shift, shift + file.length), "x");
    expect([...tensors.get("w")!.data]).toEqual([1.5, -2]);
  }
});

describe("the reference writer's file", () => {
  const golden = readFileSync(new URL("../../../test/golden/mixed.safetensors", import.meta.url));
  const fill = (i: number, size: number, modulus: number): Uint8Array =>
    Uint8Array.from({ length: size }, (_, j) => ((7 * j + 13 * i) % 251) % modulus);
  const tensors = new Map<string, Tensor>();
  dtypes.forEach((dtype, i) => {
    for (const [name, shape] of [
      ["a", [2, 3]],
      ["b", [i % 3]],
    ] as const) {
      const bytes = fill(i, sizeOf(shape) * bytesPerElement(dtype), dtype === "bool" ? 2 : 251);
      tensors.set(`${dtype}.${name}`, tensorFromBytes(dtype, shape, bytes));
    }
  });
  const odd = ["\u{1f600}", "\ufffd", 'quote " slash \\ line\n\u0001\u007f', "__proto__", "constructor", "0"];
  odd.forEach((name, i) => {
    tensors.set(name, tensorFromBytes("float32", [], fill(i, 4, 251)));
  });

  test("reads", () => {
    const { tensors: found, metadata } = decodeSafetensors(golden, "mixed.safetensors");
    expect(plain(found)).toEqual(plain(tensors));
    expect([...metadata]).toEqual([["format", "pt"]]);
  });
  test("is written byte for byte", () => {
    expect(Buffer.concat(encodeSafetensors(tensors, { format: "pt" })).equals(golden)).toBe(true);
  });
});

test("the reserved name is refused when writing", () => {
  expect(() => encodeSafetensors(new Map([["__metadata__", tensorOf("int8", [], [1])]]))).toThrow(
    FormatError,
  );
});

test("bytes that do not fill the shape are refused", () => {
  expect(() => tensorFromBytes("float32", [1], new Uint8Array(6))).toThrow(
    /6 bytes do not fill \[1\] of float32/,
  );
});

test("metadata of null is none", () => {
  expect(decodeSafetensors(fileOf('{"__metadata__":null}'), "x.safetensors").metadata.size).toBe(0);
});
