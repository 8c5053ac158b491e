/** anneal verify as a user runs it, on a small folder: Node, and Chromium with WebAssembly and WebGPU. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeOnnx } from "../../src/formats/onnx/onnx.ts";
import { decodeOnnx } from "../../src/formats/onnx/read.ts";
import type { ParityFile } from "../../src/ship/verify/verify.ts";
import { anneal, annealHere, onlyJson } from "../e2e/command.ts";
import { noBrowser, tinyModel, writeModel } from "./folders.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-verify-"));
const folder = join(dir, "model");

beforeAll(async () => {
  await writeModel(folder, tinyModel("gpt2"), ["fp32", "q8", "q4"]);
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A copy to damage. */
const copyOf = (name: string): string => {
  const copy = join(dir, name);
  cpSync(folder, copy, { recursive: true });
  return copy;
};
const written = (of: string): ParityFile => JSON.parse(readFileSync(join(of, "parity.json"), "utf8"));
const cardOf = (of: string): string => readFileSync(join(of, "README.md"), "utf8");
const verify = (of: string, ...more: string[]) => annealHere(["verify", of, "--count", "2", ...more]);
/** In software a token takes long: one prompt tells as much. */
const one = ["--count", "1"];
/** The same in a process of its own, with what is to stand in its environment. */
const apart = (of: string, more: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  anneal(["verify", of, "--count", "2", ...more], { env });

/** Multiplies the scales of every int8 matrix of a graph by `factor`. */
const damage = (file: string, factor: number): void => {
  const model = decodeOnnx(readFileSync(file));
  for (const { name, tensor } of model.graph.initializers) {
    if (!/\.scale\d*$/.test(name)) continue;
    const scales = tensor.data as Float32Array;
    scales.set(scales.map((x) => x * factor));
  }
  writeFileSync(file, encodeOnnx(model).model);
};

describe("in Node", () => {
  it("passes what is sound, writes parity.json and the card, and says what was not looked at", async () => {
    const finished = await verify(folder, "--target", "node-cpu", "--json");
    expect(finished.code, finished.stdout + finished.stderr).toBe(0);
    const { targets } = onlyJson<ParityFile>(finished);
    expect(written(folder)).toEqual(onlyJson(finished));
    expect(targets["node-cpu"]).toMatchObject({ status: "passed" });
    const { fp32, q8, q4 } = targets["node-cpu"]!.dtypes;
    expect(fp32).toMatchObject({ status: "passed", greedyAgreement: 1, firstTokenAgreement: 1, tokens: 32 });
    expect(fp32!.maxLogitDiff).toBeLessThan(1e-4);
    expect(q8!.maxLogitDiff).toBeGreaterThan(fp32!.maxLogitDiff!);
    expect(q4!.cosine).toBeLessThan(q8!.cosine!);
    for (const { loadMs, firstTokenMs, tokensPerSec, memoryBytes } of [fp32!, q8!, q4!]) {
      for (const figure of [loadMs, firstTokenMs, tokensPerSec, memoryBytes])
        expect(figure).toBeGreaterThan(0);
    }
    expect(targets["web-wasm"]).toMatchObject({
      status: "not checked",
      reason: expect.stringContaining("not asked for"),
    });
    expect(cardOf(folder)).toMatch(/\| node-cpu \| q8 \| passed \| 0\.0\d+ \| 0\.99\d+ \|/);
    expect(cardOf(folder)).toContain("| web-wasm |  | not checked |");
  });

  it("fails a damaged graph, names the dtype to use instead, and exits with 1", async () => {
    const copy = copyOf("damaged");
    writeFileSync(join(copy, "README.md"), "# Mine\n\nText that stays.\n");
    damage(join(copy, "onnx/model_quantized.onnx"), 3);
    const finished = await verify(copy, "--target", "node-cpu");
    expect(finished.code, finished.stderr).toBe(1);
    expect(finished.stdout).toMatch(
      /node-cpu q8 fails \(cosine 0\.\d+, at least 0\.\d+ is needed\): use fp32 there/,
    );
    const { status, dtypes } = written(copy).targets["node-cpu"]!;
    expect({ status, q8: dtypes.q8!.status, instead: dtypes.q8!.instead }).toEqual({
      status: "failed",
      q8: "failed",
      instead: "fp32",
    });
    expect(dtypes.q4!.status).toBe("passed");
    expect(cardOf(copy)).toMatch(/^# Mine\n\nText that stays\.\n\n## Parity\n/);
    expect(cardOf(copy)).toContain("| node-cpu | q8 | failed: use fp32 |");
    // Made whole again: the table is replaced, not added to, and only the dtype asked for is tried.
    cpSync(join(folder, "onnx/model_quantized.onnx"), join(copy, "onnx/model_quantized.onnx"));
    expect(await verify(copy, "--target", "node-cpu", "--dtype", "q8")).toMatchObject({ code: 0 });
    expect(cardOf(copy).match(/## Parity/g)).toHaveLength(1);
    expect(written(copy).targets["node-cpu"]).toMatchObject({
      status: "passed",
      dtypes: { fp32: { status: "passed" }, q8: { status: "passed" }, q4: { status: "passed" } },
    });
  });

  it("fails numbers that are not finite", async () => {
    const copy = copyOf("nan");
    rmSync(join(copy, "parity.json"), { force: true });
    damage(join(copy, "onnx/model_quantized.onnx"), Number.NaN);
    const finished = await verify(copy, "--target", "node-cpu", "--dtype", "q8");
    expect(finished).toMatchObject({ code: 1 });
    expect(finished.stdout).toContain("node-cpu q8 fails (it computes numbers that are not finite)");
    expect(finished.stdout).toContain("none that was tried passes there");
    // With others that pass, one of them is named.
    const both = await verify(copy, "--target", "node-cpu", "--dtype", "fp32");
    expect(both.code).toBe(0);
    expect(both.stdout).toContain("(it computes numbers that are not finite): use fp32 there");
  });

  it("fails a file that is no graph", async () => {
    const copy = copyOf("torn");
    const file = join(copy, "onnx/model_q4.onnx");
    writeFileSync(file, readFileSync(file).subarray(0, 2000));
    const finished = await verify(copy, "--target", "node-cpu");
    expect(finished).toMatchObject({ code: 1 });
    expect(finished.stdout).toMatch(/node-cpu q4 fails \(.*\): use q8 there/);
  });

  it.each(["bert", "marian"] as const)("compares the graphs of %s", async (family) => {
    const other = await writeModel(join(dir, family), tinyModel(family), ["fp32", "q8"]);
    const finished = await verify(other, "--target", "node-cpu", "--json");
    expect(finished.code, finished.stdout + finished.stderr).toBe(0);
    const { fp32, q8 } = onlyJson<ParityFile>(finished).targets["node-cpu"]!.dtypes;
    expect(fp32!.maxLogitDiff! / fp32!.scale!).toBeLessThan(1e-5);
    expect(q8!.maxLogitDiff).toBeGreaterThan(fp32!.maxLogitDiff!);
    if (family === "bert") expect(fp32).toMatchObject({ tokens: 0, runMs: expect.any(Number) });
    else expect(fp32).toMatchObject({ tokens: 32, firstTokenAgreement: 1, greedyAgreement: 1 });
    damage(join(other, `onnx/${family === "bert" ? "model" : "decoder_model_merged"}_quantized.onnx`), 3);
    expect(await verify(other, "--target", "node-cpu", "--dtype", "q8")).toMatchObject({ code: 1 });
  });

  it("reads prompts from a file", async () => {
    const file = join(dir, "prompts.txt");
    writeFileSync(file, "The quiet river holds\nThe old lamp\n");
    const args = ["--target", "node-cpu", "--dtype", "fp32", "--prompts", file, "--json"];
    expect((await verify(folder, ...args)).code).toBe(0);
    writeFileSync(file, "\n\n");
    expect(await verify(folder, ...args)).toMatchObject({ code: 3 });
    expect(await verify(folder, "--prompts", join(dir, "none.txt"))).toMatchObject({ code: 3 });
  });

  it("refuses targets, dtypes and folders that there are not", async () => {
    const target = await verify(folder, "--target", "node-gpu");
    expect(target).toMatchObject({ code: 2, stderr: expect.stringContaining("node-cpu, node-webgpu") });
    const dtype = await verify(folder, "--dtype", "q8,q5");
    expect(dtype).toMatchObject({ code: 2, stderr: expect.stringContaining("q5") });
    const absent = await verify(folder, "--target", "node-cpu", "--dtype", "fp16");
    expect(absent).toMatchObject({ code: 3, stderr: expect.stringContaining("no graph of fp16") });
    expect(await verify(join(dir, "nowhere"))).toMatchObject({ code: 3 });
  });

  it("reports a page as not checked where there is no browser: 4 where it was asked for by name", async () => {
    const finished = await verify(folder, "--target", "web-wasm", "--browser", "/no/chromium", "--json");
    expect(finished.code, finished.stderr).toBe(4);
    expect(onlyJson<ParityFile>(finished).targets["web-wasm"]).toEqual({
      title: "onnxruntime-web in Chromium, WebAssembly",
      status: "not checked",
      reason: "/no/chromium: there is no browser here",
      hint: expect.stringContaining("apt install chromium"),
      dtypes: {},
    });
    const text = await verify(folder, "--target", "node-cpu,web-wasm", "--browser", "/no/chromium");
    expect(text.code).toBe(4);
    expect(text.stdout).toMatch(/^web-wasm +not checked/m);
    expect(text.stdout).not.toMatch(/web-wasm.*passed/);
  });
});

const icd = "/usr/lib/chromium/vk_swiftshader_icd.json";

describe.skipIf(!existsSync(icd))("on WebGPU in Node", () => {
  const software = { LD_LIBRARY_PATH: dirname(icd), VK_DRIVER_FILES: icd, XDG_RUNTIME_DIR: dir };

  it("passes where there is an adapter", async () => {
    const asked = ["--target", "node-webgpu", "--dtype", "fp32", "--json", ...one];
    const finished = await apart(folder, asked, software);
    expect(finished.code, finished.stdout + finished.stderr).toBe(0);
    const { "node-webgpu": found } = onlyJson<ParityFile>(finished).targets;
    expect(found).toMatchObject({
      status: "passed",
      engine: expect.stringContaining("onnxruntime-node webgpu"),
      dtypes: { fp32: { status: "passed", greedyAgreement: 1 } },
    });
  });
});

describe.skipIf(noBrowser !== undefined)(
  `in Chromium${noBrowser === undefined ? "" : `: ${noBrowser}`}`,
  () => {
    it("passes on WebAssembly", async () => {
      const finished = await verify(folder, "--target", "web-wasm", "--json", ...one);
      expect(finished.code, finished.stdout + finished.stderr).toBe(0);
      const found = onlyJson<ParityFile>(finished).targets["web-wasm"]!;
      expect(found).toMatchObject({
        status: "passed",
        engine: expect.stringContaining("onnxruntime-web wasm"),
        device: expect.stringMatching(/^Chromium \d+/),
      });
      expect(Object.keys(found.dtypes)).toEqual(["fp32", "q8", "q4"]);
      expect(found.dtypes.fp32).toMatchObject({ greedyAgreement: 1 });
      expect(found.dtypes.fp32!.maxLogitDiff).toBeLessThan(1e-4);
      expect(found.dtypes.q8!.memoryBytes).toBeGreaterThan(1e6);
    });

    it("finds weights beside the graphs, of an encoder and decoder", async () => {
      const beside = { inlineLimitBytes: 1000 };
      const other = await writeModel(join(dir, "beside"), tinyModel("t5"), ["fp32"], beside);
      expect(existsSync(join(other, "onnx/decoder_model_merged.onnx_data"))).toBe(true);
      const finished = await verify(other, "--target", "node-cpu,web-wasm", "--json", ...one);
      expect(finished.code, finished.stdout + finished.stderr).toBe(0);
      const { targets } = onlyJson<ParityFile>(finished);
      for (const target of ["node-cpu", "web-wasm"] as const) {
        expect(targets[target]!.dtypes.fp32).toMatchObject({ status: "passed", greedyAgreement: 1 });
      }
    });

    it("does not compute in software where WebGPU is not asked for by name, and the runtime says nothing", async () => {
      const finished = await apart(folder, ["--dtype", "fp32", "--quiet", "--json", ...one]);
      expect(finished.stderr).not.toMatch(/onnxruntime|\[W:|\[E:/);
      const { device, hint = "" } = onlyJson<ParityFile>(finished).targets["web-webgpu"]!;
      if (device === undefined) expect(hint).toContain("--target web-webgpu, by name");
      else expect(device).not.toMatch(/swiftshader|llvmpipe/i);
    });

    it("passes on WebGPU, and fails there what is damaged", async () => {
      const copy = copyOf("gpu");
      damage(join(copy, "onnx/model_quantized.onnx"), 3);
      const finished = await verify(copy, "--target", "web-webgpu", "--dtype", "fp32,q8", "--json", ...one);
      expect(finished.code, finished.stdout + finished.stderr).toBe(1);
      const found = onlyJson<ParityFile>(finished).targets["web-webgpu"]!;
      expect(found).toMatchObject({
        status: "failed",
        engine: expect.stringContaining("onnxruntime-web webgpu"),
        dtypes: { fp32: { status: "passed", greedyAgreement: 1 }, q8: { status: "failed", instead: "fp32" } },
      });
      expect(found.dtypes.fp32!.maxLogitDiff).toBeLessThan(1e-3);
    });
  },
);
