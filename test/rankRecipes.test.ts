/** Sweeps and data on ranks: each has trials or files of its own, and the result is that of one process. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { defaults, type RunOptions } from "../src/recipes/config/options.ts";
import { silent } from "../src/recipes/context/ui.ts";
import { prepareData, prepareOnRanks } from "../src/recipes/data/data.ts";
import { readTrials } from "../src/recipes/sweep/log.ts";
import { sweep } from "../src/recipes/sweep/sweep.ts";
import { categorical, float } from "../src/search/space/space.ts";
import { writeCorpus } from "./e2e/command.ts";
import { localRanks } from "./localRanks.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-sweep-ranks-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
writeCorpus(join(dir, "data"), 40);

const space = {
  "train.lrPeak": float(1e-4, 3e-2, { log: true }),
  "model.n_head": categorical([1, 2, 3], { ordered: true }),
};
const base = (out: string): RunOptions => ({
  ...defaults,
  ...{ out: join(dir, out), threads: 1, tokenizer: { kind: "char", vocab: 64 } },
  data: { ...defaults.data, paths: [join(dir, "data")], rules: [], near: "off", lines: "off" },
  model: { ...defaults.model, n_layer: 1, n_head: 2, n_embd: 16, n_positions: 16 },
  train: { ...defaults.train, steps: 4, batch: 4, warmup: 2, optimizer: "adamw" },
});
const hooks = { ui: silent, command: "npx anneal sweep" };
const options = (trials: number) => ({ space, trials, sampler: "random", stops: false }) as const;
const trialsIn = (out: string) =>
  readTrials(join(dir, out))
    .map(({ seconds: _, ...rest }) => rest)
    .sort((a, b) => a.number - b.number);

const onRanks = (count: number, out: string, trials: number, resume: boolean) =>
  Promise.all(
    localRanks(count).map((collective) =>
      sweep(base(out), options(trials), { ...hooks, resume, ranks: { collective, watch: () => {} } }),
    ),
  );

test("two ranks, then three that go on, make the trials of one process", async () => {
  await sweep(base("alone"), options(5), hooks);
  const [first, other] = await onRanks(2, "ranks", 3, false);
  expect(other).toBeUndefined();
  expect(first!.trials).toHaveLength(3);
  const [all] = await onRanks(3, "ranks", 5, true);
  expect(trialsIn("ranks")).toEqual(trialsIn("alone"));
  expect(trialsIn("ranks").some(({ state }) => state === "failed")).toBe(true);
  expect(readdirSync(all!.path!)).toContain("model.safetensors");
});

test("two ranks prepare the bytes of one process, each from its share of the files", async () => {
  const texts = join(dir, "texts");
  writeCorpus(texts, 30);
  for (const i of [1, 2, 3])
    writeFileSync(join(texts, `more-${i}.txt`), `${"words of file "}${i}\n`.repeat(40));
  const given = (out: string): RunOptions => ({
    ...{ ...base(out), data: { ...base(out).data, paths: [texts] } },
    tokenizer: { kind: "bpe", vocab: 260 },
  });
  const one = await prepareData(given("one"), hooks);
  const [two, other] = await Promise.all(
    localRanks(2).map((collective) => prepareOnRanks(given("two"), hooks, { collective, watch: () => {} })),
  );
  expect(other).toBeUndefined();
  expect(two!.files).toEqual(one!.files);
  for (const file of one!.files.filter((name) => !name.startsWith("report"))) {
    const [a, b] = ["one", "two"].map((out) => readFileSync(join(dir, out, file), "utf8"));
    expect(b!.replaceAll(join(dir, "two"), join(dir, "one")), file).toBe(a);
  }
});
