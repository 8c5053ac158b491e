/** optimize by several processes: what one makes another measures, each model once; ranks of MPI do the same. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isAlive } from "../../src/node/files/leftovers.ts";
import { anneal, filesBelow, lineCount, start, until, writeCorpus } from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-optimize-workers-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const data = join(dir, "data");
const small = "--layers 4 --heads 2 --width 16 --context 16 --vocab 280 --near off --batch 2 --steps 12";
beforeAll(async () => {
  writeCorpus(data, 150);
  const words = ["train", "--data", data, "--out", join(dir, "model"), ...small.split(" ")];
  const { code, stderr } = await anneal([...words, "--threads", "1", "-q"]);
  expect(code, stderr).toBe(0);
});

const words = (out: string, more: readonly string[]): string[] => [
  ...["optimize", join(dir, "model", "model"), "--data", data, "--out", join(dir, out), "--near", "off"],
  ...["--search", "dtype=fp32", "--search", "neurons=1", "--max-loss", "100", "--seed", "3"],
  ...["--threads", "1", "--json", ...more],
];

interface Line {
  readonly begins?: number;
  readonly record?: { readonly name: string; readonly stage: string; readonly number: number };
}
const linesIn = (out: string): Line[] =>
  readFileSync(join(dir, out, "run", "search", "trials.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
const namesIn = (out: string): string[] =>
  linesIn(out).flatMap(({ record }) => (record?.stage === "measured" ? [record.name] : []));
const bases = (out: string): string[] => readdirSync(join(dir, out, "run", "search", "bases"));

const few = ["--trials", "3", "--search", "steps=4"];

test("two makers and a measuring process find what one process does, each model once", async () => {
  const alone = await anneal(words("alone", few));
  expect(alone.code, alone.stderr).toBe(0);
  const many = await anneal(words("many", [...few, "--workers", "2"]));
  expect(many.code, many.stderr).toBe(0);
  expect(namesIn("many").sort()).toEqual(namesIn("alone").sort());
  expect(new Set(namesIn("many")).size).toBe(namesIn("many").length);
  const begins = linesIn("many").flatMap(({ begins }) => (begins === undefined ? [] : [begins]));
  expect(new Set(begins).size).toBe(begins.length);
  // The models are the same to the bit, wherever they were made.
  expect(bases("many").sort()).toEqual(bases("alone").sort());
  for (const base of bases("alone")) {
    const at = (out: string) =>
      readFileSync(join(dir, out, "run", "search", "bases", base, "model.safetensors"));
    expect(at("many").equals(at("alone")), base).toBe(true);
  }
  expect(filesBelow(join(dir, "many", "model"))).toEqual(filesBelow(join(dir, "alone", "model")));
  expect(readdirSync(join(dir, "many", "run", "search")).sort()).toEqual(
    ["bases", "study.json", "trials.jsonl"].sort(),
  );
});

test("a maker that is killed leaves its model to another; one that joins another search is refused", async () => {
  const long = ["--trials", "2", "--search", "steps=60"];
  const first = start(words("killed", long));
  const queue = join(dir, "killed", "run", "search", "queue");
  const locks = (): number[] =>
    filesBelow(join(queue, "jobs"))
      .filter((name) => name.endsWith("lock"))
      .flatMap((name) => {
        try {
          return [(JSON.parse(readFileSync(join(queue, "jobs", name), "utf8")) as { pid: number }).pid];
        } catch {
          return [];
        }
      });
  const other = start([...words("killed", long), "--join"]);
  expect(await until(() => locks().includes(other.child.pid!), first.finished)).toBe(true);
  const wrong = await anneal([...words("killed", long), "--batch", "3", "--join"]);
  expect([wrong.code, wrong.stdout]).toEqual([2, expect.stringContaining("batch")]);
  other.child.kill("SIGKILL");
  const { code, stderr } = await first.finished;
  expect(code, stderr).toBe(0);
  const made = new Set(namesIn("killed").map((name) => name.replace(/ (fp32|q8)$/, "")));
  made.delete("full");
  expect(made.size).toBe(2);
  expect(lineCount(join(dir, "killed", "run", "search", "trials.jsonl"))).toBeGreaterThan(3);
});

test("makers leave a search whose process is killed, and it goes on", async () => {
  const long = ["--trials", "2", "--search", "steps=60"];
  const first = start(words("gone", [...long, "--workers", "1"]));
  const makers = join(dir, "gone", "run", "search", "queue", "makers");
  const pids = (): number[] =>
    filesBelow(makers)
      .filter((name) => name.endsWith("busy"))
      .map((name) => Number(/~(\d+)/.exec(name)![1]));
  expect(await until(() => pids().length > 0, first.finished)).toBe(true);
  const [pid] = pids();
  first.child.kill("SIGKILL");
  await first.finished;
  const left = new Promise((done) => setTimeout(done, 30_000).unref());
  expect(await until(() => !isAlive(pid!), left)).toBe(true);
  const { code, stdout } = await anneal(words("gone", [...long, "--resume"]));
  expect(code, stdout).toBe(0);
  expect(new Set(namesIn("gone")).size).toBe(namesIn("gone").length);
  expect(new Set(namesIn("gone").map((name) => name.replace(/ (fp32|q8)$/, ""))).size).toBe(3);
});

const launcher = "mpirun.openmpi";
const why = (() => {
  try {
    execFileSync(launcher, ["--version"], { stdio: "ignore" });
    return "";
  } catch (error) {
    return String(error);
  }
})();
describe.skipIf(why !== "")(`ranks (skipped: ${why || "not"})`, () => {
  test("of two ranks one measures what the other makes", async () => {
    const args = ["-q", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2"];
    const bin = fileURLToPath(new URL("../../bin/anneal.js", import.meta.url));
    const child = spawn(launcher, [...args, process.execPath, bin, ...words("ranks", few)]);
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const code = await new Promise((done) => child.on("close", done));
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout).chosen).toBeDefined();
    expect(namesIn("ranks").sort()).toEqual(namesIn("alone").sort());
  });
});
