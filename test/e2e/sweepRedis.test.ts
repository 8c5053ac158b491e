/** A sweep by processes that share no folder, but a Redis: a real one, real processes, real kills. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anneal, filesBelow, lineCount, start, until, writeCorpus } from "./command.ts";
import { freePort, missing, type RedisServer, startRedis } from "./redis.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-sweep-redis-"));
const why = missing();
if (why !== "") console.warn(`no sweep over Redis is tested: ${why}`);
const PASSWORD = "s3cret/of:ours";

let redis: RedisServer;
const url = (name: string): string =>
  `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${redis.port}#${name}`;
beforeAll(async () => {
  if (why === "") redis = await startRedis(PASSWORD);
});
afterAll(async () => {
  await redis?.kill();
  rmSync(dir, { recursive: true, force: true });
});

/** Each process has its own machine's folder, with its own copy of the data. */
const machine = (name: string): string => {
  const cwd = join(dir, name);
  if (!existsSync(join(dir, "data"))) writeCorpus(join(dir, "data"), 150);
  cpSync(join(dir, "data"), join(cwd, "data"), { recursive: true });
  return cwd;
};

const words = (trials: number, steps: number): string[] => [
  ...["sweep", "--data", "data", "--out", "out", "--trials", String(trials), "--steps", String(steps)],
  ..."--layers 1 --heads 2 --width 16 --context 16 --vocab 280 --near off --batch 2 --no-stop".split(" "),
  ..."--checkpoint-every 5 --search lr=1e-4..1e-2 --sampler random --threads 1".split(" "),
];
const queue = (name: string) => ({ ANNEAL_REDIS_URL: url(name) });
const begin = (own: readonly string[], at: string, name: string) =>
  start([...own, "--queue", "redis"], { cwd: at, env: queue(name) });

interface Line {
  readonly number: number;
  readonly state: string;
  readonly paused?: true;
  readonly steps?: number;
  readonly objectives?: readonly number[];
}
const log = (at: string): string => join(at, "out", "trials.jsonl");
const logIn = (at: string): Line[] =>
  readFileSync(log(at), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const endsIn = (at: string) =>
  logIn(at)
    .filter(({ state }) => state !== "running")
    .map(({ number, objectives, steps }) => [number, objectives, steps])
    .sort(([a], [b]) => Number(a) - Number(b));
const begunIn = (at: string): number[] =>
  logIn(at)
    .filter(({ state, paused }) => state === "running" && !paused)
    .map(({ number }) => number);
const metrics = (at: string, trial: number): string =>
  join(at, "out", `trial-${trial}`, "run", "metrics.jsonl");
const trialsIn = (at: string): number[] =>
  filesBelow(join(at, "out"))
    .flatMap((path) => /^trial-(\d+)\/options\.json$/.exec(path)?.[1] ?? [])
    .map(Number);
const weights = (at: string, trial: number): Buffer =>
  readFileSync(join(at, "out", `trial-${trial}`, "model", "model.safetensors"));

describe.skipIf(why !== "")("a sweep over Redis", () => {
  test("two processes run each trial once, and find to the bit what one does; models come back", async () => {
    const [alone, first, other] = ["alone", "first", "other"].map(machine) as [string, string, string];
    const [one, owner, joined] = await Promise.all([
      anneal(words(6, 60), { cwd: alone }),
      begin([...words(6, 60), "--json"], first, "two").finished,
      begin([...words(6, 60), "--join"], other, "two").finished,
    ]);
    for (const { code, stderr } of [one, owner, joined]) expect(code, stderr).toBe(0);
    expect(begunIn(first)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(endsIn(first)).toEqual(endsIn(alone));
    const elsewhere = trialsIn(other);
    expect(elsewhere.length).toBeGreaterThan(0);
    expect(elsewhere.length).toBeLessThan(6);
    for (const trial of [0, 1, 2, 3, 4, 5]) expect(weights(first, trial)).toEqual(weights(alone, trial));
    expect(trialsIn(first).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const best = JSON.parse(owner.stdout).path as string;
    expect(existsSync(join(first, best, "onnx"))).toBe(true);
    // Neither password nor user stand in what was written or said.
    const said = [owner, joined].map(({ stdout, stderr }) => stdout + stderr).join("");
    const written = [first, other].flatMap((at) => filesBelow(at).map((path) => join(at, path)));
    for (const text of [said, ...written.map((path) => readFileSync(path, "latin1"))]) {
      expect(text).not.toMatch(/s3cret/);
    }
  });

  test("interrupted, all leave in order; resumed it is the sweep that was not", async () => {
    const [first, other, whole] = ["left", "left2", "whole"].map(machine) as [string, string, string];
    const own = words(4, 300);
    const alone = anneal(own, { cwd: whole });
    const owner = begin(own, first, "left");
    const joined = begin([...own, "--join"], other, "left");
    const both = (): boolean => [first, other].every((at) => trialsIn(at).length > 0);
    expect(await until(both, Promise.race([owner.finished, joined.finished]))).toBe(true);
    owner.child.kill("SIGINT");
    const [ended, left] = await Promise.all([owner.finished, joined.finished]);
    expect([ended.code, ended.stderr]).toEqual([130, expect.stringContaining("--resume")]);
    expect(left.code, left.stderr).toBe(0);
    expect(logIn(first).at(-1)).toMatchObject({ state: "running", paused: true });
    const [again, rejoined] = await Promise.all([
      begin([...own, "--resume"], first, "left").finished,
      begin([...own, "--join"], other, "left").finished,
    ]);
    expect(again.code, again.stderr).toBe(0);
    expect(rejoined.code, rejoined.stderr).toBe(0);
    expect((await alone).code).toBe(0);
    expect(endsIn(first)).toEqual(endsIn(whole));
    for (const trial of [0, 1, 2, 3]) expect(weights(first, trial)).toEqual(weights(whole, trial));
  });

  test("alone it asks and stops as by files", async () => {
    const [files, first] = ["files", "bayes"].map(machine) as [string, string];
    const own = words(10, 36).filter((word) => word !== "--no-stop" && word !== "random");
    const bayes = own.map((word) => (word === "--sampler" ? "--sampler=bayes" : word));
    const [one, alone] = await Promise.all([
      anneal(bayes, { cwd: files }),
      begin(bayes, first, "bayes").finished,
    ]);
    for (const { code, stderr } of [one, alone]) expect(code, stderr).toBe(0);
    expect(endsIn(first)).toEqual(endsIn(files));
  });

  test("one that joins and is interrupted leaves its trial", async () => {
    const [first, other] = ["leaves", "leaves2"].map(machine) as [string, string];
    const owner = begin(words(3, 300), first, "leaves");
    const joined = begin([...words(3, 300), "--join"], other, "leaves");
    expect(await until(() => trialsIn(other).length > 0, joined.finished)).toBe(true);
    joined.child.kill("SIGINT");
    expect((await joined.finished).code).toBe(130);
    const { code, stderr } = await owner.finished;
    expect(code, stderr).toBe(0);
    expect(endsIn(first).map(([number, , steps]) => [number, steps])).toEqual([0, 1, 2].map((n) => [n, 300]));
    expect(begunIn(first)).toEqual([0, 1, 2]);
  });

  // Both wait for half a minute, mostly.
  test.concurrent("a killed one's trial is taken over; other options, data and folders are refused by name", async () => {
    const [first, other, third] = ["killed", "killed2", "third"].map(machine) as [string, string, string];
    const own = words(3, 400);
    const owner = begin(own, first, "killed");
    const joined = begin([...own, "--join"], other, "killed");
    expect(await until(() => trialsIn(other).length > 0, joined.finished)).toBe(true);
    const trial = trialsIn(other)[0]!;
    expect(await until(() => lineCount(metrics(other, trial)) > 12, joined.finished)).toBe(true);
    joined.child.kill("SIGKILL");
    await joined.finished;
    const options = await begin([...own, "--seed", "5", "--join"], third, "killed").finished;
    expect([options.code, options.stderr]).toEqual([2, expect.stringContaining('"options.seed"')]);
    writeFileSync(join(third, "data", "corpus.jsonl"), '{"text": "Quite another text."}\n');
    const data = await begin([...own, "--join"], third, "killed").finished;
    expect([data.code, data.stderr]).toEqual([2, expect.stringMatching(/"files\.data\.[^"]*corpus\.jsonl"/)]);
    const second = await begin(own, third, "killed").finished;
    expect([second.code, second.stderr]).toEqual([75, expect.stringContaining("another search's")]);
    const { code, stderr } = await owner.finished;
    expect(code, stderr).toBe(0);
    expect(begunIn(first)).toEqual([0, 1, 2]);
    expect(endsIn(first).map(([number, , steps]) => [number, steps])).toEqual([0, 1, 2].map((n) => [n, 400]));
    const foreign = await begin([...words(1, 5), "--resume"], other, "killed").finished;
    expect(foreign.stderr).toMatch(/no sweep to go on with/);
  });

  test.concurrent("a Redis that goes away ends it with what to do, and nothing is lost", async () => {
    const [first, other, whole] = ["gone", "gone2", "gone3"].map(machine) as [string, string, string];
    const server = await startRedis();
    const own = [...words(2, 500), "--queue", server.url];
    const owner = start(own, { cwd: first });
    const joined = start([...own, "--join"], { cwd: other });
    const both = (): boolean => [first, other].every((at) => lineCount(metrics(at, trialsIn(at)[0]!)) > 12);
    expect(await until(both, Promise.race([owner.finished, joined.finished]))).toBe(true);
    await server.kill();
    for (const { code, stderr } of await Promise.all([owner.finished, joined.finished])) {
      expect([code, stderr]).toEqual([1, expect.stringContaining(`127.0.0.1:${server.port} has gone away`)]);
      expect(stderr).toContain("--resume");
    }
    const before = lineCount(metrics(first, trialsIn(first)[0]!));
    const after = await startRedis(undefined, server.port);
    const { code, stderr } = await start([...own, "--resume"], { cwd: first }).finished;
    await after.kill();
    expect(code, stderr).toBe(0);
    expect((await anneal(words(2, 500), { cwd: whole })).code).toBe(0);
    expect(endsIn(first)).toEqual(endsIn(whole));
    // What had ended by then was not run again.
    expect(lineCount(metrics(first, trialsIn(first)[0]!))).toBe(before);
    expect(readdirSync(join(first, "out"))).not.toContain("lock");
  }, 240_000);

  test("servers that are absent, refuse, or are none are told by host and port alone", async () => {
    const at = machine("refused");
    const port = await freePort();
    const run = (to: string) => anneal([...words(1, 5), "--queue", to], { cwd: at });
    const [absent, wrong, none, path, unset] = await Promise.all([
      run(`redis://127.0.0.1:${port}`),
      run(`redis://me:wr0ng@127.0.0.1:${redis.port}`),
      run(`redis://127.0.0.1:${redis.port}`),
      run("/some/folder"),
      anneal([...words(1, 5), "--queue", "redis"], { cwd: at, env: { ANNEAL_REDIS_URL: undefined } }),
    ]);
    expect([absent.code, absent.stderr]).toEqual([
      4,
      expect.stringMatching(`at 127.0.0.1:${port} .ECONNREF`),
    ]);
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("WRONGPASS")]);
    expect(wrong.stderr).not.toContain("wr0ng");
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining("NOAUTH")]);
    expect([path.code, path.stderr]).toEqual([2, expect.stringContaining("no address of a Redis")]);
    expect([unset.code, unset.stderr]).toEqual([2, expect.stringContaining("ANNEAL_REDIS_URL=")]);
  });
});
