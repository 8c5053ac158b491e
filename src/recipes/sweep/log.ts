/**
 * A sweep's folder: study.json says what is searched, trials.jsonl what became of each trial, a line when it
 * begins and one when it ends. What follows is made of these alone, so a sweep that was killed goes on as if
 * it had not been.
 */
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { appendLine, writeFileDurable } from "../../node/files/checkpoints.ts";
import type { Space, Values } from "../../search/space/space.ts";
import type { Outcome } from "../../search/study.ts";
import type { Trial } from "../../search/trial.ts";
import type { Judge } from "../../tasks/task.ts";
import { ConfigError, DataError } from "../../util/errors.ts";

/** What a trial ended as, and what is told of it. */
export interface Ended extends Outcome {
  readonly seconds: number;
  readonly steps: number;
  /** What the first objective is, be it the less the better or the more. */
  readonly judge: Pick<Judge, "name" | "better">;
  /** What went wrong. */
  readonly error?: string;
}

/** A trial as the log has it. */
export interface Logged extends Trial, Partial<Pick<Ended, "seconds" | "steps" | "judge" | "error">> {
  /** How often it was begun: more than once where the process ended in it. */
  readonly begun: number;
}

const TRIALS = "trials.jsonl";
/** The file of a sweep's folder that says what is searched. */
export const STUDY = "study.json";

const described = (space: Space): unknown =>
  Object.fromEntries(
    Object.entries(space).map(([name, { when, ...param }]) => [
      name,
      { ...param, ...(when === undefined ? {} : { when: when.toString() }) },
    ]),
  );

/** What makes one sweep another: trials of two are not mixed. */
export const identityOf = (space: Space, rest: Readonly<Record<string, unknown>>): unknown => ({
  ...rest,
  space: described(space),
});

/** The path of the first field in which two differ; undefined where they are alike. */
export const firstDifference = (a: unknown, b: unknown, path: string): string | undefined => {
  if (JSON.stringify(a) === JSON.stringify(b)) return undefined;
  const objects = [a, b].every((x) => typeof x === "object" && x !== null && !Array.isArray(x));
  if (!objects) return path;
  const [left, right] = [a, b] as [Record<string, unknown>, Record<string, unknown>];
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const found = firstDifference(left[key], right[key], path === "" ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  // The order of the parameters is a part of the space.
  return path;
};

/**
 * Begins a sweep in `dir`, or goes on with the one that is there. Throws ConfigError where there is one and
 * `resume` is not asked for, where there is none and it is, and where it is another, naming what differs.
 */
export const openStudy = async (dir: string, identity: unknown, resume: boolean): Promise<void> => {
  const file = join(dir, STUDY);
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) {
    if (resume) {
      throw new ConfigError("there is no sweep to go on with", {
        file: dir,
        hint: "leave out --resume to begin one",
      });
    }
    const bytes = new TextEncoder().encode(`${JSON.stringify(identity, null, 2)}\n`);
    return writeFileDurable(file, [bytes]);
  }
  if (!resume) {
    throw new ConfigError("holds a sweep already", {
      file: dir,
      hint: "go on with it by --resume, or choose another folder with --out",
    });
  }
  const field = firstDifference(parsed(text, file), identity, "");
  if (field === undefined) return;
  throw new ConfigError(`differs from the sweep in ${dir}, whose trials are not comparable`, {
    field,
    hint: "resume with the sweep's own options, or choose another folder with --out",
  });
};

const parsed = (text: string, file: string, line?: number): unknown => {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = "delete the sweep's folder to begin again";
    throw new DataError("is damaged", { file, cause, hint, ...(line === undefined ? {} : { line }) });
  }
};

/** The trials that the log of `dir` tells of. Throws DataError where a line but the last is damaged. */
export const readTrials = (dir: string): Logged[] => {
  const file = join(dir, TRIALS);
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  const trials = new Map<number, Logged>();
  // What follows the last line's end was torn by a crash, and is written again.
  for (const [i, text] of lines.slice(0, -1).entries()) {
    const row = parsed(text, file, i + 1) as Logged & { readonly paused?: true };
    const before = trials.get(row.number);
    // One that was left on purpose is none in which the process ended.
    const begun = (before?.begun ?? 0) + (row.paused ? -1 : row.state === "running" ? 1 : 0);
    trials.set(row.number, { ...before, ...row, begun });
  }
  return [...trials.values()];
};

/** Writes that a trial begins. */
export const logBegin = (dir: string, number: number, values: Values): void =>
  appendLine(join(dir, TRIALS), JSON.stringify({ number, state: "running", values }));

/** Writes that a trial was left to be gone on with. */
export const logPause = (dir: string, number: number): void =>
  appendLine(join(dir, TRIALS), JSON.stringify({ number, state: "running", paused: true }));

/** Writes how a trial ended. */
export const logEnd = (dir: string, number: number, ended: Ended): void =>
  appendLine(join(dir, TRIALS), JSON.stringify({ number, ...ended }));
