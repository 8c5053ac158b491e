/** Runs the real command line (bin/anneal.js over dist) in child processes, on a small seeded corpus. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { inProcess } from "../../src/cli/inProcess.fixture.ts";
import { rng } from "../../src/util/rng.ts";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const bin = join(root, "bin/anneal.js");

export interface Finished {
  readonly code: number | null;
  readonly killedBy: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  /** On top of this process's environment; undefined takes a variable away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Starts `anneal ...args`; `finished` resolves when the process has ended. */
export const start = (
  args: readonly string[],
  options: RunOptions = {},
): { readonly child: ChildProcess; readonly finished: Promise<Finished> } => {
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env;
  const child = spawn(process.execPath, [bin, ...args], {
    cwd: options.cwd,
    env: { ...env, ...options.env },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdin.on("error", () => {});
  child.stdin.end(options.input ?? "");
  const finished = new Promise<Finished>((done, fail) => {
    child.on("error", fail);
    child.on("close", (code, killedBy) => done({ code, killedBy, stdout, stderr }));
  });
  return { child, finished };
};

/** Runs `anneal ...args` to its end. */
export const anneal = (args: readonly string[], options: RunOptions = {}): Promise<Finished> =>
  start(args, options).finished;

let before: Promise<unknown> = Promise.resolve();

/**
 * The same in this process, one after the other: for what is told and written, where no process is needed to
 * show it. Starting one takes longer than most of what it is to do.
 */
export const annealHere = async (args: readonly string[], options: RunOptions = {}): Promise<Finished> => {
  if (options.input !== undefined || options.env !== undefined) return anneal(args, options);
  const ended = before.then(() => inProcess(options.cwd ?? process.cwd(), args));
  before = ended.catch(() => undefined);
  const { code, out, err } = await ended;
  return { code, killedBy: null, stdout: out, stderr: err };
};

/** Waits until `holds`, or until the process has ended; says whether it held. */
export const until = async (holds: () => boolean, ended: Promise<unknown>): Promise<boolean> => {
  let over = false;
  void ended.then(() => {
    over = true;
  });
  while (!holds()) {
    if (over) return holds();
    await sleep(2);
  }
  return true;
};

/** Lines of a file so far; 0 where it is not there. */
export const lineCount = (path: string): number => {
  try {
    return readFileSync(path, "utf8").split("\n").length - 1;
  } catch {
    return 0;
  }
};

/** All files below `dir`, relative, sorted; [] where it is not there. */
export const filesBelow = (dir: string): string[] => {
  try {
    return readdirSync(dir, { recursive: true, encoding: "utf8" })
      .filter((name) => statSync(join(dir, name)).isFile())
      .sort();
  } catch {
    return [];
  }
};

const words = {
  adjective: ["quiet", "bright", "old", "narrow", "green"],
  noun: ["river", "lamp", "stone", "garden", "engine", "letter", "winter", "window"],
  verb: ["holds", "follows", "finds", "carries", "leaves"],
};

/** Seeded pseudo-sentences, no two alike. */
export const sentences = (count: number, seed = 1): string[] => {
  const random = rng(seed, "sentences");
  const pick = (from: readonly string[]): string => from[random.int(from.length)]!;
  return Array.from({ length: count }, (_, i) => {
    const [a, b] = [pick(words.adjective), pick(words.adjective)];
    const place = `${pick(words.noun)} ${i}`;
    return `The ${a} ${pick(words.noun)} ${pick(words.verb)} the ${b} ${pick(words.noun)} near ${place}.`;
  });
};

/** Writes the sentences as the lines of DIR/corpus.jsonl and returns DIR. */
export const writeCorpus = (dir: string, count = 400): string => {
  mkdirSync(dir, { recursive: true });
  const lines = sentences(count).map((text) => `${JSON.stringify({ text })}\n`);
  writeFileSync(join(dir, "corpus.jsonl"), lines.join(""));
  return dir;
};

/** The one JSON object that stdout must be. Throws where it is anything else. */
export const onlyJson = <T>({ stdout }: Finished): T => {
  const lines = stdout.split("\n");
  if (lines.length !== 2 || lines[1] !== "" || !lines[0]!.startsWith("{")) {
    throw new Error(`stdout is not one JSON object and nothing else: ${JSON.stringify(stdout)}`);
  }
  return JSON.parse(lines[0]!) as T;
};
