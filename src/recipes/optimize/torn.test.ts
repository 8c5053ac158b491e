/** A search whose process ends after any line that it has written: the next goes on to the same trials. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { calibrationBatches } from "../../compress/calibration/batches.ts";
import type { Engine } from "../../engine/engine.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import type { TrialRecord } from "../../search/candidates/candidate.ts";
import { optimize } from "../../search/candidates/optimize.ts";
import { isCut } from "../../search/candidates/space.ts";
import { SIZE } from "../../search/figures.ts";
import { categorical } from "../../search/space/space.ts";
import { judgeOn } from "./judge.ts";
import { corpus, modelOf, optionsOf, tokens } from "./optimize.fixture.ts";
import { openStore } from "./store.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-torn-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const whole = modelOf(1, 4);
const texts = [Array.from(tokens)];
const open = (run: string) => openStore({ run, identity: {}, resume: true, whole, onWarning: () => {} });
const logOf = (run: string): string => join(run, "search", "trials.jsonl");

/** A search of mild and chosen cuts under a limit on size that refuses some forms of each. */
const search = async (run: string): Promise<readonly TrialRecord[]> => {
  const budget = [
    { figure: SIZE, most: 150_000 },
    { figure: "lost", most: 100 },
  ];
  const { records } = await optimize(
    whole,
    {
      ...optionsOf(budget, judgeOn(engine, corpus)),
      ...{ sampler: "bayes", trials: 4, spares: true, keeping: await open(run) },
      space: {
        layers: categorical([4, 2], { ordered: true }),
        neurons: categorical([1, 0.5], { ordered: true }),
        steps: categorical([0, 2], { ordered: true, when: (values) => isCut(values, 4) }),
        dtype: categorical(["fp32", "q8", "q4"]),
      },
      batches: calibrationBatches(whole, texts, 64),
    },
    { engine, seed: 3, calibration: texts, log: () => {} },
  );
  return records;
};

const told = (records: readonly TrialRecord[]) =>
  records.map(({ number, name, stage, why, rungs, candidate, parity }) => ({
    ...{ number, name, stage, why, rungs, score: candidate?.score, sha256: parity?.sha256 },
  }));

test("ends in the same trials, by the same numbers", async () => {
  const at = join(dir, "whole");
  const found = told(await search(at));
  expect(new Set(found.map(({ stage }) => stage)).size).toBeGreaterThan(1);
  const lines = readFileSync(logOf(at), "utf8").trimEnd().split("\n");
  for (let count = 0; count < lines.length; count++) {
    const torn = join(dir, `torn-${count}`);
    mkdirSync(join(torn, "search"), { recursive: true });
    cpSync(join(at, "search", "study.json"), join(torn, "search", "study.json"));
    writeFileSync(
      logOf(torn),
      lines
        .slice(0, count)
        .map((line) => `${line}\n`)
        .join(""),
    );
    expect(told(await search(torn)), `after ${count} of ${lines.length} lines`).toEqual(found);
    rmSync(torn, { recursive: true });
  }
}, 600_000);
