/** Kills in the midst of one configuration, again and again: who killed whom tells a cause from a chance. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAlive, statOf } from "../../src/node/files/leftovers.ts";
import { anneal, start, until, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-optimize-killed-"));
const small = "--layers 4 --heads 2 --width 16 --context 16 --vocab 280 --near off --batch 2 --steps 12";
const words = (out: string): string[] => [
  ...["optimize", "trained/model", "--data", "data", "--out", out, "--near", "off", "--max-loss", "100"],
  ...["--search", "dtype=fp32", "--search", "neurons=1", "--search", "steps=150"],
  ...["--trials", "2", "--seed", "3", "--threads", "1"],
];
const run = (out: string, ...more: readonly string[]) => start([...words(out), ...more], { cwd: dir });

beforeAll(async () => {
  writeCorpus(join(dir, "data"), 150);
  const training = [
    "train",
    "--data",
    "data",
    "--out",
    "trained",
    ...small.split(" "),
    "--threads",
    "1",
    "-q",
  ];
  const { code, stderr } = await anneal(training, { cwd: dir });
  expect(code, stderr).toBe(0);
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Line {
  readonly begins?: number;
  readonly values?: unknown;
  readonly record?: {
    readonly name: string;
    readonly stage: string;
    readonly why?: string;
    readonly candidate?: { readonly score: number };
  };
}
const search = (out: string, ...names: readonly string[]): string =>
  join(dir, out, "run", "search", ...names);
const linesIn = (out: string): Line[] => {
  try {
    const text = readFileSync(search(out, "trials.jsonl"), "utf8");
    return text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line));
  } catch {
    return [];
  }
};
/** How often something but the start was begun. */
const begun = (out: string): number => linesIn(out).filter(({ begins }) => (begins ?? 0) > 0).length;
const told = (out: string) =>
  linesIn(out).flatMap(({ record }) =>
    record === undefined ? [] : [[record.name, record.stage, record.candidate?.score]],
  );
const childrenOf = (pid: number): number[] =>
  readdirSync("/proc")
    .map(Number)
    .filter((each) => Number(statOf(each)[1]) === pid);

/** Kills a search while the first of its models learns, and again, so often. */
const kill = async (out: string, times: number): Promise<void> => {
  for (let time = 0; time < times; time++) {
    const { child, finished } = run(out, ...(time > 0 ? ["--resume"] : []));
    expect(await until(() => begun(out) > time, finished)).toBe(true);
    child.kill("SIGKILL");
    await finished;
  }
};
/** Goes on with a search that was killed; resolves once a process of its own tries what it was at. */
const tries = async (out: string) => {
  const { child, finished } = run(out, "--resume");
  let [said, own] = ["", 0];
  child.stderr!.on("data", (text: string) => {
    said += text;
  });
  const begins = (): boolean => {
    if (!said.includes("so that another tries it first")) return false;
    own =
      childrenOf(child.pid!).find((pid) => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("--join")) ??
      0;
    return own !== 0;
  };
  expect(await until(begins, finished), said).toBe(true);
  return { child, finished, own };
};

describe.skipIf(process.platform !== "linux")(
  "a search that is killed in one configuration",
  { timeout: 120_000 },
  () => {
    test("is gone on with as if it had not been, however often", async () => {
      const whole = await run("whole").finished;
      expect(whole.code, whole.stderr).toBe(0);
      await kill("kills", 2);
      for (let time = 0; time < 2; time++) {
        const { child, finished, own } = await tries("kills");
        child.kill("SIGKILL");
        await finished;
        // Who tried it leaves with who asked.
        expect(await until(() => !isAlive(own), new Promise(() => {}))).toBe(true);
      }
      const last = await run("kills", "--resume").finished;
      expect(last.code, last.stderr).toBe(0);
      expect(told("kills")).toEqual(told("whole"));
      const model = (out: string): Buffer => readFileSync(join(dir, out, "model", "onnx", "model.onnx"));
      expect(model("kills").equals(model("whole"))).toBe(true);
    });

    test("notes what ends a process of its own, and goes on", async () => {
      await kill("fatal", 2);
      const { finished, own } = await tries("fatal");
      process.kill(own, "SIGKILL");
      const { code, stderr } = await finished;
      expect(code, stderr).toBe(0);
      const failed = linesIn("fatal").flatMap(({ record }) =>
        record?.stage === "failed" ? [record.why] : [],
      );
      expect(failed).toEqual(["a process of its own ended in it by SIGKILL, as where memory runs out"]);
      expect(linesIn("fatal").filter(({ record }) => record?.stage === "measured").length).toBeGreaterThan(1);
    });
  },
);
