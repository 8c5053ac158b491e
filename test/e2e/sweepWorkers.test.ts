/** A sweep by several processes: each trial once, and what a killed one was at is taken over. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { anneal, lineCount, start, until, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-sweep-workers-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
writeCorpus(join(dir, "data"), 150);

const words = (out: string, trials: number, steps: number): string[] => [
  ...["sweep", "--data", join(dir, "data"), "--out", join(dir, out), "--trials", String(trials)],
  ..."--layers 1 --heads 2 --width 16 --context 16 --vocab 280 --near off --batch 2 --no-stop".split(" "),
  ...["--steps", String(steps), "--checkpoint-every", "5", "--search", "lr=1e-4..1e-2"],
  ..."--sampler random --threads 1".split(" "),
];

interface Line {
  readonly number: number;
  readonly state: string;
  readonly steps?: number;
  readonly objectives?: readonly number[];
}
const logIn = (out: string): Line[] =>
  readFileSync(join(dir, out, "trials.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const endsIn = (out: string) =>
  logIn(out)
    .filter(({ state }) => state !== "running")
    .map(({ number, objectives }) => [number, objectives])
    .sort(([a], [b]) => Number(a) - Number(b));

test("two processes run each trial once, and find what one does", async () => {
  const [alone, two] = await Promise.all([
    anneal(words("alone", 6, 20)),
    anneal([...words("two", 6, 20), "--workers", "2", "--json"]),
  ]);
  expect(alone.code, alone.stderr).toBe(0);
  expect(two.code, two.stderr).toBe(0);
  const begun = logIn("two").filter(({ state }) => state === "running");
  expect(begun.map(({ number }) => number).sort()).toEqual([0, 1, 2, 3, 4, 5]);
  expect(endsIn("two")).toEqual(endsIn("alone"));
  expect(JSON.parse(two.stdout).trials).toHaveLength(6);
  expect(readdirSync(join(dir, "two", "trial-0"))).not.toContain("lock");
});

test("one that joins and is killed leaves its trial to the other", async () => {
  const first = start(words("killed", 4, 300));
  const other = start([...words("killed", 4, 300), "--join"]);
  const log = join(dir, "killed", "trials.jsonl");
  expect(await until(() => lineCount(log) >= 2, first.finished)).toBe(true);
  const lock = (trial: number): { readonly pid: number } =>
    JSON.parse(readFileSync(join(dir, "killed", `trial-${trial}`, "lock"), "utf8"));
  const own = [0, 1].find((trial) => lock(trial).pid === other.child.pid)!;
  const metrics = join(dir, "killed", `trial-${own}`, "run", "metrics.jsonl");
  expect(await until(() => lineCount(metrics) > 12, other.finished)).toBe(true);
  other.child.kill("SIGKILL");
  await other.finished;
  const { code, stderr } = await first.finished;
  expect(code, stderr).toBe(0);
  const counts = [0, 1, 2, 3].map(
    (trial) => logIn("killed").filter(({ number, state }) => number === trial && state === "running").length,
  );
  expect(counts).toEqual([0, 1, 2, 3].map((trial) => (trial === own ? 2 : 1)));
  expect(endsIn("killed").map(([number]) => number)).toEqual([0, 1, 2, 3]);
  const ended = logIn("killed").find(({ number, state }) => number === own && state !== "running")!;
  expect([ended.state, ended.steps]).toEqual(["complete", 300]);
});

test("one that joins another sweep is refused, and leaves where the first is gone", async () => {
  const first = start(words("left", 4, 3000));
  const log = join(dir, "left", "trials.jsonl");
  expect(await until(() => lineCount(log) >= 1, first.finished)).toBe(true);
  const wrong = await anneal([...words("left", 4, 3000), "--seed", "5", "--join"]);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('"options.seed"')]);
  const other = start([...words("left", 4, 3000), "--join"]);
  expect(await until(() => lineCount(log) >= 2, other.finished)).toBe(true);
  first.child.kill("SIGKILL");
  const { code, stderr } = await other.finished;
  expect(code).toBe(0);
  expect(stderr).toContain("is gone");
  expect(logIn("left").at(-1)).toMatchObject({ state: "running", paused: true });
});
