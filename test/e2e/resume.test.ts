/** Runs that are killed, interrupted or damaged end with the bytes of a run that never was. */
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rng } from "../../src/util/rng.ts";
import {
  annealHere as anneal,
  type Finished,
  filesBelow,
  lineCount,
  onlyJson,
  start,
  until,
  writeCorpus,
} from "./command.ts";

const dir = mkdtempSync(join(tmpdir(), "anneal-resume-"));
const data = join(dir, "data");
const shape = "--layers 1 --heads 2 --width 16 --context 16 --vocab 280 --dropout 0.1".split(" ");
const work = "--steps 240 --batch 2 --eval-every 20 --checkpoint-every 5 --seed 3 --threads 1".split(" ");

const placeOf = (out: string): string => join(dir, out);
const command = (out: string, ...more: string[]): string[] => [
  "train",
  "--data",
  data,
  "--out",
  placeOf(out),
  ...shape,
  ...work,
  ...more,
];
const train = (out: string, ...more: string[]): Promise<Finished> => anneal(command(out, ...more));
const metrics = (out: string): string => join(placeOf(out), "run/metrics.jsonl");
const weights = (out: string): Buffer => readFileSync(join(placeOf(out), "model/model.safetensors"));
const checkpoints = (out: string): string[] => {
  const place = join(placeOf(out), "run/checkpoints");
  if (!existsSync(place)) return [];
  const steps = readdirSync(place).filter((name) => /^step-\d+$/.test(name));
  return steps.sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
};

/** Starts a run and stops it by `signal` once it has reported `rows` more rows, `delay` ms later. */
const stopAfter = async (
  args: readonly string[],
  out: string,
  { rows, delay = 0, signal }: { rows: number; delay?: number; signal: NodeJS.Signals },
): Promise<Finished> => {
  const before = lineCount(metrics(out));
  const { child, finished } = start(args);
  await until(() => lineCount(metrics(out)) >= before + rows, finished);
  await sleep(delay);
  child.kill(signal);
  return finished;
};

beforeAll(async () => {
  writeCorpus(data);
  expect(await train("whole")).toMatchObject({ code: 0 });
  // A run that was interrupted, for the tests that go on from one.
  const stopped = await stopAfter(command("base", "--json"), "base", { rows: 33, signal: "SIGINT" });
  expect(stopped).toMatchObject({
    code: 130,
    stderr: expect.stringMatching(/go on with: npx anneal train .* --resume\n/),
  });
  expect(onlyJson(stopped)).toEqual({ interrupted: true, exitCode: 130 });
  expect(filesBelow(join(placeOf("base"), "model"))).toEqual([]);
}, 120_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const copyOfBase = (name: string): string => {
  cpSync(placeOf("base"), placeOf(name), { recursive: true });
  return name;
};

describe("a run that is stopped", () => {
  it("killed five times at random moments, ends with the same weights", async () => {
    const random = rng(7, "kills");
    let killed = 0;
    for (let i = 0; i < 5; i++) {
      const resume = checkpoints("killed").length > 0 ? ["--resume"] : [];
      const moment = { rows: i === 0 ? 0 : 1 + random.int(24), delay: random.int(25) };
      const ended = await stopAfter(command("killed", ...resume), "killed", { ...moment, signal: "SIGKILL" });
      expect(ended.stderr).not.toMatch(/error:/);
      killed += +(ended.killedBy === "SIGKILL");
    }
    expect(killed).toBe(5);
    expect(existsSync(join(placeOf("killed"), "model"))).toBe(false);
    const last = await train("killed", "--resume", "--json");
    expect(last).toMatchObject({ code: 0 });
    expect(onlyJson(last)).toMatchObject({ steps: 240, ended: "done" });
    expect(weights("killed").equals(weights("whole"))).toBe(true);
    expect(filesBelow(placeOf("killed")).filter((name) => /tmp|old|lock/.test(name))).toEqual([]);
  });

  it("interrupted by SIGINT, saves the step and goes on with the same weights", async () => {
    // No checkpoint is due before the end: the one that is there is the interruption's.
    const never = ["--checkpoint-every", "1000"];
    const stopped = await stopAfter(command("sigint", ...never), "sigint", { rows: 40, signal: "SIGINT" });
    expect(stopped).toMatchObject({ code: 130, stdout: "" });
    const rows = readFileSync(metrics("sigint"), "utf8").trim().split("\n");
    const { step } = JSON.parse(rows.at(-1)!) as { step: number };
    expect(step).toBeLessThan(240);
    expect(checkpoints("sigint")).toEqual([`step-${step}`]);
    expect(await train("sigint", ...never, "--resume")).toMatchObject({ code: 0 });
    expect(weights("sigint").equals(weights("whole"))).toBe(true);
    const resumed = readFileSync(metrics("sigint"), "utf8").split("\n")[rows.length]!;
    expect(JSON.parse(resumed)).toMatchObject({ event: "resumed", step });
  });

  it("with its newest checkpoint truncated, warns and goes back to the one before", async () => {
    const name = copyOfBase("truncated");
    const [before, newest] = checkpoints(name).slice(-2);
    truncateSync(join(placeOf(name), "run/checkpoints", newest!, "state.safetensors"), 1000);
    const ended = await train(name, "--resume", "--quiet");
    expect(ended.code).toBe(0);
    expect(ended.stderr).toMatch(new RegExp(`warning: DAMAGED CHECKPOINT: .*${newest}/state\\.safetensors`));
    const events = readFileSync(metrics(name), "utf8")
      .split("\n")
      .filter((row) => row.includes('"resumed"'));
    expect(events.map((row) => JSON.parse(row).step)).toEqual([Number(before!.slice(5))]);
    expect(weights(name).equals(weights("whole"))).toBe(true);
  });

  it("with all checkpoints damaged, is refused and not begun anew", async () => {
    const name = copyOfBase("damaged");
    for (const step of checkpoints(name)) {
      truncateSync(join(placeOf(name), "run/checkpoints", step, "state.safetensors"), 10);
    }
    const ended = await train(name, "--resume");
    expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining("there is no sound checkpoint") });
    expect(existsSync(join(placeOf(name), "model"))).toBe(false);
  });

  it("is not gone on with under another learning rate, and the field is named", async () => {
    const name = copyOfBase("other");
    const before = readFileSync(metrics(name));
    const ended = await train(name, "--resume", "--lr", "1e-3", "--json");
    expect(ended.code).toBe(3);
    expect(onlyJson(ended)).toMatchObject({
      error: { name: "CheckpointError", field: "train.lrPeak", hint: expect.stringContaining("resume") },
    });
    expect(readFileSync(metrics(name)).equals(before)).toBe(true);
    expect(existsSync(join(placeOf(name), "model"))).toBe(false);
  });
});

describe("a run resumed on other data", () => {
  const other = (name: string, change: (text: string) => string): string => {
    const folder = join(dir, name);
    writeCorpus(folder);
    const file = join(folder, "corpus.jsonl");
    const rows = readFileSync(file, "utf8").trim().split("\n");
    writeFileSync(
      file,
      rows.map((row) => `${JSON.stringify({ text: change(JSON.parse(row).text) })}\n`).join(""),
    );
    return folder;
  };
  const on = (folder: string, args: readonly string[]) => args.map((arg) => (arg === data ? folder : arg));
  const swapped = (text: string): string => text.replace(/[eo]/g, (c) => (c === "e" ? "o" : "e"));

  it.each([
    ["with letters swapped", swapped, "data.train"],
    ["with other letters", (text: string) => text.replaceAll("e", "é"), "data.train"],
  ])("is refused where the text is another %s, and nothing is touched", async (name, change, field) => {
    const out = copyOfBase(`text-${name.replaceAll(" ", "-")}`);
    const before = filesBelow(placeOf(out));
    const ended = await anneal(on(other(`data-${out}`, change), command(out, "--resume", "--json")));
    expect(ended.code).toBe(3);
    const { error } = onlyJson<{ error: { name: string; field: string; message: string } }>(ended);
    expect(error).toMatchObject({ name: "CheckpointError", field });
    expect(error.message).toMatch(
      /was "\d+ tokens of sha256 [0-9a-f]{16}" in the checkpoint and is "\d+ tokens/,
    );
    expect(filesBelow(placeOf(out))).toEqual(before);
  });

  it("goes on where the same text has another name", async () => {
    const out = copyOfBase("renamed");
    const folder = other("data-renamed", (text) => text);
    expect(await anneal(on(folder, command(out, "--resume")))).toMatchObject({ code: 0 });
    expect(weights(out).equals(weights("whole"))).toBe(true);
  });
});

describe("--resume", () => {
  it.each(["train", "quickstart"])(
    "of %s with nothing to resume is refused, and nothing is trained",
    async (verb) => {
      const out = `none-${verb}`;
      const ended = await anneal([verb, ...command(out, "--resume").slice(1)]);
      expect(ended).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/no sound checkpoint.*\nhint: .*--resume/s),
      });
      expect(filesBelow(placeOf(out))).toEqual([]);
    },
  );
});

describe("a place that is in use", () => {
  it("is left to the process that has it", async () => {
    const first = start(command("busy", "--steps", "100000"));
    expect(await until(() => lineCount(metrics("busy")) > 0, first.finished)).toBe(true);
    const second = await train("busy", "--json");
    first.child.kill("SIGKILL");
    await first.finished;
    expect(second.code).toBe(75);
    const { error } = onlyJson<{ error: { name: string; message: string; hint: string } }>(second);
    expect(error).toMatchObject({ name: "BusyError", hint: expect.stringContaining("wait for it") });
    expect(error.message).toContain(`process ${first.child.pid}`);
  });
});
