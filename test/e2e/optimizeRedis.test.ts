/** optimize by processes that share no folder, but a Redis: a real one, real processes, a real kill. */
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { anneal, filesBelow, start, until, writeCorpus } from "./command.ts";
import { freePort, missing, type RedisServer, startRedis } from "./redis.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-optimize-redis-"));
const why = missing();
if (why !== "") console.warn(`no optimize over Redis is tested: ${why}`);
const PASSWORD = "s3cret/of:ours";

let redis: RedisServer;
const small = "--layers 4 --heads 2 --width 16 --context 16 --vocab 280 --near off --batch 2 --steps 12";
beforeAll(async () => {
  if (why !== "") return;
  redis = await startRedis(PASSWORD);
  writeCorpus(join(dir, "data"), 150);
  const words = ["train", "--data", "data", "--out", "trained", ...small.split(" "), "--threads", "1", "-q"];
  const { code, stderr } = await anneal(words, { cwd: dir });
  expect(code, stderr).toBe(0);
});
afterAll(async () => {
  await redis?.kill();
  rmSync(dir, { recursive: true, force: true });
});

/** Each process has its own machine's folder, with its own copies of model and data. */
const machine = (name: string): string => {
  const cwd = join(dir, name);
  cpSync(join(dir, "data"), join(cwd, "data"), { recursive: true });
  cpSync(join(dir, "trained", "model"), join(cwd, "model"), { recursive: true });
  return cwd;
};

const words = (steps: number): string[] => [
  ...["optimize", "model", "--data", "data", "--out", "out", "--near", "off", "--max-loss", "100"],
  ...["--search", "dtype=fp32", "--search", "neurons=1", "--search", `steps=${steps}`],
  ...["--trials", "2", "--seed", "3", "--threads", "1"],
];
const url = (name: string): string =>
  `redis://:${encodeURIComponent(PASSWORD)}@127.0.0.1:${redis.port}#${name}`;
const begin = (own: readonly string[], at: string, name: string) =>
  start([...own, "--queue", "redis"], { cwd: at, env: { ANNEAL_REDIS_URL: url(name) } });

interface Line {
  readonly begins?: number;
  readonly record?: { readonly name: string; readonly stage: string };
}
const search = (at: string, ...names: readonly string[]): string =>
  join(at, "out", "run", "search", ...names);
const linesIn = (at: string): Line[] =>
  readFileSync(search(at, "trials.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const measuredIn = (at: string): string[] =>
  linesIn(at)
    .flatMap(({ record }) => (record?.stage === "measured" ? [record.name] : []))
    .sort();
/** Models that a process has said to make. */
const makings = (said: string): string[] => said.match(/making .*/g) ?? [];

/** What a process has said so far. */
const saying = ({ child }: Pick<ReturnType<typeof start>, "child">): (() => string) => {
  let said = "";
  child.stderr!.on("data", (text: string) => {
    said += text;
  });
  return () => said;
};

/** One that joins, and an owner that begins once that one waits for it. */
const both = async (
  own: readonly string[],
  [first, other]: readonly [string, string],
  run: (words: readonly string[], at: string) => ReturnType<typeof start>,
) => {
  const joined = run([...own, "--join"], other);
  const said = saying(joined);
  expect(await until(() => said().includes("Making models"), joined.finished), said()).toBe(true);
  return { owner: run(own, first), joined, said };
};

let ended: Promise<string> | undefined;
/** The folder of what one process makes of it. */
const alone = (): Promise<string> => {
  const at = join(dir, "alone");
  ended ??= anneal(words(200), { cwd: machine("alone") }).then(({ code, stderr }) => {
    expect(code, stderr).toBe(0);
    return at;
  });
  return ended;
};

/** The same models to the bit are measured, each once, and the same one is shipped. */
const expectSame = (at: string, alone: string): void => {
  expect(measuredIn(at)).toEqual(measuredIn(alone));
  expect(readdirSync(search(at, "bases")).sort()).toEqual(readdirSync(search(alone, "bases")).sort());
  const weights = (of: string, ...names: readonly string[]): Buffer => readFileSync(join(of, ...names));
  for (const base of readdirSync(search(alone, "bases"))) {
    const path = ["out", "run", "search", "bases", base, "model.safetensors"];
    expect(weights(at, ...path).equals(weights(alone, ...path)), base).toBe(true);
  }
  const model = join("out", "model");
  expect(filesBelow(join(at, model))).toEqual(filesBelow(join(alone, model)));
  const onnx = filesBelow(join(alone, model)).filter((name) => /\.(safetensors|onnx)$/.test(name));
  expect(onnx.length).toBeGreaterThan(1);
  for (const name of onnx)
    expect(weights(at, model, name).equals(weights(alone, model, name)), name).toBe(true);
};

describe.skipIf(why !== "")("optimize over Redis", { timeout: 240_000 }, () => {
  test.concurrent("two processes make each model once, and come to the bit to what one does", async () => {
    const [first, other] = ["first", "other"].map(machine) as [string, string];
    const { owner, joined } = await both(words(200), [first, other], (own, at) => begin(own, at, "two"));
    const [ended, left] = await Promise.all([owner.finished, joined.finished]);
    for (const { code, stderr } of [ended, left]) expect(code, stderr).toBe(0);
    expectSame(first, await alone());
    const begins = linesIn(first).flatMap(({ begins }) => (begins === undefined ? [] : [begins]));
    expect(new Set(begins).size).toBe(begins.length);
    const made = makings(left.stderr);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made).size).toBe(made.length);
    // Nothing is left but what a search has, on either side; neither password nor user stand anywhere.
    expect(existsSync(join(other, "out"))).toBe(false);
    expect(readdirSync(search(first)).sort()).toEqual(["bases", "queue.json", "study.json", "trials.jsonl"]);
    const said = [ended, left].map(({ stdout, stderr }) => stdout + stderr);
    const written = filesBelow(first).map((path) => readFileSync(join(first, path), "latin1"));
    for (const text of [...said, ...written]) expect(text).not.toMatch(/s3cret/);
  });

  // These wait for half a minute, mostly.
  test.concurrent("a killed one's job is taken over; other options, data and searches are refused by name", async () => {
    const at = ["killed", "killed2", "killed3", "third"].map(machine) as [string, string, string, string];
    const [first, other, next, third] = at;
    const run = (own: readonly string[], at: string) => begin(own, at, "killed");
    const { owner, joined, said } = await both(words(200), [first, other], run);
    expect(await until(() => makings(said()).length > 0, joined.finished)).toBe(true);
    joined.child.kill("SIGKILL");
    await joined.finished;
    const heir = run([...words(200), "--join"], next);
    const batch = await run([...words(200), "--batch", "3", "--join"], third).finished;
    expect([batch.code, batch.stderr]).toEqual([2, expect.stringContaining('"batch"')]);
    writeFileSync(join(third, "data", "corpus.jsonl"), '{"text": "Quite another text."}\n', { flag: "a" });
    const data = await run([...words(200), "--join"], third).finished;
    expect([data.code, data.stderr]).toEqual([2, expect.stringMatching(/"files\.data\.[^"]*corpus\.jsonl"/)]);
    const second = await run(words(200), third).finished;
    expect([second.code, second.stderr]).toEqual([75, expect.stringContaining("another search's")]);
    const [ended, took] = [await owner.finished, await heir.finished];
    for (const { code, stderr } of [ended, took]) expect(code, stderr).toBe(0);
    expect(makings(took.stderr)).toContain(makings(said())[0]);
    expectSame(first, await alone());
  });

  test.concurrent("makers leave a search whose process is killed, and it goes on", async () => {
    const [first, other] = ["gone", "gone2"].map(machine) as [string, string];
    const { owner, joined, said } = await both(words(200), [first, other], (own, at) =>
      begin(own, at, "gone"),
    );
    expect(await until(() => makings(said()).length > 0, joined.finished)).toBe(true);
    owner.child.kill("SIGKILL");
    const left = await joined.finished;
    expect([left.code, left.stderr]).toEqual([0, expect.stringContaining("is gone: this one leaves")]);
    const again = await begin([...words(200), "--resume", "--workers", "1"], first, "gone").finished;
    expect(again.code, again.stderr).toBe(0);
    expectSame(first, await alone());
  });

  test.concurrent("a Redis that goes away ends it with what to do", async () => {
    const [first, other] = ["lost", "lost2"].map(machine) as [string, string];
    const server = await startRedis();
    const { owner, joined, said } = await both(words(5000), [first, other], (own, at) =>
      start([...own, "--queue", server.url], { cwd: at }),
    );
    expect(await until(() => makings(said()).length > 0, joined.finished)).toBe(true);
    await server.kill();
    for (const { code, stderr } of await Promise.all([owner.finished, joined.finished])) {
      expect([code, stderr]).toEqual([1, expect.stringContaining(`127.0.0.1:${server.port} has gone away`)]);
      expect(stderr).toContain("--resume");
    }
    expect(filesBelow(join(first, "out"))).not.toContain("run/lock");
  });

  test("servers that are absent and models that are missing are told", async () => {
    const at = machine("refused");
    const to = `redis://127.0.0.1:${await freePort()}`;
    const absent = await anneal([...words(1), "--queue", to], { cwd: at });
    expect([absent.code, absent.stderr]).toEqual([4, expect.stringContaining("no Redis answers")]);
    const fresh = words(1).filter((word) => word !== "model");
    const none = await begin(fresh, at, "refused").finished;
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('"model"')]);
  });
});
