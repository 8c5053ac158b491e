/** Trials that end the process, and measurements that hang: they are noted, and the search goes on. */
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { targets } from "../../node/targets/index.ts";
import { optimize } from "../../search/candidates/optimize.ts";
import { SIZE } from "../../search/figures.ts";
import { categorical } from "../../search/space/space.ts";
import { judgeOn } from "./judge.ts";
import { corpus, modelOf, optionsOf } from "./optimize.fixture.ts";
import { withPlaces } from "./places.ts";
import { openStore } from "./store.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-faults-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test("what ended the process three times, as where memory runs out, has failed, and others are tried", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const whole = modelOf(1, 4);
  const store = () => openStore({ run: dir, identity: {}, resume: true, whole, onWarning: () => {} });
  await store();
  const values = { layers: 3, dtype: "fp32" };
  for (let time = 0; time < 3; time++) {
    appendFileSync(join(dir, "search", "trials.jsonl"), `${JSON.stringify({ begins: 1, values })}\n`);
  }
  const found = await optimize(
    whole,
    {
      ...optionsOf([{ figure: "lost", most: 100 }], judgeOn(engine, corpus)),
      space: { layers: categorical([4, 3, 2]), dtype: categorical(["fp32"]) },
      keeping: await store(),
    },
    { engine, seed: 1, log: () => {} },
  );
  const told = found.records.map(({ name, stage, why }) => [name, stage, why]);
  expect(told.toSorted()).toEqual([
    ["2-layer pruned fp32", "measured", undefined],
    ["3-layer pruned fp32", "failed", "the process ended in it 3 times, as where memory runs out"],
    ["full fp32", "measured", undefined],
  ]);
});

test("a process that hangs is ended, and what it measured has a fault", async () => {
  const place = targets["node-cpu"];
  const impatient = {
    ...place,
    open: (asked: Parameters<typeof place.open>[0]) => place.open({ ...asked, timeoutMs: 1 }),
  };
  const turns = () => ({ count: 1, mostMs: 0 });
  const where = { targets: { "node-cpu": impatient }, threads: 1, vocab: 258, turns };
  const found = await withPlaces(where, ({ probe }) => probe(modelOf(1)));
  expect(found.fault).toBe("does not run on node-cpu: the process took longer than 0.001 s");
  expect(Object.keys(found.figures)).toEqual([SIZE]);
});
