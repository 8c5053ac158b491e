/** Ranks under Open MPI and MPICH: the steps of threads to the bit, and no rank outlives another's end. */
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { isAlive } from "../../src/node/files/leftovers.ts";
import { launcherWords } from "../../src/recipes/launch/plan.ts";
import { anneal, annealHere, filesBelow, lineCount, until, writeCorpus } from "./command.ts";
import { link } from "./link.ts";
import { installed, kinds, type Launcher, missing, ranks } from "./mpi.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "anneal-ranks-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Trained {
  readonly losses: readonly number[];
  readonly hash: string;
}
/** What rank 0 prints. */
interface Told {
  readonly version: string;
  /** Whether the ranks read each other's memory. */
  readonly shares: boolean;
  /** What became of a message to a rank that is not there. */
  readonly refused: string;
  readonly found: Found;
  /** Of ranks that have some of the layers each. */
  readonly layers: Trained;
}
type Found = Readonly<Record<"decoder" | "classifier" | "lora", Trained>>;

/** The processes that `command` has started, by rank. */
const processOf = (rank: number, out: string): number => {
  const names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const found = names.find((name) => {
    try {
      const own = readFileSync(`/proc/${name}/environ`, "utf8").split("\0");
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      return own.includes(`OMPI_COMM_WORLD_RANK=${rank}`) && words.includes(out);
    } catch {
      return false;
    }
  });
  return Number(found);
};

const minute = () => new Promise((done) => setTimeout(done, 60_000).unref());

const fixture = at("mpiRank.mjs");
interface Threads {
  readonly one: Found;
  readonly replicas: Found;
  /** One process, in micro-batches. */
  readonly micro: Trained;
}
let threads: Promise<Threads> | undefined;
/** What one process and two replicas make of the same, once for all tests. */
const onThreads = () => {
  threads ??= (async () => {
    const told = execFileSync(process.execPath, [fixture], { encoding: "utf8" });
    return JSON.parse(told) as Threads;
  })();
  return threads;
};

const told = async (how: Launcher, lib: string): Promise<Told> => {
  const { code, stdout, stderr } = await ranks(how, 2, [fixture, lib]).finished;
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as Told;
};

describe.each(Object.entries({ ...kinds, ...installed() }))("%s", (_, how) => {
  const why = missing(how.launcher);
  test.skipIf(why !== "")("finds the library of its launcher", async () => {
    const [own, named] = [await told(how, "-"), await told(how, how.lib)];
    expect(own.version).toBe(named.version);
  });

  test.skipIf(why !== "")(`trains to the bit as threads do (skipped: ${why || "not"})`, async () => {
    const { version, shares, refused, found, layers } = await told(how, how.lib);
    expect(version).toContain(how.version);
    expect(refused).toMatch(/^MPI_Isend: .*invalid rank/i);
    expect(shares).toBe(process.platform === "linux");
    const { one, replicas, micro } = await onThreads();
    expect(found).toEqual(replicas);
    for (const [i, loss] of layers.losses.entries()) {
      expect(Math.abs(loss / micro.losses[i]! - 1), `layers, step ${i + 1}`).toBeLessThan(1e-6);
    }
    for (const name of ["decoder", "classifier", "lora"] as const) {
      for (const [i, loss] of found[name].losses.entries()) {
        expect(Math.abs(loss / one[name].losses[i]! - 1), `${name}, step ${i + 1}`).toBeLessThan(1e-6);
      }
    }
  });
});

const why = missing(kinds["Open MPI"].launcher);
describe.skipIf(why !== "")(`Open MPI (skipped: ${why || "not"})`, () => {
  const how = kinds["Open MPI"];

  test("a rank that is stopped ends the job, and the one after it says so", async () => {
    const { code, stderr } = await ranks(how, 2, [fixture, how.lib, "stop"]).finished;
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/rank 1 has given no sign of life for \d+ s/);
  });

  test("a rank that is killed ends all; one process goes on from what they have saved", async () => {
    writeCorpus(join(dir, "data"), 150);
    const out = join(dir, "killed");
    const shape = "--layers 1 --heads 2 --width 16 --context 16 --vocab 280 --near off --batch 2".split(" ");
    const rest = "--steps 24 --eval-every 12 --checkpoint-every 6 --seed 3 --threads 1 -q".split(" ");
    const words = ["train", "--data", join(dir, "data"), "--out", out, ...shape, ...rest];
    const { finished } = ranks(how, 2, [at("../../bin/anneal.js"), ...words]);
    const metrics = join(out, "run", "metrics.jsonl");
    expect(await until(() => lineCount(metrics) >= 9, finished)).toBe(true);
    const other = processOf(0, out);
    process.kill(processOf(1, out), "SIGKILL");
    const { code, stdout } = await finished;
    expect(await until(() => !isAlive(other), minute())).toBe(true);
    expect(code).not.toBe(0);
    expect(stdout).toBe("");
    expect(filesBelow(join(out, "model"))).toEqual([]);
    const resumed = await annealHere([...words, "--replicas", "1", "--resume"]);
    expect(resumed.code, resumed.stderr).toBe(0);
    // What came after the checkpoint was done twice.
    const rows = readFileSync(metrics, "utf8").trim().split("\n");
    const losses = new Map<number, number[]>();
    for (const row of rows) {
      const { step, loss } = JSON.parse(row) as { readonly step: number; readonly loss?: number };
      if (loss !== undefined) losses.set(step, [...(losses.get(step) ?? []), loss]);
    }
    expect([...losses.keys()]).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
    const twice = [...losses.values()].filter(({ length }) => length === 2);
    expect(twice.length).toBeGreaterThan(0);
    for (const [two, one] of twice) expect(one! / two!).toBeCloseTo(1, 5);
  });

  test("machines whose cable is cut: all ranks end, and so does the launcher, which says why", async (context) => {
    const laid = link(dir);
    if (typeof laid === "string") return context.skip(laid);
    onTestFinished(laid.end);
    writeCorpus(join(dir, "data"), 150);
    const out = join(dir, "cut");
    const shape = "--layers 1 --heads 2 --width 16 --context 16 --vocab 280 --near off --batch 3".split(" ");
    const rest = "--steps 1000000 --eval-every 1000000 --seed 3 --threads 1 -q".split(" ");
    const command = ["train", "--data", join(dir, "data"), "--out", out, ...shape, ...rest];
    const plan = { ranks: 3, hosts: laid.addresses, cpus: 1, mpi: "openmpi", command } as const;
    const [, ...words] = launcherWords(plan, { root: true, cores: 2 });
    const { device, agent, inside } = laid;
    const tcp = ["btl", "tcp,self", "pml", "ob1", "btl_tcp_if_include", device, "oob_tcp_if_include", device];
    const settings = ["plm_rsh_agent", agent, ...tcp].flatMap((word, i) =>
      i % 2 ? [word] : ["--mca", word],
    );
    // What a rank says beyond the cut reaches no launcher: each writes it down.
    const noted = [
      '"$0" "$@" 2> "$SAYS.$OMPI_COMM_WORLD_RANK"; code=$?',
      'echo "code $code" >&2; exit $code',
    ];
    const rank = ["env", `SAYS=${out}`, "bash", "-c", noted.join("; "), process.execPath];
    const all = [
      ...inside,
      how.launcher,
      ...words,
      ...settings,
      ...rank,
      at("../../bin/anneal.js"),
      ...command,
    ];
    const child = spawn(all[0]!, all.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (text) => (said += text));
    const ended = new Promise<number | null>((done) => child.on("exit", done));
    expect(await until(() => lineCount(join(out, "run", "metrics.jsonl")) >= 9, ended)).toBe(true);
    const processes = [0, 1, 2].map((r) => processOf(r, out));
    laid.cut();
    expect(await until(() => !processes.some(isAlive), minute())).toBe(true);
    expect(await Promise.race([ended, minute().then(() => "is still there")])).toBeGreaterThan(0);
    const own = [0, 1, 2].map((r) => readFileSync(`${out}.${r}`, "utf8"));
    // Either Open MPI's daemons find out first and end their ranks, or the ranks do.
    expect([said, ...own].join("\n")).toMatch(/lost communication with a remote daemon|no sign of life/i);
    for (const text of own) expect(text).not.toMatch(/code 0$/m);
  });

  test("ranks that find other contents under one path are refused, with the difference", async () => {
    const [a, b] = ["a", "b"].map((name) => join(dir, name)) as [string, string];
    writeCorpus(a, 150);
    writeCorpus(b, 151);
    const out = join(dir, "apart");
    const shape = "--layers 1 --heads 2 --width 16 --context 16 --vocab 280 --near off --batch 2".split(" ");
    const words = ["train", "--data", "corpus.jsonl", "--out", out, ...shape, "--threads", "1", "-q"];
    const node = [at("../../bin/anneal.js"), ...words];
    const first = { ...how, args: [...how.args, "-wdir", a] };
    const other = [":", "-n", "1", "-wdir", b, process.execPath, ...node];
    const { code, stderr } = await ranks(first, 1, [...node, ...other]).finished;
    expect(code).toBe(2);
    expect(stderr).toMatch(/"run.data.train": is "\d+ tokens of sha256 \w+" on rank 0 and "\d+ tokens of/);
    expect(filesBelow(join(out, "model"))).toEqual([]);
  });

  test("a library that is missing, and one that is not the launcher's, are told with what to do", async () => {
    writeCorpus(join(dir, "data"), 150);
    const words = (lib: string) => [
      "train",
      "--data",
      join(dir, "data"),
      "--out",
      join(dir, "no"),
      "--mpi-lib",
      lib,
    ];
    const env = { PMI_RANK: "0", PMI_SIZE: "2" };
    const none = await anneal(words("libnone.so"), { env });
    expect([none.code, none.stderr]).toEqual([
      4,
      expect.stringMatching(/no MPI library: .*\n.*apt-get install/),
    ]);
    const other = await anneal(words(how.lib), { env });
    expect(other.code).toBe(2);
    expect(other.stderr).toMatch(/mpiexec of MPICH has started 2 processes, of which Open MPI \S+ sees 1/);
    expect(filesBelow(join(dir, "no"))).toEqual([]);
  });
});
