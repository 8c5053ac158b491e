/** Some calls of whole verbs, killed and failed: `npm run faults -- VERB` tries as many as one has time for. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { faultsBelow, noFaults } from "../fuzz/faults/shim.ts";
import { ofEachKind, type Points, sweep } from "../fuzz/faults/sweep.ts";
import { permutation } from "../src/util/rng.ts";

/** A seeded choice of `count` faults. */
const some =
  (count: number): Points =>
  (calls) => {
    const all = ofEachKind(calls);
    return Array.from(permutation(all.length, 1, "faults").slice(0, count), (i) => all[i]!);
  };

test.skipIf(noFaults !== undefined).each([
  ["data", 5],
  ["train again", 3],
  ["export", 2],
])("%s leaves nothing half-done, and the next run ends well", async (name, count) => {
  const wrong: string[] = [];
  let tried = 0;
  for await (const { fault, done, what } of sweep(name, some(count))) {
    tried++;
    wrong.push(...what.map((each) => `call ${fault.at}, ${done}: ${each}`));
  }
  expect(wrong).toEqual([]);
  expect(tried).toBe(count);
});

test.skipIf(noFaults !== undefined)("a fault befalls the call of that number, and no other", async () => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-shim-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const path = join(dir, "program.mjs");
  writeFileSync(
    path,
    `import { writeFileSync, mkdirSync } from "node:fs";
     mkdirSync(${JSON.stringify(join(dir, "made"))});
     for (const name of ["a", "b"]) writeFileSync(${JSON.stringify(`${dir}/made/`)} + name, "1234");`,
  );
  const run = faultsBelow(dir);
  onTestFinished(run.dispose);
  const { calls } = await run([path]);
  expect(calls.map(({ op }) => op)).toEqual(["mkdir", "open", "write", "open", "write"]);
  rmSync(join(dir, "made"), { recursive: true });
  // A write that is killed is half done.
  expect(await run([path], { at: 5, act: "kill" })).toMatchObject({
    killedBy: "SIGKILL",
    done: { op: "write" },
  });
  expect(readFileSync(join(dir, "made/b"), "utf8")).toBe("12");
  rmSync(join(dir, "made"), { recursive: true });
  const failed = await run([path], { at: 2, act: "error", seed: 1 });
  expect(failed).toMatchObject({ code: 1, done: { what: "EACCES", op: "open" } });
  expect(failed.stderr).toContain("EACCES");
});
