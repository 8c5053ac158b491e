import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FormatError } from "../../util/errors.ts";
import { type GgmlReadType, type GgmlType, ggmlReadTypes, ggmlTypes } from "./ggml.ts";
import { encodeGguf, type GgufFile, type GgufValue } from "./gguf.ts";
import { decodeGguf } from "./read.ts";

const golden = JSON.parse(readFileSync(new URL("../../../test/golden/ggml.json", import.meta.url), "utf8"));

/** As in test/golden/ggml.py. */
const goldenValues = (): Float32Array => {
  const values = Float32Array.from(
    { length: 128 },
    (_, i) => ((((i * 37) % 101) - 50) / 8) * [1, 0.001, 0, 1000][i >> 5]!,
  );
  values.set([127, 0.5, -0.5, 1.5, -1.5, 2.5, -2.5, 63.5, -63.5]);
  return values;
};

const read: Readonly<Record<string, { blocks: string; numbers: string }>> = JSON.parse(
  readFileSync(new URL("../../../test/golden/ggmlTypes.json", import.meta.url), "utf8"),
);

const floats = (text: string): Float32Array =>
  new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);

/** What llama.cpp's own quantizers make of some rows, and the weighed squares that a row loses. */
const written = (() => {
  const { values, importance, ...types } = JSON.parse(
    readFileSync(new URL("../../../test/golden/ggmlWritten.json", import.meta.url), "utf8"),
  ) as Record<string, never>;
  type Cases = Readonly<Record<"plain" | "weighed", { blocks: string; errors: number[] }>>;
  return {
    values: floats(values!),
    importance: floats(importance!),
    types: types as Readonly<Record<string, Cases>>,
  };
})();

const bytesOf = (file: GgufFile): Uint8Array => {
  const { chunks, sizeBytes } = encodeGguf(file);
  const bytes = new Uint8Array(Buffer.concat([...chunks]));
  expect(bytes.length).toBe(sizeBytes);
  return bytes;
};

const tensor = (name: string, shape: readonly number[], type: GgmlType, values = new Float32Array(64)) => ({
  name,
  shape,
  type,
  values: () => values,
});

const small = (): GgufFile => ({
  metadata: new Map<string, GgufValue>([
    ["general.name", { type: "string", value: "a" }],
    ["x.list", { type: "array", of: "int32", value: [1, -2, 3] }],
  ]),
  tensors: [tensor("a", [2, 32], "q8_0"), tensor("b", [64], "f32")],
});

describe("blocks", () => {
  for (const type of ["q8_0", "q4_0"] as const) {
    it(`of ${type} are ggml's own, bit for bit`, () => {
      expect(Buffer.from(ggmlTypes[type].pack(goldenValues())).toString("hex")).toBe(golden[type]);
    });
  }
  it.each(Object.entries(read))(
    "of %s are read as ggml reads them, bit for bit",
    (name, { blocks, numbers }) => {
      const out = ggmlReadTypes[name as GgmlReadType].unpack(new Uint8Array(Buffer.from(blocks, "base64")));
      expect(Buffer.from(out.buffer).toString("base64")).toBe(numbers);
    },
  );
  it("of every type that is read are tested", () => {
    const plain = ["f32", "f16", "bf16"];
    expect(Object.keys(ggmlReadTypes).filter((name) => !plain.includes(name) && !(name in read))).toEqual([]);
    const bits = Uint8Array.of(0x80, 0x3f, 0x01, 0x80);
    expect(Array.from(ggmlReadTypes.bf16.unpack(bits))).toEqual([1, -(2 ** -133)]);
  });
  it.each(Object.entries(written.types))(
    "of %s lose no more than llama.cpp's, whether inputs are weighed or not",
    (name, cases) => {
      const type = ggmlTypes[name as GgmlType];
      for (const [how, { blocks, errors }] of Object.entries(cases)) {
        const weights = how === "weighed" ? written.importance : undefined;
        const packed = type.pack(written.values, weights);
        const theirs = new Uint8Array(Buffer.from(blocks, "base64"));
        if (type.block === 32 && weights === undefined) expect(packed).toEqual(theirs);
        expect(packed.length).toBe(theirs.length);
        const row = written.importance.length;
        const own = new Float64Array(errors.length);
        for (const [i, x] of type.unpack(packed).entries())
          own[Math.floor(i / row)]! += (weights?.[i % row] ?? 1) * (x - written.values[i]!) ** 2;
        const shares = errors.map((error, i) => own[i]! / error);
        expect(shares.reduce((a, b) => a + b, 0) / shares.length, how).toBeLessThan(1.002);
        // The weights that are fitted by are not those of the sum, so that a row may be a little worse.
        expect(Math.max(...shares), how).toBeLessThan(1.05);
      }
    },
  );
  it("of zeros are zeros, and what no input reads is rounded all the same", () => {
    const values = Float32Array.from({ length: 512 }, (_, i) => (i < 256 ? 0 : Math.sin(i)));
    for (const [name, { pack, unpack, block }] of Object.entries(ggmlTypes)) {
      if (block === 1) continue;
      const back = unpack(pack(values, new Float32Array(512)));
      expect(Math.max(...back.subarray(0, 256).map(Math.abs)), name).toBe(0);
      const error = back.subarray(256).reduce((sum, x, i) => sum + (x - values[256 + i]!) ** 2, 0);
      expect(error, name).toBeLessThan(6);
    }
  });
  it("come back within half a step", () => {
    const values = goldenValues();
    const steps = { q8_0: 127, q4_0: 8 } as const;
    for (const [type, levels] of Object.entries(steps)) {
      const back = ggmlTypes[type as GgmlType].unpack(ggmlTypes[type as GgmlType].pack(values));
      values.forEach((x, i) => {
        const block = values.subarray(i - (i % 32), i - (i % 32) + 32);
        const most = Math.max(...block.map(Math.abs));
        // A q4_0 block has one step less on the side away from its largest value.
        expect(Math.abs(back[i]! - x)).toBeLessThanOrEqual((1.05 * most) / levels);
      });
    }
  });
  it("refuse what a type cannot hold", () => {
    expect(() => ggmlTypes.f16.pack(Float32Array.of(1, 70000))).toThrow(/70000, which f16 cannot hold/);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const values = new Float32Array(32).fill(1);
      values[9] = bad;
      for (const [type, { pack, block }] of Object.entries(ggmlTypes)) {
        const whole = new Float32Array(Math.max(block, 32)).fill(1);
        whole.set(values);
        if (type !== "f32") expect(() => pack(whole), type).toThrow(/cannot hold/);
      }
    }
  });
});

describe("files", () => {
  it("read back as they were written", () => {
    const scalars: Record<string, GgufValue> = {
      a: { type: "uint8", value: 255 },
      b: { type: "int8", value: -128 },
      c: { type: "uint16", value: 65535 },
      d: { type: "int16", value: -32768 },
      e: { type: "uint32", value: 2 ** 32 - 1 },
      f: { type: "int32", value: -(2 ** 31) },
      g: { type: "float32", value: 0.5 },
      h: { type: "bool", value: true },
      i: { type: "string", value: "h\u00e4 \u{1f600}" },
      j: { type: "uint64", value: 2n ** 63n },
      k: { type: "int64", value: -5n },
      l: { type: "float64", value: 1e-300 },
      m: { type: "array", of: "string", value: ["", "x y"] },
    };
    const values = Float32Array.from({ length: 96 }, (_, i) => i / 8 - 5);
    const metadata = new Map(Object.entries(scalars));
    const tensors = [tensor("odd", [3], "f32", values.slice(0, 3)), tensor("m", [3, 32], "f16", values)];
    const read = decodeGguf(bytesOf({ metadata, tensors }), "x.gguf");
    expect(read.metadata).toEqual(metadata);
    expect([...read.tensors.keys()]).toEqual(["odd", "m"]);
    const m = read.tensors.get("m")!;
    expect(m.shape).toEqual([3, 32]);
    expect(ggmlReadTypes[m.type].unpack(m.bytes)).toEqual(values);
  });
  it("hold shapes of any size in any type", () => {
    const types = fc.constantFrom<GgmlType>("f32", "f16", "q8_0", "q4_0");
    const entry = fc.tuple(types, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 3 }));
    const property = fc.property(fc.array(entry, { maxLength: 5 }), (list) => {
      const tensors = list.map(([type, rows, blocks], i) =>
        tensor(`t${i}`, [rows, 32 * blocks], type, new Float32Array(rows * 32 * blocks).fill(i)),
      );
      const read = decodeGguf(bytesOf({ metadata: new Map(), tensors }), "x.gguf");
      for (const { name, shape, type, values } of tensors) {
        const entry = read.tensors.get(name)!;
        expect(entry.shape).toEqual(shape);
        expect(entry.type).toBe(type);
        expect(Buffer.from(entry.bytes)).toEqual(Buffer.from(ggmlTypes[type].pack(values())));
      }
    });
    fc.assert(property, { numRuns: 50 });
  });
});

describe("writing refuses", () => {
  const write = (file: Partial<GgufFile>) => () => bytesOf({ metadata: new Map(), tensors: [], ...file });
  const withKey = (key: string, value: GgufValue) => write({ metadata: new Map([[key, value]]) });
  it("keys and values that the format does not have", () => {
    expect(withKey("Upper", { type: "bool", value: true })).toThrow(FormatError);
    expect(withKey("a..b", { type: "bool", value: true })).toThrow(FormatError);
    expect(withKey("a", { type: "uint8", value: 256 })).toThrow(/256 is no uint8/);
    expect(withKey("a", { type: "uint32", value: 1.5 })).toThrow(/1.5 is no uint32/);
    expect(withKey("a", { type: "array", of: "string", value: [3] })).toThrow(/3 is no string/);
  });
  it("tensors that ggml cannot hold", () => {
    expect(write({ tensors: [tensor("a", [64], "f32"), tensor("a", [64], "f32")] })).toThrow(/twice/);
    expect(write({ tensors: [tensor("a".repeat(64), [64], "f32")] })).toThrow(/63 bytes/);
    expect(write({ tensors: [tensor("a", [1, 1, 1, 1, 64], "f32")] })).toThrow(/4 dimensions/);
    expect(write({ tensors: [tensor("a", [4, 16], "q4_0")] })).toThrow(/whole blocks/);
    expect(write({ tensors: [tensor("a", [65], "f32")] })).toThrow(/64 numbers do not fill/);
  });
});

describe("reading refuses", () => {
  const read = (change: (view: DataView, bytes: Uint8Array) => Uint8Array | undefined) => () => {
    const bytes = bytesOf(small());
    decodeGguf(change(new DataView(bytes.buffer), bytes) ?? bytes, "x.gguf");
  };
  const find = (bytes: Uint8Array, text: string) => Buffer.from(bytes).indexOf(text);
  const cases: Record<string, [Parameters<typeof read>[0], RegExp]> = {
    "another magic": [(v) => void v.setUint8(0, 0x46), /does not begin with GGUF/],
    "another version": [(v) => void v.setUint32(4, 1, true), /version 1; 2 and 3 are read/],
    "another order of bytes": [(v) => void v.setUint32(4, 3, false), /big-endian/],
    "more tensors than fit": [
      (v) => void v.setBigUint64(8, 2n ** 62n, true),
      /declares 4611686018427387904 tensors/,
    ],
    "more keys than fit": [(v) => void v.setBigUint64(16, 1n << 40n, true), /keys/],
    "a string longer than the file": [(v) => void v.setBigUint64(24, 1n << 33n, true), /bytes of text/],
    "a list longer than the file": [
      (v, b) => void v.setBigUint64(find(b, "x.list") + 6 + 8, 1n << 31n, true),
      /"x.list".*|elements/,
    ],
    "a list of lists": [(v, b) => void v.setUint32(find(b, "x.list") + 6 + 4, 9, true), /list of lists/],
    "an unknown type of value": [(v, b) => void v.setUint32(find(b, "x.list") + 6, 99, true), /type 99/],
    "text that is not UTF-8": [(v, b) => void v.setUint8(find(b, "x.list"), 0xff), /UTF-8/],
    "too many dimensions": [(v, b) => void v.setUint32(find(b, "x.list") + 43, 5, true), /5 dimensions/],
    "an unknown type of tensor": [
      (v, b) => void v.setUint32(find(b, "x.list") + 63, 77, true),
      /ggml type 77/,
    ],
    "a shape that the file has no room for": [
      (v, b) => void v.setBigUint64(find(b, "x.list") + 47, 1n << 40n, true),
      /more than the file has/,
    ],
    "an offset that is not the next": [
      (v, b) => void v.setBigUint64(find(b, "x.list") + 67, 32n, true),
      /lies at 32; the one before it ends at 0/,
    ],
    "data that are cut off": [(_, b) => b.subarray(0, b.length - 1), /beyond the end/],
    "an empty file": [() => new Uint8Array(0), /ends after 0 bytes/],
  };
  for (const [name, [change, message]] of Object.entries(cases)) {
    it(name, () => {
      expect(read(change)).toThrow(FormatError);
      expect(read(change)).toThrow(message);
    });
  }
  it("every cut of a file and every byte of its header that breaks it, by a typed error", () => {
    const bytes = bytesOf(small());
    for (let end = 0; end < bytes.length; end++) {
      expect(() => decodeGguf(bytes.subarray(0, end), "x.gguf"), `${end}`).toThrow(FormatError);
    }
    for (let at = 0; at < bytes.length - 336; at++) {
      for (const value of [0, 0x7f, 0xff]) {
        const changed = bytes.slice();
        changed[at] = value;
        try {
          decodeGguf(changed, "x.gguf");
        } catch (error) {
          expect(error, `${at} ${value}`).toBeInstanceOf(FormatError);
        }
      }
    }
  });
});
