import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { OnnxAttr } from "../../ir/op.ts";
import { type Tensor, tensor, tensorOf } from "../../ir/tensor.ts";
import { FormatError } from "../../util/errors.ts";
import { bias, catchError, D, joined, linear, weight } from "./onnx.fixture.ts";
import { encodeOnnx, type OnnxModel } from "./onnx.ts";
import { decodeOnnx } from "./read.ts";

const x = Float32Array.from({ length: 2 * 3 * D }, (_, i) => Math.fround(Math.sin(i)));

const expected = (): number[] => {
  const w = weight.data as Float32Array;
  const b = bias.data as Float32Array;
  return Array.from({ length: 2 * 3 * D }, (_, i) => {
    const row = Math.floor(i / D);
    const terms = Array.from({ length: D }, (_, k) => x[row * D + k]! * w[k * D + (i % D)]!);
    return terms.reduce((sum, t) => sum + t, b[i % D]!);
  });
};

const runLinear = async (session: InferenceSession): Promise<void> => {
  const { y } = await session.run({ x: new OrtTensor("float32", x, [2, 3, D]) });
  expect(y!.dims).toEqual([2, 3, D]);
  const want = expected();
  Array.from(y!.data as Float32Array).forEach((value, i) => {
    expect(value).toBeCloseTo(want[i]!, 4);
  });
  await session.release();
};

const big = (megabytes: number): Tensor =>
  tensor("uint8", [megabytes * 2 ** 20], new Uint8Array(megabytes * 2 ** 20));

const withInitializers = (initializers: OnnxModel["graph"]["initializers"]): OnnxModel => ({
  ...linear,
  graph: { ...linear.graph, initializers },
});

describe("encodeOnnx", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "anneal-onnx-"));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it("makes a model that onnxruntime runs, with weights inside", async () => {
    const { model, external } = encodeOnnx(linear);
    expect(external).toBeUndefined();
    await runLinear(await InferenceSession.create(model));
  });

  it("makes a model that onnxruntime runs, with weights in a file beside it", async () => {
    const { model, external } = encodeOnnx(linear, {
      externalFile: "m.onnx_data",
      externalThresholdBytes: 64,
    });
    expect(external!.map((chunk) => chunk.length)).toEqual([4096, 128]);
    expect(model.length).toBeLessThan(1024);
    writeFileSync(join(folder, "m.onnx"), model);
    writeFileSync(join(folder, "m.onnx_data"), joined(external!));
    await runLinear(await InferenceSession.create(join(folder, "m.onnx")));
  });

  it("aligns external tensors to pages by padding chunks, in the order of the graph", async () => {
    const small = tensorOf("float32", [3], [1, 2, 3]);
    const m = withInitializers([
      { name: "b", tensor: bias },
      { name: "s", tensor: small },
      { name: "w", tensor: weight },
    ]);
    const { model, external } = encodeOnnx(m, { externalFile: "d", externalThresholdBytes: 12 });
    expect(external!.map((chunk) => chunk.length)).toEqual([128, 4096 - 128, 4096]);
    expect(external![0]!.buffer).toBe(bias.data.buffer);
    expect(decodeOnnx(model, { external: () => joined(external!) })).toEqual(m);
    writeFileSync(join(folder, "p.onnx"), model);
    writeFileSync(join(folder, "d"), joined(external!));
    await runLinear(await InferenceSession.create(join(folder, "p.onnx")));
  });

  it("makes no external file where nothing is above the threshold", () => {
    const { external } = encodeOnnx(linear, { externalFile: "d", externalThresholdBytes: 4096 });
    expect(external).toBeUndefined();
  });

  it("gives equal bytes for equal models, whatever the order of their records", () => {
    const turned = { ...linear, metadata: { größe: "✓", task: "test" } };
    expect(encodeOnnx(turned).model).toEqual(encodeOnnx(linear).model);
  });

  it("refuses a model beyond 2 GiB - 1 and says to give externalFile", () => {
    const shared = big(64);
    const m = withInitializers(Array.from({ length: 32 }, (_, i) => ({ name: `w${i}`, tensor: shared })));
    const error = catchError(() => encodeOnnx(m));
    expect(error.message).toContain("at most 2147483647");
    expect(error.details.hint).toBe("give externalFile");
    const { external } = encodeOnnx(m, { externalFile: "d" });
    expect(external).toHaveLength(32);
  });

  it("takes a model of exactly maxBytes and none of one byte more", () => {
    const { length } = encodeOnnx(linear).model;
    expect(encodeOnnx(linear, { maxBytes: length }).model).toHaveLength(length);
    expect(() => encodeOnnx(linear, { maxBytes: length - 1 })).toThrow(FormatError);
  });

  it("refuses what it cannot write faithfully", () => {
    const node = linear.graph.nodes[0]!;
    const withAttr = (attr: OnnxAttr): OnnxModel => ({
      ...linear,
      graph: { ...linear.graph, nodes: [{ ...node, attrs: { a: attr } }] },
    });
    expect(() => encodeOnnx(withAttr({ int: 0.5 }))).toThrow("0.5 is not an integer");
    expect(() => encodeOnnx(withAttr({ ints: [2 ** 53] }))).toThrow("within 2^53");
    expect(() => encodeOnnx(withAttr({ string: "\ud800" }))).toThrow("not well-formed");
    const torn = { dtype: "float32", shape: [3], data: new Float32Array(2) } as const;
    expect(() => encodeOnnx(withInitializers([{ name: "w", tensor: torn }]))).toThrow(
      'tensor "w": has 8 bytes',
    );
    for (const externalFile of ["../x", "/x", "a\\b", "a\0b", ""]) {
      expect(() => encodeOnnx(linear, { externalFile })).toThrow('field "externalFile"');
    }
  });
});
