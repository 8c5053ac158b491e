import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MissingError } from "../../util/errors.ts";
import { freeDisk, freeMemory, limitIn, requireDisk, requireHandles, requireMemory } from "./resources.ts";

const limits = `Limit                     Soft Limit           Hard Limit           Units
Max data size             unlimited            unlimited            bytes
Max open files            64                   4096                 files
Max address space         1073741824           unlimited            bytes
`;

test("limits are read by their names; what is not told is no limit", () => {
  expect(limitIn(limits, "Max open files")).toBe(64);
  expect(limitIn(limits, "Max address space")).toBe(2 ** 30);
  expect(limitIn(limits, "Max data size")).toBe(Number.POSITIVE_INFINITY);
  expect(limitIn("", "Max open files")).toBe(Number.POSITIVE_INFINITY);
});

test("too few file handles are told, with what is needed", () => {
  expect(() => requireHandles(limits)).toThrow(/64 files may be open at once, at least 192/);
  requireHandles(limits.replace(" 64 ", " 1024 "));
  requireHandles("");
});

test("memory that is not there is told, with what is needed", () => {
  expect(freeMemory()).toBeGreaterThan(0);
  requireMemory("work", 5e8, { free: 5e8 });
  expect(() => requireMemory("work", 1.2e9, { free: 5e8 })).toThrow(
    /work needs at least 1\.2 GB of memory, 500 MB are free/,
  );
});

test("room that is not there is told, also of a folder that is yet to be made", async () => {
  const dir = join(tmpdir(), "none/such/folder");
  expect(await freeDisk(dir)).toBeGreaterThan(0);
  await requireDisk("work", 1, dir);
  await expect(requireDisk("work", 1e30, dir)).rejects.toThrow(MissingError);
});
