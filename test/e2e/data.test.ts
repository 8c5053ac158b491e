/** `anneal data` as a user runs it: shards, resumption, bad places, and training from what it wrote. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { batches } from "../../src/data/batch/batches.ts";
import { windowBatches } from "../../src/data/batch/windows.ts";
import { readTokenizer } from "../../src/node/model/tokenizerFiles.ts";
import { readIndex, shardSource } from "../../src/node/prepare/shards.ts";
import { rng } from "../../src/util/rng.ts";
import { anneal, filesBelow, onlyJson, start, until } from "./command.ts";

const bin = fileURLToPath(new URL("../../bin/anneal.js", import.meta.url));
const dir = mkdtempSync(join(tmpdir(), "anneal-data-"));
const data = join(dir, "data");
const FILES = 7;
const DOCUMENTS = 60;

const vocabulary = Array.from({ length: 400 }, (_, i) => {
  const random = rng(7, `word/${i}`);
  return Array.from({ length: 3 + random.int(5) }, () => String.fromCharCode(97 + random.int(26))).join("");
});

/** A text of random words: no two have shingles in common. */
const prose = (seed: number, words: number): string[] => {
  const random = rng(seed, "prose");
  return Array.from({ length: words }, () => vocabulary[random.int(vocabulary.length)]!);
};

/** A document, and versions of it with one word changed. */
const edited = (words: readonly string[], at: number): string =>
  words.map((word, i) => (i === at ? "changed" : word)).join(" ");

const NEAR = 12;
const EXACT = 9;
const EMPTY = 5;

/** Files of documents, among them copies and near copies that stand in other files than what they copy. */
const writeData = (): void => {
  mkdirSync(data);
  const texts: string[][] = Array.from({ length: FILES }, () => []);
  for (let i = 0; i < FILES * DOCUMENTS; i++) texts[i % FILES]!.push(prose(i, 120).join(" "));
  for (let i = 0; i < NEAR; i++) texts[(i + 3) % FILES]!.push(edited(prose(i, 120), 60 + i));
  for (let i = 0; i < EXACT; i++) texts[(i + 1) % FILES]!.push(`  ${prose(100 + i, 120).join(" ")} \n`);
  for (let i = 0; i < EMPTY; i++) texts[i % FILES]!.push(" \n");
  texts.forEach((list, i) => {
    const rows = list.map((text, n) => JSON.stringify({ text, name: `${i}/${n}` }));
    writeFileSync(join(data, `part${i}.jsonl`), `${rows.join("\n")}\n`);
  });
};

const vocab = ["--vocab", "300", "--context", "32"];
const run = (out: string, ...more: string[]) =>
  anneal(["data", data, "--out", join(dir, out), ...vocab, "--quiet", "--json", ...more]);

/** Every file that is a result, by its name. */
const results = (out: string): Record<string, string> =>
  Object.fromEntries(
    filesBelow(join(dir, out))
      .filter((name) => !name.startsWith("work"))
      .map((name) => [name, readFileSync(join(dir, out, name)).toString("base64")]),
  );

interface Stage {
  readonly name: string;
  readonly docsIn: number;
  readonly docsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
}

beforeAll(async () => {
  writeData();
  const made = await run("one");
  expect(made.code, made.stderr).toBe(0);
}, 180_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("the same bytes", () => {
  it("come of 1, 2 and 5 shards, made in any order", async () => {
    const expected = results("one");
    expect(Object.keys(expected)).toContain("train-00000.bin");
    for (const n of [2, 5]) {
      const out = `shards${n}`;
      for (let i = n - 1; i >= 0; i--) {
        const shard = await run(out, "--shard", `${i}/${n}`);
        expect(shard.code, shard.stderr).toBe(0);
        if (i === n - 1) {
          const early = await anneal(["data", "merge", join(dir, out), "--quiet"]);
          expect(early).toMatchObject({ code: 3, stderr: expect.stringContaining("--shard 0/") });
        }
      }
      const merged = await anneal(["data", "merge", join(dir, out), "--quiet"]);
      expect(merged.code, merged.stderr).toBe(0);
      expect(results(out)).toEqual(expected);
    }
  }, 120_000);

  it("come of 1 thread and of 4", async () => {
    const many = await run("threads", "--threads", "4");
    expect(many.code, many.stderr).toBe(0);
    expect((await run("thread", "--threads", "1")).code).toBe(0);
    expect(results("threads")).toEqual(results("one"));
    expect(results("thread")).toEqual(results("one"));
  }, 60_000);

  it("come of a run that was killed and run again, which makes no whole part anew", async () => {
    const out = join(dir, "killed");
    const parts = join(out, "work/parts");
    const args = ["data", data, "--out", out, ...vocab, "--quiet", "--threads", "1"];
    const { child, finished } = start(args);
    const whole = (): string[] =>
      existsSync(parts) ? readdirSync(parts).filter((name) => !name.includes(".tmp")) : [];
    expect(await until(() => whole().length >= 2, finished)).toBe(true);
    child.kill("SIGKILL");
    await finished;
    const kept = whole();
    const stamp = new Date(1e12);
    for (const name of kept) utimesSync(join(parts, name, "docs.jsonl"), stamp, stamp);
    const again = await anneal(args);
    expect(again.code, again.stderr).toBe(0);
    expect(results("killed")).toEqual(results("one"));
    for (const name of kept) expect(statSync(join(parts, name, "docs.jsonl")).mtimeMs).toBe(1e12);
  }, 60_000);
});

describe("the report", () => {
  it("adds up from stage to stage, and finds what was planted", () => {
    const { stages } = JSON.parse(readFileSync(join(dir, "one/report.json"), "utf8")) as { stages: Stage[] };
    stages.forEach((stage, i) => {
      if (i > 0) expect(stage.docsIn, stage.name).toBe(stages[i - 1]!.docsOut);
      if (i > 0) expect(stage.bytesIn, stage.name).toBe(stages[i - 1]!.bytesOut);
    });
    expect(stages[0]!.docsIn).toBe(FILES * DOCUMENTS + NEAR + EXACT + EMPTY);
    const count = (reason: string): number =>
      stages.flatMap(({ reasons }) => reasons).find((r) => r.reason === reason)?.count ?? 0;
    expect(count("empty")).toBe(EMPTY);
    expect(count("exact duplicate")).toBe(EXACT);
    expect(count("near duplicate")).toBeGreaterThanOrEqual(NEAR - 1);
    const { splits } = readIndex(join(dir, "one"));
    expect(splits.train!.documents + splits.validation!.documents).toBe(stages.at(-1)!.docsOut);
    expect(splits.train!.bytes + splits.validation!.bytes).toBe(stages.at(-1)!.bytesOut);
    const drops = readFileSync(join(dir, "one/duplicates.jsonl"), "utf8").trim().split("\n");
    expect(drops).toHaveLength(count("exact duplicate") + count("near duplicate"));
    for (const line of drops) {
      const { id, matched } = JSON.parse(line) as { id: string; matched: string };
      expect([id, matched].every((name) => name.startsWith(data))).toBe(true);
    }
  });
});

interface Row {
  readonly id: string;
  readonly text: string;
}

describe("splits", () => {
  const rows = (out: string, name: string): Row[] =>
    gunzipSync(readFileSync(join(dir, out, `${name}.jsonl.gz`)))
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Row);

  it("are whole, have no near-duplicate of another part, and hold still when documents come", async () => {
    const flags = ["--format", "jsonl", "--gzip", "--test-share", "0.1", "--validation-share", "0.1"];
    expect((await run("rows", ...flags)).code).toBe(0);
    const names = ["train", "validation", "test"];
    const parts = names.map((name) => rows("rows", name));
    for (const part of parts) expect(part.length).toBeGreaterThan(5);
    const shingles = ({ text }: Row): string[] => {
      const words = text.split(" ");
      return words.slice(4).map((_, i) => words.slice(i, i + 5).join(" "));
    };
    const sides = new Map<string, number>();
    parts.forEach((part, side) => {
      for (const row of part) {
        const common = shingles(row).filter((s) => sides.get(s) !== undefined && sides.get(s) !== side);
        expect(common.length).toBeLessThan(20);
      }
      for (const row of part) for (const s of shingles(row)) sides.set(s, side);
    });
    const more = join(dir, "more.jsonl");
    const added = Array.from({ length: 40 }, (_, i) =>
      JSON.stringify({ text: prose(9000 + i, 90).join(" ") }),
    );
    writeFileSync(more, `${added.join("\n")}\n`);
    const args = ["data", data, more, "--out", join(dir, "grown"), ...vocab, ...flags, "--quiet"];
    expect((await anneal(args)).code).toBe(0);
    const before = new Map(parts.flatMap((part, side) => part.map(({ text }) => [text, side] as const)));
    names.forEach((name, side) => {
      for (const { text } of rows("grown", name)) {
        if (before.has(text)) expect(before.get(text)).toBe(side);
      }
    });
  }, 60_000);

  it("keep a group together", async () => {
    // Groups are of records that name one; without that field each document is its own.
    const file = join(dir, "groups.jsonl");
    const lines = Array.from({ length: 80 }, (_, i) =>
      JSON.stringify({ text: prose(500 + i, 60).join(" "), book: `book ${i % 16}` }),
    );
    writeFileSync(file, `${lines.join("\n")}\n`);
    const args = ["data", file, "--out", join(dir, "groups"), "--group-field", "book", "--format", "jsonl"];
    const ended = await anneal([...args, "--validation-share", "0.2", "--quiet"]);
    expect(ended.code, ended.stderr).toBe(0);
    const groups = ["train", "validation"].map((name) => {
      const text = readFileSync(join(dir, "groups", `${name}.jsonl`), "utf8").trim();
      return new Set(text.split("\n").map((line) => (JSON.parse(line) as { group: string }).group));
    });
    for (const group of groups[1]!) expect(groups[0]!.has(group)).toBe(false);
    expect(groups[0]!.size + groups[1]!.size).toBe(16);
  });
});

describe("flags and fields that do nothing", () => {
  it.each([
    [["--near", "off", "--keep", "longest"], 2, /near-duplicates are not looked for/],
    [["--gzip"], 2, /--format jsonl/],
    [["--group-field", "usr"], 3, /"usr", which is to name its group.*--group-field/s],
    [["--source-field", "usr"], 3, /"usr", which is to name its source/],
    [["--languages", "id"], 2, /known: am ar/],
    [
      ["--threshold", "gopher.minWords=9999"],
      3,
      /filters dropped \d+ of \d+: \d+ by gopher.minWords, such as/,
    ],
  ])("%j end the run", async (flags, code, says) => {
    const args = ["data", data, "--out", join(dir, "nothing"), ...vocab, ...flags, "--quiet"];
    expect(await anneal(args)).toMatchObject({ code, stderr: expect.stringMatching(says) });
  });

  it("a merge takes no options but its shards'", async () => {
    const ended = await anneal(["data", "merge", join(dir, "one"), "--near", "off"]);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining("merge takes one folder") });
  });
});

describe("selection and decontamination", () => {
  /** Text about the sea among text about nothing. */
  const sea = "the ship on the grey sea under a cold wind with its old captain and the long slow waves";
  const ofSea = (seed: number): string => {
    const random = rng(seed, "sea");
    const words = sea.split(" ");
    return Array.from({ length: 80 }, () => words[random.int(words.length)]).join(" ");
  };

  it("tells how a selection stands for its target, and what of evaluation files was in the text", async () => {
    const pool = join(dir, "pool.jsonl");
    const quiz = prose(4242, 40).join(" ");
    const texts = [
      ...Array.from({ length: 60 }, (_, i) => prose(700 + i, 80).join(" ")),
      ...Array.from({ length: 20 }, (_, i) => ofSea(i)),
      `${prose(4000, 30).join(" ")} ${quiz} ${prose(4001, 30).join(" ")}`,
    ];
    writeFileSync(pool, texts.map((text) => `${JSON.stringify({ text })}\n`).join(""));
    const target = join(dir, "target.jsonl");
    const targets = Array.from({ length: 12 }, (_, i) => JSON.stringify({ text: ofSea(100 + i) }));
    writeFileSync(target, `${targets.join("\n")}\n`);
    const evaluation = join(dir, "quiz.jsonl");
    writeFileSync(evaluation, `${JSON.stringify({ text: quiz })}\n`);
    const flags = ["--like", target, "--like-share", "0.2", "--decontaminate", evaluation, "--near", "off"];
    const out = join(dir, "chosen");
    const ended = await anneal(["data", pool, "--out", out, "--format", "jsonl", "--quiet", ...flags]);
    expect(ended.code, ended.stderr).toBe(0);
    const chosen = readFileSync(join(out, "train.jsonl"), "utf8").trim().split("\n");
    const ours = chosen.filter((line) => / (?:ship|sea|captain|waves) /.test(line));
    expect(ours.length / chosen.length).toBeGreaterThan(0.9);
    const report = JSON.parse(readFileSync(join(out, "report.json"), "utf8")) as {
      contamination: { hits: number; ngram: number; examples: { matched: string }[] }[];
      selection: Record<"coverage" | "diversity", { name: string; before: number; after: number }[]> &
        Record<"klBefore" | "klAfter", number>;
    };
    expect(report.contamination).toMatchObject([{ hits: 1, ngram: 13 }]);
    expect(report.contamination[0]!.examples[0]!.matched).toContain("quiz.jsonl");
    const { klBefore, klAfter, coverage, diversity } = report.selection;
    expect(klAfter).toBeLessThan(0.7 * klBefore);
    expect(coverage).toHaveLength(4);
    for (const { before, after } of coverage) {
      for (const share of [before, after]) expect(share > 0 && share <= 1).toBe(true);
    }
    const cosine = diversity.find(({ name }) => name.includes("cosine"))!;
    expect(cosine.after).toBeGreaterThan(cosine.before);
    const html = readFileSync(join(out, "report.html"), "utf8");
    expect(html).toContain("mean cosine of two documents");
  }, 60_000);
});

describe("training", () => {
  const shape = "--layers 1 --heads 1 --width 16 --context 32 --vocab 300".split(" ");
  const work = "--steps 6 --batch 2 --eval-every 3 --seed 1 --quiet".split(" ");

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
    expect((await run("swept")).code).toBe(0);
    const dead = spawnSync(process.execPath, ["-e", "process.stdout.write(String(process.pid))"]).stdout;
    const left = [`next-${dead}`, `parts/x.tmp-${dead}`, `shards/0-of-1.json.tmp-${dead}`];
    const live = [`next-${process.pid}`, `parts/x.tmp-${process.pid}`];
    for (const name of [...left, ...live]) mkdirSync(join(out, "work", name));
    const half = join(out, "work/lock", `lock.${dead}-x`);
    writeFileSync(half, "");
    expect((await run("swept")).code).toBe(0);
    for (const name of left) expect(existsSync(join(out, "work", name)), name).toBe(false);
    expect(existsSync(half)).toBe(false);
    for (const name of live) expect(existsSync(join(out, "work", name)), name).toBe(true);
    // A shard that another machine is at: its processes cannot be told from dead ones.
    mkdirSync(join(out, "work/lock-1"));
    writeFileSync(join(out, "work/lock-1/lock"), JSON.stringify({ pid: 1, host: "elsewhere" }));
    mkdirSync(join(out, "work", left[1]!));
    expect((await run("swept")).code).toBe(0);
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
