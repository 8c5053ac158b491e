import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OnnxAttr } from "../../ir/op.ts";
import { type Dim, type DType, dataTypes, type Tensor, tensorFromBytes } from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";
import { catchError, joined, linear } from "./onnx.fixture.ts";
import { encodeOnnx, type OnnxModel } from "./onnx.ts";
import {
  bytesField,
  concat,
  type Encoded,
  floatField,
  intField,
  messageField,
  textField,
  toBytes,
} from "./protobuf.ts";
import { decodeOnnx } from "./read.ts";

const dtype = fc.constantFrom(...(Object.keys(dataTypes) as DType[]));

const widths: Record<DType, number> = {
  float32: 4,
  float64: 8,
  float16: 2,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

const text = fc.string({ unit: "binary", maxLength: 8 });

const int = fc.maxSafeInteger();

const float = fc.float();

const tensors: fc.Arbitrary<Tensor> = fc
  .tuple(dtype, fc.array(fc.nat(4), { maxLength: 3 }))
  .chain(([type, shape]) => {
    const size = shape.reduce((n, d) => n * d, widths[type]);
    return fc
      .uint8Array({ minLength: size, maxLength: size })
      .map((bytes) => tensorFromBytes(type, shape, Uint8Array.from(bytes)));
  });

const attr: fc.Arbitrary<OnnxAttr> = fc.oneof(
  fc.record({ int }),
  fc.record({ float }),
  fc.record({ string: text }),
  fc.record({ ints: fc.array(int, { maxLength: 4 }) }),
  fc.record({ floats: fc.array(float, { maxLength: 4 }) }),
  fc.record({ tensor: tensors }),
);

const records = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Record<string, T>> =>
  fc.array(fc.tuple(text, value), { maxLength: 3 }).map((list) => Object.fromEntries(list));

const list = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(value, { maxLength: 3 });

const dim: fc.Arbitrary<Dim> = fc.oneof(fc.nat(), fc.string({ minLength: 1, maxLength: 4 }));

const value = fc.record({ name: text, dtype, shape: list(dim) });

const models: fc.Arbitrary<OnnxModel> = fc.record({
  graph: fc.record({
    name: text,
    nodes: list(
      fc.record({
        opType: text,
        domain: text,
        name: text,
        inputs: list(text),
        outputs: list(text),
        attrs: records(attr),
      }),
    ),
    inputs: list(value),
    outputs: list(value),
    initializers: fc.uniqueArray(fc.record({ name: text, tensor: tensors }), {
      maxLength: 3,
      selector: (i) => i.name,
    }),
  }),
  opsets: records(fc.nat()),
  metadata: records(text),
});

const graphOf = (parts: Encoded[]): Uint8Array => toBytes(messageField(7, parts));

const tensorBytes = (...parts: Encoded[]): Uint8Array =>
  graphOf([messageField(5, [textField(8, "t"), ...parts])]);

const externalTensor = (entries: Readonly<Record<string, string>>, ...more: Encoded[]): Uint8Array =>
  tensorBytes(
    intField(1, 4),
    intField(2, 2),
    ...Object.entries(entries).map(([k, v]) => messageField(13, [textField(1, k), textField(2, v)])),
    intField(14, 1),
    ...more,
  );

describe("decodeOnnx", () => {
  it("gives back what was encoded, inline or external", () => {
    fc.assert(
      fc.property(models, fc.boolean(), fc.nat(16), (m, apart, externalThresholdBytes) => {
        const { model, external } = encodeOnnx(
          m,
          apart ? { externalFile: "sub/d", externalThresholdBytes } : {},
        );
        const back = decodeOnnx(model, { external: () => joined(external!) });
        expect(back).toEqual(m);
        expect(encodeOnnx(back).model).toEqual(encodeOnnx(m).model);
      }),
    );
  });

  it("throws FormatError, or reads a model, for every truncation and every flipped byte", () => {
    const { model } = encodeOnnx(linear, { externalFile: "d", externalThresholdBytes: 64 });
    const attempt = (bytes: Uint8Array): void => {
      try {
        decodeOnnx(bytes, { file: "m.onnx", external: () => new Uint8Array(8192) });
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError);
        expect((error as FormatError).details.file).toBe("m.onnx");
      }
    };
    for (let i = 0; i < model.length; i++) {
      attempt(model.subarray(0, i));
      for (const mask of [1, 4, 0x80, 0xff]) attempt(model.map((b, j) => (j === i ? b ^ mask : b)));
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), attempt));
  });

  it("takes unnamed dimensions as different from each other", () => {
    const shape = messageField(2, [
      messageField(1, []),
      messageField(1, [intField(1, 5)]),
      messageField(1, []),
    ]);
    const type = messageField(2, [messageField(1, [intField(1, 1), shape])]);
    const bytes = graphOf([messageField(11, [textField(1, "x"), type])]);
    expect(decodeOnnx(bytes).graph.inputs[0]!.shape).toEqual(["x_dim_0", 5, "x_dim_2"]);
  });

  it("reads elements stored as numbers, packed or not", () => {
    const packed = bytesField(7, Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1));
    const read = (...parts: Encoded[]): Tensor =>
      decodeOnnx(tensorBytes(...parts)).graph.initializers[0]!.tensor;
    expect(read(intField(1, 2), intField(2, 7), packed).data).toEqual(BigInt64Array.of(1n, -1n));
    expect(read(intField(1, 2), intField(2, 1), floatField(4, 0.5), floatField(4, -0)).data).toEqual(
      Float32Array.of(0.5, -0),
    );
    expect(read(intField(2, 3), intField(5, -7)).data).toEqual(Int8Array.of(-7));
    expect(
      read(bytesField(1, Uint8Array.of(1, 2)), intField(2, 10), bytesField(5, Uint8Array.of(3, 4))).data,
    ).toEqual(Uint16Array.of(3, 4));
    const double = bytesField(10, new Uint8Array(Float64Array.of(1e300).buffer));
    expect(read(intField(2, 11), double).data).toEqual(Float64Array.of(1e300));
    expect(() => read(intField(2, 2), intField(5, 256))).toThrow('"t" holds 256, which is no uint8');
    expect(() => read(intField(2, 1), intField(7, 1))).toThrow("has its elements in field 7, not in 4");
  });
});

describe("decodeOnnx on hostile bytes", () => {
  const file = "m.onnx";
  const refused = (bytes: Uint8Array, message: string, external?: (location: string) => Uint8Array): void => {
    const error = catchError(() => decodeOnnx(bytes, external === undefined ? { file } : { file, external }));
    expect(error.message).toContain(message);
    expect(error.details.file).toBe(file);
    expect(error.details.offset).toBeGreaterThanOrEqual(0);
  };

  it("names what is wrong with the wire format", () => {
    refused(Uint8Array.of(), "has no graph");
    refused(Uint8Array.of(0x3a, 5, 1), "declares 5 bytes and 1 are left");
    refused(Uint8Array.of(0x08, 0x80), "truncated within a varint");
    refused(Uint8Array.of(0x08, ...Array(10).fill(0xff), 1), "more than 64 bits");
    refused(
      Uint8Array.of(0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1),
      "18446744073709551615 bytes",
    );
    refused(Uint8Array.of(0x3b), "unknown wire type 3");
    refused(Uint8Array.of(0x3f), "unknown wire type 7");
    refused(Uint8Array.of(0x02), "impossible field number 0");
    refused(Uint8Array.of(0x15, 1, 2), "truncated within a number of 4 bytes");
    refused(Uint8Array.of(0x38, 1), "field 7 has wire type 0, not 2");
    refused(toBytes(concat([messageField(7, []), messageField(7, [])])), "has the field 7 twice");
    refused(toBytes(concat([messageField(7, []), messageField(25, [])])), "field 25, which is not supported");
    refused(graphOf([bytesField(2, Uint8Array.of(0xff, 0xfe))]), "field 2 is not UTF-8");
  });

  it("names what is wrong with a tensor before anything is allocated", () => {
    const float = intField(2, 1);
    refused(
      tensorBytes(intField(1, 2 ** 40), float, bytesField(9, new Uint8Array(4))),
      "has 4 bytes where float32",
    );
    refused(tensorBytes(intField(1, 2 ** 40), float), "has 0 elements where [1099511627776] takes");
    refused(tensorBytes(intField(1, 2 ** 40), intField(1, 2 ** 40), float), "beyond 2^53 bytes");
    refused(tensorBytes(intField(1, -1), float), "negative shape [-1]");
    const huge = bytesField(1, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f));
    refused(tensorBytes(huge, float), "beyond 2^53");
    refused(tensorBytes(intField(2, 8)), "data type 8");
    refused(tensorBytes(intField(2, 1), bytesField(4, new Uint8Array(3))), "ends within a number");
    refused(
      graphOf([
        messageField(5, [textField(8, "t"), float, floatField(4, 1)]),
        messageField(5, [textField(8, "t"), float, floatField(4, 1)]),
      ]),
      'initializer "t" twice',
    );
  });

  it("lets no external file leave the folder", () => {
    const never = (): Uint8Array => {
      throw new Error("asked for the file");
    };
    const at = (location: string): Uint8Array => externalTensor({ location, offset: "0", length: "4" });
    refused(at("/etc/passwd"), "is absolute", never);
    refused(at("C:/x"), "is absolute", never);
    refused(at("../x"), 'contains ".."', never);
    refused(at("a/../../x"), 'contains ".."', never);
    refused(at("a\0b"), "contains NUL", never);
    refused(at("..\\x"), "contains a backslash", never);
    refused(externalTensor({}), "is empty", never);
    refused(at("d"), "was not given");
  });

  it("checks the extent of external data", () => {
    const four = (): Uint8Array => Uint8Array.of(1, 2, 3, 4);
    const at = (more: Readonly<Record<string, string>>): Uint8Array =>
      externalTensor({ location: "d", ...more });
    expect(decodeOnnx(at({}), { external: four }).graph.initializers[0]!.tensor.data).toEqual(four());
    refused(at({ offset: "1", length: "4" }), "lies at 1..5", four);
    refused(at({ offset: "9007199254740991" }), "which ends at 4", four);
    refused(at({ offset: "-1" }), "no size within 2^53", four);
    refused(at({ offset: "9007199254740993" }), "no size within 2^53", four);
    refused(at({ offset: "0x1" }), "no size within 2^53", four);
    refused(at({ length: "3" }), "takes 3 external bytes", four);
    refused(at({ basepath: "/" }), 'key "basepath"', four);
    refused(externalTensor({ location: "d" }, bytesField(9, four())), "both raw and external", four);
    refused(
      tensorBytes(intField(2, 2), messageField(13, [textField(1, "location")])),
      "not marked EXTERNAL",
      four,
    );
  });

  it("refuses attributes that it cannot keep", () => {
    const node = (...parts: Encoded[]): Uint8Array =>
      graphOf([messageField(1, [messageField(5, [textField(1, "a"), ...parts])])]);
    refused(node(intField(20, 5)), "type 5, which is not supported");
    refused(node(intField(20, 2)), '"a" has no value');
    refused(node(messageField(6, []), intField(20, 5)), "field 6, which is not supported");
    const wide = bytesField(8, Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f));
    refused(node(wide, intField(20, 7)), "holds 9223372036854775807, beyond 2^53");
  });
});
