/** Training on what `anneal data` made; bad places, bad input and interruptions. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { batches } from "../../src/data/batch/batches.ts";
import { windowBatches } from "../../src/data/batch/windows.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { readIndex, shardSource } from "../../src/node/prepare/shards.ts";
import {
  annealHere as anneal,
  anneal as annealApart,
  filesBelow,
  onlyJson,
  start,
  until,
} from "./command.ts";
import { data, dir, type Row, results, run, vocab } from "./prepared.ts";

const bin = fileURLToPath(new URL("../../bin/anneal.js", import.meta.url));

describe("training", () => {
  const shape = "--layers 1 --heads 1 --width 16 --context 32 --vocab 300".split(" ");
  const work = "--steps 6 --batch 2 --eval-every 3 --seed 1 --threads 1 --quiet".split(" ");

  it("from shards equals training from memory", async () => {
    const from = (source: string, out: string) =>
      anneal(["train", "--data", source, "--out", join(dir, out), ...shape, ...work]);
    const memory = await from(data, "memory");
    expect(memory.code, memory.stderr).toBe(0);
    // The same options as training's: the same share is held out.
    const shards = await from(join(dir, "one"), "shards");
    expect(shards.code, shards.stderr).toBe(0);
    const weights = ["memory", "shards"].map((out) =>
      readFileSync(join(dir, out, "model/model.safetensors")),
    );
    expect(weights[0]!.equals(weights[1]!)).toBe(true);
  }, 60_000);

  it("reads windows as a pure function of the index, across files", () => {
    const index = readIndex(join(dir, "one"));
    const source = shardSource(join(dir, "one"), index, "train");
    const tokens = Uint32Array.from(source.subarray(0, source.length));
    const [a, b] = [source, tokens].map((t) => batches({ tokens: t, batch: 3, context: 32, seed: 4 }));
    for (const i of [0, 7, 1000, 3]) expect(a!(i)).toEqual(b!(i));
    source.close();
  });

  it("packs documents into windows that keep their starts, and loses no token", async () => {
    const flags = ["--packing", "bestFit", "--document-mask"];
    expect((await run("packed", ...flags)).code).toBe(0);
    const index = readIndex(join(dir, "packed"));
    const source = shardSource(join(dir, "packed"), index, "train");
    const one = readIndex(join(dir, "one"));
    const plain = shardSource(join(dir, "one"), one, "train");
    const counts = (ids: ArrayLike<number>): number[] => {
      const n = new Array<number>(index.vocabSize).fill(0);
      for (let i = 0; i < ids.length; i++) n[ids[i]!]!++;
      return n;
    };
    const [all, theirs] = [source.subarray(0, source.length), plain.subarray(0, plain.length)].map(counts);
    expect(all!.slice(1)).toEqual(theirs!.slice(1));
    const at = windowBatches({ tokens: source, batch: 2, context: 32, documentMask: true });
    const tokenizer = await readTokenizer(join(dir, "packed"));
    for (let i = 0; i < 50; i++) {
      const { inputIds, labels, documents } = at(i);
      labels.forEach((label, t) => {
        if (label < 0) return;
        // What is predicted is of the same document as what it is predicted from.
        expect(inputIds[t]).not.toBe(tokenizer.eos);
        if ((t + 1) % 32 !== 0) expect([label, documents[t]]).toEqual([inputIds[t + 1], documents[t + 1]]);
      });
    }
    const trained = await anneal([
      "train",
      "--data",
      join(dir, "packed"),
      "--out",
      join(dir, "fit"),
      ...shape,
      ...work,
    ]);
    expect(trained.code, trained.stderr).toBe(0);
    // Without shards made beforehand, training packs them itself.
    const packing = ["--set", "data.packing=bestFit", "--set", "data.documentMask=true"];
    const own = await anneal([
      "train",
      "--data",
      data,
      "--out",
      join(dir, "own"),
      ...shape,
      ...work,
      ...packing,
    ]);
    expect(own.code, own.stderr).toBe(0);
    const weights = ["fit", "own"].map((out) => readFileSync(join(dir, out, "model/model.safetensors")));
    expect(weights[0]!.equals(weights[1]!)).toBe(true);
  }, 90_000);
});

describe("bad places and input", () => {
  it("a folder of someone else's is refused, and stays", async () => {
    mkdirSync(join(dir, "theirs"));
    writeFileSync(join(dir, "theirs/thesis.txt"), "years of work");
    const ended = await run("theirs");
    expect(ended.code).toBe(2);
    expect(onlyJson<{ error: { message: string } }>(ended).error.message).toContain("anneal did not make");
    expect(filesBelow(join(dir, "theirs"))).toEqual(["thesis.txt"]);
  });

  it("a folder whose files only bear names of ours is refused, and stays", async () => {
    const files = { "README.md": "# mine\n", "train.jsonl": "mine\n" };
    for (const [place, marker] of ["work/notes.txt", "index.json", "report.json", "anneal.json"].entries()) {
      const out = join(dir, `mine${place}`);
      mkdirSync(join(out, marker, ".."), { recursive: true });
      const all = { ...files, [marker]: '{"mine": true}' };
      for (const [name, text] of Object.entries(all)) writeFileSync(join(out, name), text);
      expect((await run(`mine${place}`)).code, marker).toBe(2);
      expect(filesBelow(out)).toEqual(Object.keys(all).sort());
    }
  });

  it("the result may lie in the input: it is not read, nor are others of anneal's", async () => {
    const input = join(dir, "inside");
    mkdirSync(input);
    for (const name of ["part0.jsonl", "part1.jsonl"])
      writeFileSync(join(input, name), readFileSync(join(data, name)));
    const flags = ["--format", "jsonl", "--quiet"];
    const of = (paths: readonly string[], out: string) =>
      anneal(["data", ...paths, "--out", join("inside", out), ...flags], { cwd: dir });
    const texts = (out: string) => readFileSync(join(input, out, "train.jsonl"), "utf8");
    expect((await of(["inside"], "one")).code).toBe(0);
    const first = texts("one");
    for (const [paths, out] of [
      [["inside"], "one"],
      [["inside"], "two"],
      [["inside/part0.jsonl", "inside/part1.jsonl", "inside/one"], "one"],
      [["inside/**/*.jsonl"], "one"],
    ] as const) {
      if (out === "one" && paths[0] === "inside/**/*.jsonl") rmSync(join(input, "two"), { recursive: true });
      const ended = await of(paths, out);
      expect(ended.code, ended.stderr).toBe(0);
      expect(texts(out)).toBe(first);
    }
    const within = await of(["inside/one/train.jsonl"], "one");
    expect(within).toMatchObject({ code: 2, stderr: expect.stringContaining("--out") });
    // Named as such, a folder of documents is what is to be trained on, without what is held out.
    const again = await anneal(["data", join(input, "one"), "--out", join(dir, "again"), ...flags]);
    expect(again.code, again.stderr).toBe(0);
    const held = readFileSync(join(input, "one/validation.jsonl"), "utf8").trim().split("\n");
    const ids = new Set(held.map((line) => (JSON.parse(line) as Row).text));
    const kept = readFileSync(join(dir, "again/train.jsonl"), "utf8").trim().split("\n");
    for (const line of kept) expect(ids.has((JSON.parse(line) as Row).text)).toBe(false);
  }, 90_000);

  it("what a killed run left goes with the next, unless another process may be at it", async () => {
    const out = join(dir, "swept");
    // In processes of their own: this one is the other.
    const sweeping = () => annealApart(["data", data, "--out", out, ...vocab, "--quiet"]);
    expect((await sweeping()).code).toBe(0);
    const dead = spawnSync(process.execPath, ["-e", "process.stdout.write(String(process.pid))"]).stdout;
    const left = [`next-${dead}`, `parts/x.tmp-${dead}`, `shards/0-of-1.json.tmp-${dead}`];
    const live = [`next-${process.pid}`, `parts/x.tmp-${process.pid}`];
    for (const name of [...left, ...live]) mkdirSync(join(out, "work", name));
    const half = join(out, "work/lock", `lock.${dead}-x`);
    writeFileSync(half, "");
    expect((await sweeping()).code).toBe(0);
    for (const name of left) expect(existsSync(join(out, "work", name)), name).toBe(false);
    expect(existsSync(half)).toBe(false);
    for (const name of live) expect(existsSync(join(out, "work", name)), name).toBe(true);
    // A shard that another machine is at: its processes cannot be told from dead ones.
    mkdirSync(join(out, "work/lock-1"));
    writeFileSync(join(out, "work/lock-1/lock"), JSON.stringify({ pid: 1, host: "elsewhere" }));
    mkdirSync(join(out, "work", left[1]!));
    expect((await sweeping()).code).toBe(0);
    expect(existsSync(join(out, "work", left[1]!))).toBe(true);
  }, 60_000);

  it("a read-only place is refused", async () => {
    const root = process.getuid?.() === 0;
    const place = root ? "/sys/kernel" : join(dir, "readOnly");
    if (!root) {
      mkdirSync(place);
      chmodSync(place, 0o555);
    }
    const ended = await anneal(["data", data, "--out", join(place, "anneal"), "--json", "--quiet"]);
    expect([1, 2]).toContain(ended.code);
    expect(onlyJson<{ error: { hint?: string } }>(ended).error.hint).toContain("--out");
  });

  it("a disk that takes no more leaves no result, and the run goes on when it does", async () => {
    const out = join(dir, "full");
    const args = ["data", data, "--out", out, ...vocab, "--quiet"];
    // Writing fails beyond so many kilobytes a file, as it does on a full disk.
    const limited = (kilobytes: number) =>
      spawnSync("bash", ["-c", `ulimit -f ${kilobytes}; exec "$0" "$@"`, process.execPath, bin, ...args], {
        encoding: "utf8",
      });
    for (const kilobytes of [20, 60]) {
      const ended = limited(kilobytes);
      expect(ended.status).toBe(1);
      expect(ended.stderr).toMatch(/full.*writing failed/);
      expect(Object.keys(results("full"))).toEqual(["anneal.json"]);
    }
    expect((await anneal(args)).code).toBe(0);
    expect(results("full")).toEqual(results("one"));
  }, 60_000);

  it("a torn row stops the run with its place, unless bad rows may be left out", async () => {
    const torn = join(dir, "torn.jsonl");
    writeFileSync(torn, '{"text": "one two three"}\n{"text": "to\n{"text": "four five six"}\n');
    const args = ["data", torn, "--out", join(dir, "torn"), ...vocab, "--format", "jsonl"];
    expect(await anneal([...args, "--quiet"])).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(":2"),
    });
    const skipped = await anneal([...args, "--skip-bad-rows"]);
    expect(skipped.code, skipped.stderr).toBe(0);
    expect(skipped.stderr).toContain("1 records could not be read");
  });

  it("a shard that is none is refused", async () => {
    for (const shard of ["2/2", "x", "1"]) expect((await run("bad", "--shard", shard)).code).toBe(2);
  });

  it("an interrupted run ends with 130 or 143 and leaves no half result", async () => {
    const out = join(dir, "stopped");
    const { child, finished } = start(["data", data, "--out", out, ...vocab, "--threads", "1"]);
    expect(await until(() => existsSync(join(out, "work/parts")), finished)).toBe(true);
    child.kill("SIGTERM");
    expect((await finished).code).toBe(143);
    expect(filesBelow(out).some((name) => name === "index.json")).toBe(false);
    expect((await run("stopped")).code).toBe(0);
    expect(results("stopped")).toEqual(results("one"));
  }, 60_000);
});
