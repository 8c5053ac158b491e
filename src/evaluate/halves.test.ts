import { beforeAll, expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { halvesFault } from "./halves.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

/** The engine with what it computes changed. */
const changed = (change: (data: Float32Array) => Float32Array): Engine => ({
  ...engine,
  async load(model, options) {
    const session = await engine.load(model, options);
    return {
      ...session,
      run: async (feeds) => {
        const { y } = await session.run(feeds);
        return { y: { ...y!, data: change(y!.data as Float32Array) } };
      },
    };
  },
});

test("a device that computes in float16 has no fault, and float16 is not that exact", async () => {
  expect(await halvesFault(engine)).toBeUndefined();
});

test("numbers that are wrong, not numbers, or of another row are told", async () => {
  const zeros = changed((data) => data.map(() => 0));
  expect(await halvesFault(zeros)).toMatch(/a product in float16 is off by/);
  expect(await halvesFault(changed((data) => data.fill(Number.NaN, 3, 4)))).toMatch(/off by Infinity/);
  expect(await halvesFault(changed((data) => data.slice().reverse()))).toMatch(/off by/);
});

test("a device that refuses says why", async () => {
  const refusing = { ...engine, load: () => Promise.reject(new Error("no shader-f16\nat ...")) };
  expect(await halvesFault(refusing)).toBe("no shader-f16");
});
