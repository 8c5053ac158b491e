import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkMachine, instructionSets, supportsNode } from "./machine.ts";

test("supportsNode takes the versions of package.json's engines", () => {
  const versions = [
    "18.20.0",
    "20.18.9",
    "20.19.0",
    "21.7.0",
    "22.11.0",
    "22.12.0",
    "23.9.0",
    "24.0.0",
    "26.1.0",
  ];
  expect(versions.filter(supportsNode)).toEqual(["20.19.0", "22.12.0", "24.0.0", "26.1.0"]);
});

test("instructionSets reads x86 and Arm, and nothing from nothing", () => {
  const x86 =
    "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 avx512f avx512_vnni\n\nprocessor\t: 1\nflags\t\t: fpu amx_int8\n";
  expect(instructionSets(x86)).toEqual(["avx2", "avx512f", "avx512_vnni"]);
  expect(instructionSets("processor\t: 0\nFeatures\t: fp asimd asimddp\n")).toEqual(["asimd", "asimddp"]);
  expect(instructionSets("")).toEqual([]);
});

test("checkMachine runs a model and leaves nothing behind", async () => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-"));
  try {
    const checks = await checkMachine(dir);
    expect(checks.map(({ name }) => name)).toEqual(
      "node engine processor instructions memory disk writable webgpu".split(" "),
    );
    expect(checks.find(({ name }) => name === "engine")).toMatchObject({ status: "ok" });
    expect(checks.find(({ name }) => name === "writable")).toMatchObject({ status: "ok", found: dir });
    expect(readdirSync(dir)).toEqual([]);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("checkMachine warns of a folder that cannot be written", async () => {
  const dir = join(tmpdir(), "anneal-there-is-none");
  expect(existsSync(dir)).toBe(false);
  const checks = await checkMachine(dir);
  expect(checks.find(({ name }) => name === "writable")).toMatchObject({ status: "warn" });
  expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
});
