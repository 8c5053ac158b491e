/** Chats and preferences by the command line: docs/finetuning.md at a small size, and runs that are killed. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  annealHere as anneal,
  type Finished,
  lineCount,
  onlyJson,
  sentences,
  start,
  until,
} from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-chats-"));
const colours = [
  ["sky", "blue"],
  ["grass", "green"],
  ["coal", "black"],
] as const;
const quiet = ["--threads", "1", "--replicas", "1", "--seed", "2"];

const lines = (name: string, make: (thing: string, colour: string, i: number) => object): void => {
  const rows = Array.from({ length: 72 }, (_, i) => {
    const [thing, colour] = colours[i % 3]!;
    return make(thing, colour, i);
  });
  writeFileSync(join(dir, name), rows.map((row) => JSON.stringify(row)).join("\n"));
};

const run = async (...args: string[]): Promise<Finished> => {
  const finished = await anneal(args, { cwd: dir });
  expect(finished.stderr, args.join(" ")).not.toMatch(/error/i);
  expect(finished.code).toBe(0);
  return finished;
};

beforeAll(async () => {
  const text = colours.map(([thing, colour]) => `what colour is the ${thing}? it is ${colour}.`).join(" ");
  writeFileSync(join(dir, "text.txt"), [...sentences(200), text].join("\n\n"));
  lines("chats.jsonl", (thing, colour, i) => ({
    messages: [
      { role: "user", content: `what colour is the ${thing}? ${i}` },
      { role: "assistant", content: `it is ${colour}.` },
    ],
  }));
  lines("preferences.jsonl", (thing, colour, i) => ({
    ...{
      prompt: `what colour is the ${thing}? ${i}`,
      chosen: `it is ${colour}.`,
      rejected: `who knows ${i}`,
    },
  }));
  const shape = "--layers 1 --heads 2 --width 32 --context 96 --vocab 300 --steps 20 --rules none".split(" ");
  await run("train", "--data", "text.txt", ...shape, ...quiet, "--out", "base");
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const tune = "finetune base/model --data chats.jsonl --epochs 6 --lr 5e-3".split(" ");

test("chats are learnt, answered and measured; preferences move them", async () => {
  const { stdout, stderr } = await run(...tune, ...quiet, "--out", "tuned");
  expect(stdout + stderr).toMatch(/first example: .*\[\[it is \w+\.<\|endoftext\|>\]\]/);
  expect(existsSync(join(dir, "tuned/model/chat_template.jinja"))).toBe(true);

  const asked = ["generate", "tuned/model", "--prompt", "what colour is the coal? 5", "--chat", "--greedy"];
  expect((await run(...asked)).stdout).toContain("it is");

  const measured = await run("eval", "tuned/model", "--data", "chats.jsonl", "--threads", "1", "--json");
  const all = onlyJson<{ task: string; figures: Record<string, { value: number; low: number }> }>(measured);
  expect(all.task).toBe("sft");
  expect(all.figures.natsPerToken!.value).toBeLessThan(1.5);

  const preferring = ["--data", "preferences.jsonl", "--epochs", "4", "--lr", "1e-3", ...quiet];
  const moved = await run("finetune", "tuned/model", ...preferring, "--out", "preferred", "--json");
  const { task: by, figure } = onlyJson<{ task: string; figure: { value: number } }>(moved);
  expect([by, figure.value]).toEqual(["dpo", 1]);
  const against = ["--data", "preferences.jsonl", "--reference", "tuned/model", "--limit", "12", "--json"];
  const judged = onlyJson<typeof all>(await run("eval", "preferred/model", ...against, "--threads", "1"));
  expect([judged.task, judged.figures.rewardAccuracy!.value]).toEqual(["dpo", 1]);
  expect(judged.figures.rewardMargin!.low).toBeGreaterThan(0);
});

test("a run that is killed and resumed ends with the bytes of one that never was", async () => {
  const saved = [...tune, ...quiet, "--checkpoint-every", "4"];
  await run(...saved, "--out", "whole");
  const { child, finished } = start([...saved, "--out", "killed"], { cwd: dir });
  const begun = () => lineCount(join(dir, "killed/run/metrics.jsonl")) > 8;
  expect(await until(begun, finished)).toBe(true);
  child.kill("SIGKILL");
  expect((await finished).killedBy).toBe("SIGKILL");
  await run(...saved, "--out", "killed", "--resume");
  const weights = (out: string) => readFileSync(join(dir, out, "model/model.safetensors"));
  expect(weights("killed").equals(weights("whole"))).toBe(true);
});

test("a row without an answer is named by file and line", async () => {
  writeFileSync(join(dir, "bad.jsonl"), '{"messages": [{"role": "user", "content": "a"}]}\n'.repeat(3));
  const { code, stderr } = await anneal(["finetune", "base/model", "--data", "bad.jsonl"], { cwd: dir });
  expect(code).toBe(3);
  expect(stderr).toMatch(/bad\.jsonl:1, field "messages": the assistant says nothing that could be learnt/);
});
