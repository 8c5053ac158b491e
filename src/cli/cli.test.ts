import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { sharedFlags, type VerbName, verbs } from "./flags/flags.ts";
import { cwd, write } from "./folder.fixture.ts";
import { inProcess } from "./inProcess.fixture.ts";

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

describe("as a process", () => {
  const anneal = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
    new Promise((done) => {
      const { NO_COLOR: _, FORCE_COLOR: __, ...rest } = process.env;
      const bin = resolve("bin/anneal.js");
      const child = spawn(process.execPath, [bin, ...args], { cwd, env: { ...rest, ...env } });
      let [out, err] = ["", ""];
      child.stdout.on("data", (text) => (out += text));
      child.stderr.on("data", (text) => (err += text));
      child.on("close", (code) => done({ code, out, err }));
    });

  const cases: [args: string[], code: number, error: string, hint: string][] = [
    [["quikstart"], 2, "unknown command 'quikstart'", "did you mean quickstart?"],
    [["train", "--lr-mim", "0"], 2, "unknown option '--lr-mim'", "did you mean --lr-min?"],
    [
      ["quickstart", "--layers", "2", "--distill-layers", "3"],
      2,
      "deeper than its teacher of 2",
      "to 2 or less",
    ],
    [
      ["eval", "m", "--steps", "9"],
      2,
      "--steps means nothing to eval",
      "it is for quickstart, train, finetune, distill and sweep",
    ],
    [
      ["optimize", "m", "--set", "train.steps=9"],
      2,
      "means nothing to optimize",
      "it is for quickstart, train",
    ],
    [["generate", "m", "--system", "Be brief."], 2, "--system has no effect without --chat", "add --chat"],
    [["generate", "m", "--greedy", "--top-k", "3"], 2, "cannot be used with option", "leave one of them out"],
    [
      ["export", "m", "--gguf", "f16", "--no-weights"],
      2,
      "--no-weights has no effect on GGUF",
      "add --dtype",
    ],
    [["data", "merge", "corpus", "--shard", "0/2"], 2, "merge takes one folder", "anneal data merge DIR"],
    [["train", "--data", "none.txt"], 3, "none.txt", "check the path"],
    [["train", "--data", "empty.txt"], 3, "there are no documents", ""],
    [["train", "--data", "short.jsonl", "--context", "99"], 3, "one window needs 100", ""],
    [["quickstart", "--heads", "3"], 2, "128 channels (n_embd) do not divide into 3 heads", "such as 129"],
    [["generate", "none"], 3, "none: is no folder", "name a model's folder"],
    [["eval", "none"], 3, "none: is no folder", "name a model's folder"],
    [["optimize", "none"], 3, "none: is no folder", "name a model's folder"],
  ];
  it.each(cases)("%j ends with %i: %s", async (args, code, error, hint) => {
    write("empty.txt", "");
    write("short.jsonl", '{"text": "one two three"}\n{"text": "four five six"}\n');
    const files = readdirSync(cwd);
    const writes = sharedFlags.find(({ name }) => name === "--out")!.verbs.includes(args[0] as VerbName);
    const out = (dir: string): string[] => (writes ? ["--out", dir] : []);
    const plain = await anneal([...args, ...out("a")]);
    const json = await inProcess(cwd, [...args, ...out("b"), "--json"]);
    expect(plain).toMatchObject({ code, out: "" });
    expect(plain.err).toContain(error);
    expect(plain.err).toContain(hint === "" ? "error: " : "hint: ");
    expect(plain.err).not.toMatch(/\n\s+at /);
    expect(plain.err).not.toContain("\u001b");
    expect(json).toMatchObject({ code, out: expect.stringMatching(/^\{.*\}\n$/) });
    const told = (JSON.parse(json.out) as { error: { message: string; hint?: string } }).error;
    expect(told.message).toContain(error);
    expect(told.hint ?? "").toContain(hint);
    const left = readdirSync(cwd, { recursive: true, encoding: "utf8" });
    expect(
      left.filter((name) => /model|step/.test(name)),
      files.join(),
    ).toEqual([]);
  });

  it("doctor ends with 0 and says so as JSON", async () => {
    const { code, out } = await anneal(["doctor", "--json"]);
    expect({ code, ok: JSON.parse(out).ok }).toEqual({ code: 0, ok: true });
  });

  it("--version is a version", async () => {
    expect(await anneal(["--version"])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    });
  });

  it.each(Object.keys(verbs))(
    "%s --help fits a screen; --help all has every option, and examples",
    async (verb) => {
      const common = await inProcess(cwd, [verb, "--help"]);
      const all = await inProcess(cwd, [verb, "--help", "all"]);
      for (const { code, out, err } of [common, all]) {
        expect({ code, err }).toEqual({ code: 0, err: "" });
        expect(out).toMatch(new RegExp(`Examples:\\n {2}\\$ npx anneal ${verb}`));
        expect(Math.max(...out.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(100);
      }
      expect(common.out.trimEnd().split("\n").length).toBeLessThanOrEqual(40);
      const named = (out: string): string[] =>
        Array.from(out.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm), ([, name]) => name!);
      expect(named(all.out)).toEqual(expect.arrayContaining(named(common.out)));
      for (const { name } of sharedFlags.filter(({ verbs: its }) => its.includes(verb as VerbName)))
        expect(named(all.out)).toContain(name);
    },
  );

  it("control characters of a path reach the terminal as text, in colour too", async () => {
    const evil = "a\u001b]0;title\u0007b.txt";
    const plain = await anneal(["train", "--data", evil]);
    expect(plain.err).toContain("a\\x1b]0;title\\x07b.txt");
    expect(plain.err).not.toContain("\u001b");
    const colored = await anneal(["train", "--data", evil], { FORCE_COLOR: "1" });
    expect(colored.err).toContain("\u001b[31merror:");
    expect(colored.err).not.toContain("\u001b]");
    const both = await anneal(["train", "--data", evil], { FORCE_COLOR: "1", NO_COLOR: "1" });
    expect(both.err).not.toContain("\u001b");
  });
});
