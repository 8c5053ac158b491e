/**
 * Ends or fails a verb at calls that change files, then looks at what is left, runs it again and compares with a
 * run that nothing befell.
 */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Call, type Fault, type Faulted, faultsBelow, type RunFaulted } from "./shim.ts";
import { type Verb, verbs, writeTexts } from "./verbs.ts";

const bin = fileURLToPath(new URL("../../bin/anneal.js", import.meta.url));

/** Files by their path below the folder, with a hash; "" of those that differ from run to run (times in them). */
type Files = ReadonlyMap<string, string>;

/** What is wrong after a fault. */
export interface Wrong {
  readonly fault: Fault;
  /** What befell the verb, and at which call. */
  readonly done: string;
  readonly what: readonly string[];
}

/** Chooses which calls of an undisturbed run are to meet a fault. */
export type Points = (calls: readonly Call[]) => readonly Fault[];

const hashOf = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

const filesOf = (dir: string): Files => {
  const entries = readdirSync(dir, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(files.sort().map((path) => [path.slice(dir.length + 1), hashOf(path)]));
};

/** What only a running process may have there. */
const leftovers = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: "utf8" }).filter(
    (path) =>
      /\.(tmp|old)-\d+$|next-\d+$|(^|\/)lock$|lock\.[^/]*$|^tmp\/./.test(path) && !isLockFolder(dir, path),
  );

/** OUT/work/lock is a folder, which stays. */
const isLockFolder = (dir: string, path: string): boolean =>
  path.endsWith("work/lock") && readdirSync(join(dir, path)).length === 0;

/** A verb in a folder of its own, with what an undisturbed run makes there. */
interface Stage {
  readonly verb: Verb;
  readonly dir: string;
  readonly run: RunFaulted;
  readonly command: readonly string[];
  readonly calls: readonly Call[];
  readonly earlier: Files;
  readonly made: Files;
}

const inFolder = (dir: string, args: readonly string[]): string[] => {
  const placed = args.map((arg) => (/^(in|out|made)(\/|$)/.test(arg) ? join(dir, arg) : arg));
  const threads = args[0] === "export" ? [] : ["--threads", "1"];
  return [bin, ...placed, ...threads, "--quiet", "--no-color"];
};

/** The folder as it was before the verb. */
const restore = (dir: string): void => {
  for (const name of ["out", "tmp"]) rmSync(join(dir, name), { recursive: true, force: true });
  mkdirSync(join(dir, "tmp"));
  if (existsSync(join(dir, "start"))) cpSync(join(dir, "start"), join(dir, "out"), { recursive: true });
};

const results = (dir: string, { results: pattern }: Verb): Files =>
  new Map(Array.from(filesOf(dir)).filter(([path]) => pattern.test(path)));

const mustEnd = ({ code, stderr }: Faulted, args: readonly string[]): void => {
  if (code !== 0) throw new Error(`${args.slice(1).join(" ")} ends with ${code}: ${stderr}`);
};

/** All that the verb leaves where nothing befalls it; twice, to know what differs by itself. */
const undisturbed = async (dir: string, run: RunFaulted, command: readonly string[]) => {
  const all: Files[] = [];
  let calls: readonly Call[] = [];
  for (let i = 0; i < 2; i++) {
    restore(dir);
    const ended = await run(command);
    mustEnd(ended, command);
    calls = ended.calls;
    all.push(filesOf(join(dir, "out")));
  }
  const [first, second] = all as [Files, Files];
  const made = new Map(
    Array.from(first, ([path, hash]) => [`out/${path}`, second.get(path) === hash ? hash : ""]),
  );
  return { calls, made };
};

const stageOf = async (verb: Verb, dir: string, run: RunFaulted): Promise<Stage> => {
  writeTexts(dir);
  mkdirSync(join(dir, "tmp"));
  for (const args of verb.before) mustEnd(await run(inFolder(dir, args)), args);
  if (existsSync(join(dir, "out"))) cpSync(join(dir, "out"), join(dir, "start"), { recursive: true });
  const earlier = results(dir, verb);
  const command = inFolder(dir, verb.command);
  return { verb, dir, run, command, earlier, ...(await undisturbed(dir, run, command)) };
};

/** How the verb ended: killed, or with a typed error and code 1, or well where it can do without that call. */
const wrongEnd = ({ code, killedBy, stderr, done }: Faulted): string[] => {
  if (done!.what === "SIGKILL")
    return killedBy === "SIGKILL" || code === 1 ? [] : [`ended with ${code}: ${stderr}`];
  if (code === 0) return [];
  const typed = /^error: /m.test(stderr) && /^hint: /m.test(stderr) && !stderr.includes("did not expect");
  return code === 1 && typed ? [] : [`ended with ${code ?? killedBy}: ${stderr}`];
};

/** Results that are neither an earlier run's nor this one's; where they come together, a mixture of both. */
const wrongResults = ({ verb, dir, earlier, made }: Stage): string[] => {
  const there = results(dir, verb);
  const is = (files: Files) => (path: string) =>
    files.has(path) && ["", there.get(path)].includes(files.get(path)!);
  const half = Array.from(there.keys()).filter(
    (path) =>
      !is(earlier)(path) && !is(made)(path) && !path.endsWith("anneal.json") && !/\.tmp-\d+$/.test(path),
  );
  const wrong = half.map((path) => `${path} is neither the earlier one nor the new one`);
  if (!verb.together || there.size === 0) return wrong;
  const whole = [earlier, new Map(Array.from(made).filter(([path]) => verb.results.test(path)))].some(
    (files) => files.size === there.size && Array.from(files.keys()).every(is(files)),
  );
  return whole ? wrong : [...wrong, "the results are a mixture"];
};

/** What an error that the verb ended with by itself should not leave; where deleting fails it may. */
const wrongLeftovers = ({ dir }: Stage, { code, done }: Faulted): string[] => {
  const mayStay =
    code === null || ["unlink", "rmdir", "rename"].includes(done!.op) || done!.what === "SIGKILL";
  return mayStay ? [] : leftovers(dir).map((path) => `left ${path}`);
};

/** Runs the verb again: it ends well, leaves nothing over, and its files are those of an undisturbed run. */
const wrongAgain = async ({ verb, dir, run, command, made }: Stage, resume: boolean): Promise<string[]> => {
  const going = verb.resumes && resume && existsSync(join(dir, "out/run/checkpoints/latest"));
  const { code, stderr } = await run(going ? [...command, "--resume"] : command);
  if (code !== 0) return [`run again${going ? " with --resume" : ""}, it ends with ${code}: ${stderr}`];
  const there = filesOf(join(dir, "out"));
  const wrong = leftovers(dir).map((path) => `run again, it leaves ${path}`);
  for (const [path, hash] of made) {
    const now = there.get(path.slice("out/".length));
    if (now === undefined) wrong.push(`run again, it makes no ${path}`);
    else if (hash !== "" && hash !== now) wrong.push(`run again, it makes another ${path}`);
  }
  for (const path of there.keys()) if (!made.has(`out/${path}`)) wrong.push(`run again, it adds out/${path}`);
  return wrong;
};

/** Tries each fault; yields all, with what was wrong. */
export async function* sweep(name: string, points: Points): AsyncGenerator<Wrong> {
  const dir = mkdtempSync(join(tmpdir(), "anneal-sweep-"));
  const faults = faultsBelow(dir);
  try {
    const stage = await stageOf(verbs[name]!, dir, faults);
    for (const fault of points(stage.calls)) {
      restore(dir);
      const ended = await faults(stage.command, fault);
      if (ended.done === undefined) continue;
      const { what, op, path } = ended.done;
      const wrong = [...wrongEnd(ended), ...wrongResults(stage), ...wrongLeftovers(stage, ended)];
      wrong.push(...(await wrongAgain(stage, fault.at % 2 === 1)));
      yield { fault, done: `${what} at ${op} ${path.slice(dir.length + 1)}`, what: wrong };
    }
  } finally {
    faults.dispose();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** What a call is, whatever the process, step and hash in its path. */
const kindOf = ({ op, path }: Call): string => `${op} ${path.replace(/[0-9a-f]{8,}|\d+/g, "#")}`;

/** Every call, killed and failed with each of its errors in turn. */
export const every: Points = (calls) =>
  calls.flatMap((_, i) => [
    { at: i + 1, act: "kill" },
    { at: i + 1, act: "error", seed: i },
  ]);

/** The first and the last call of each kind, killed and failed. */
export const ofEachKind: Points = (calls) => {
  const [first, last] = [new Map<string, number>(), new Map<string, number>()];
  calls.forEach((call, i) => {
    if (!first.has(kindOf(call))) first.set(kindOf(call), i);
    last.set(kindOf(call), i);
  });
  const chosen = new Set([...first.values(), ...last.values()]);
  return every(calls).filter(({ at }) => chosen.has(at - 1));
};
