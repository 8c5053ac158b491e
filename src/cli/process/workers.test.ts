import { availableParallelism } from "node:os";
import { CommanderError } from "commander";
import { expect, test } from "vitest";
import { defaults } from "../../recipes/config/options.ts";
import { ConfigError } from "../../util/errors.ts";
import { failureOf } from "./failure.ts";
import { queueUrl, requireNoQueue } from "./queue.ts";
import { sharingCores, withWorkers, workerWords } from "./workers.ts";

test("a worker is the same command without what is of the first process alone", () => {
  const words = ["sweep", "--data", "a.txt", "b.txt", "--workers", "3", "--json", "--resume", "--out", "s"];
  const own = ["sweep", "--data", "a.txt", "b.txt", "--out", "s", "--threads", "2", "--quiet", "--join"];
  expect(workerWords(words, 2)).toEqual(own);
  const asked = ["sweep", "--queue", "redis://u:p@host", "--out", "s"];
  const told = ["sweep", "--out", "s", "--queue", "redis", "--threads", "2", "--quiet", "--join"];
  expect(workerWords(asked, 2, "redis://u:p@host")).toEqual(told);
  expect(workerWords(["sweep", "--workers=3", "--trials", "4"], 1).slice(0, 3)).toEqual([
    "sweep",
    "--trials",
    "4",
  ]);
});

test("a Redis is that of the flag or of the environment; no password is told of what failed", () => {
  const env = { ANNEAL_REDIS_URL: "redis://:p@box" };
  expect(queueUrl(undefined, env)).toBeUndefined();
  expect(queueUrl("redis", env)).toBe("redis://:p@box");
  expect(queueUrl("redis://other:7000", env)).toBe("redis://other:7000");
  expect(() => queueUrl("redis", {})).toThrow(/environment/);
  expect(() => queueUrl("folder", env)).toThrow(/no address/);
  expect(() => requireNoQueue(["sweep", "--queue=redis://u:p@box"])).toThrow(/ranks share OUT/);
  const failed = new CommanderError(1, "x", "error: unknown option '--queue=redis://me:secret@box'");
  expect(JSON.stringify(failureOf(failed, true, "train"))).not.toContain("secret");
  const asked = new ConfigError("no", { file: "redis://me:secret@box", hint: "redis://me:secret@box" });
  expect(JSON.stringify(failureOf(asked, true))).not.toContain("secret");
});

test("processes share the cores where nothing is said of threads", () => {
  const each = Math.max(1, Math.floor(availableParallelism() / 2));
  expect(sharingCores(defaults, 2).threads).toBe(each);
  expect(sharingCores(defaults, 1)).toBe(defaults);
  expect(sharingCores({ ...defaults, threads: 5 }, 2).threads).toBe(5);
  expect(sharingCores(defaults, 1000).threads).toBe(1);
});

test("without workers the work is done, and its error is its own", async () => {
  expect(await withWorkers(0, { threads: 1 }, async () => 7)).toBe(7);
  await expect(withWorkers(0, { threads: 1 }, () => Promise.reject(new Error("its own")))).rejects.toThrow(
    "its own",
  );
});
