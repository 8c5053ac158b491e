/** `anneal data` as a user runs it: the same bytes of any shards and threads, the report, splits and selection. */
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { readIndex } from "../../src/node/prepare/shards.ts";
import { rng } from "../../src/util/rng.ts";
import { annealHere as anneal, start, until } from "./command.ts";
import {
  DOCUMENTS,
  data,
  dir,
  EMPTY,
  EXACT,
  FILES,
  NEAR,
  prose,
  type Row,
  results,
  run,
  vocab,
} from "./prepared.ts";

interface Stage {
  readonly name: string;
  readonly docsIn: number;
  readonly docsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly reasons: readonly { readonly reason: string; readonly count: number }[];
}

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
