import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { knownKernels } from "../node/runtime/kernelCache.ts";
import { checkKernels, type Kernel } from "./kernels.ts";

const usual: Kernel = { bits: 4, block: 32, zeros: true, accuracy: 4 };

test("the form that q4 has computes what its codes say, and what it takes is kept", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const dir = mkdtempSync(join(tmpdir(), "anneal-kernels-"));
  let loads = 0;
  const counting: Engine = { ...engine, load: (...given) => engine.load(...given).finally(() => loads++) };
  try {
    const [found] = await knownKernels(counting, [usual], dir);
    expect(["sound", "slow"]).toContain(found!.status);
    expect(found).toMatchObject({ ...usual, ms: expect.any(Number) });
    const after = loads;
    expect(await knownKernels(counting, [usual], dir)).toEqual([found]);
    expect(loads).toBe(after);
    const [file] = readdirSync(dir);
    writeFileSync(join(dir, file!), "{ torn");
    await knownKernels(counting, [usual], dir);
    expect(JSON.parse(readFileSync(join(dir, file!), "utf8"))).toMatchObject({});
    expect(loads).toBeGreaterThan(after);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test("a form whose numbers are wrong, one that is slow and one that is refused say why", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const wrong: Engine = {
    ...engine,
    load: async (...given) => {
      const session = await engine.load(...given);
      const run = async (feeds: Parameters<typeof session.run>[0]) => {
        const out = await session.run(feeds);
        for (const { data } of Object.values(out)) (data as Float32Array).fill(0.5);
        return out;
      };
      return { ...session, run, dispose: () => session.dispose() };
    },
  };
  const [off] = await checkKernels(wrong, [usual]);
  expect(off).toMatchObject({ status: "wrong", why: expect.stringMatching(/^its numbers are off by \d+ %/) });
  const refusing: Engine = {
    ...engine,
    load: async (model, options) => {
      if (Buffer.from(model as Uint8Array).includes("MatMulNBits")) throw new Error("Only 4b\nhere");
      return engine.load(model, options);
    },
  };
  expect(await checkKernels(refusing, [usual])).toMatchObject([{ status: "refused", why: "Only 4b" }]);
  let first = true;
  const slow: Engine = {
    ...engine,
    load: async (...given) => {
      const session = await engine.load(...given);
      const [late, isFirst] = [!first, first];
      first = false;
      const run = async (feeds: Parameters<typeof session.run>[0]) => {
        if (late && !isFirst && feeds.x!.shape[0] === 1) await new Promise((done) => setTimeout(done, 60));
        return session.run(feeds);
      };
      return { ...session, run, dispose: () => session.dispose() };
    },
  };
  const [late] = await checkKernels(slow, [usual]);
  expect(late).toMatchObject({
    status: "slow",
    why: expect.stringMatching(/^takes [\d.]+ ms where more bits take/),
  });
});
