/**
 * A trial in a process of its own: its memory is untouched by what the caller holds, and a native abort ends
 * that process only. Run as a program it is the measuring side.
 */
import { fork } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { decodeReference } from "../../evaluate/parity/reference.ts";
import { runTrial, type Trial } from "../../evaluate/parity/trial.ts";
import { RunError } from "../../util/errors.ts";
import { nodeEngine } from "./engine.ts";

/** What is tried, and where. */
export interface NodeTrialRequest {
  readonly device: "cpu" | "webgpu";
  readonly threads: number;
  /** Path of each graph by its name. */
  readonly graphs: Readonly<Record<string, string>>;
  /** Path of the reference's file. */
  readonly reference: string;
}

/** The figures of a trial in a process of its own. */
export interface NodeTrial extends Trial {
  /** Name and version of the runtime. */
  readonly engine: string;
  /** Growth of the resident set from before loading to the end. */
  readonly memoryBytes: number;
}

type Answer = { readonly trial: NodeTrial } | { readonly error: string };

const measure = async ({ device, threads, graphs, reference }: NodeTrialRequest): Promise<NodeTrial> => {
  const engine = await nodeEngine(threads > 0 ? { threads, device } : { device });
  const expected = decodeReference(await readFile(reference));
  const before = process.memoryUsage.rss();
  const trial = await runTrial(expected, (name) => engine.load(graphs[name]!));
  const memoryBytes = Math.max(0, process.memoryUsage.rss() - before);
  return { ...trial, memoryBytes, engine: `${engine.name} ${engine.version}` };
};

/** The compiled form of this file, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/runtime/trial.js", import.meta.url));

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const COLOR = /\u001b?\[[0-9;]*m/g;
/** Where in the runtime's own sources an error was raised, and by which condition. */
const PLACE = /^\S*onnxruntime_src\S* .*? was false\. /;

/** The last line of a native message, without its colours and place. */
const plain = (text: string): string =>
  text.replace(COLOR, "").trim().split("\n").at(-1)!.trim().replace(PLACE, "");

/** How long a trial may take. */
export interface NodeTrialOptions {
  /** Longest that it may take, milliseconds; 600,000 unless told. */
  readonly timeoutMs?: number;
  /** Ends it at once. */
  readonly signal?: AbortSignal;
}

/** Runs a trial in a fresh process. Throws RunError where it fails, dies or is ended. */
export const nodeTrial = (
  request: NodeTrialRequest,
  { timeoutMs = 600_000, signal: stop }: NodeTrialOptions = {},
): Promise<NodeTrial> =>
  new Promise((resolve, reject) => {
    const child = fork(program, ["trial"], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced", // JSON has no NaN
    });
    const kill = (): void => void child.kill("SIGKILL");
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      kill();
    }, timeoutMs);
    stop?.addEventListener("abort", kill);
    let log = "";
    let answer: Answer | undefined;
    child.stderr?.on("data", (chunk) => {
      log += chunk;
    });
    child.on("message", (message) => {
      answer = message as Answer;
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", kill);
      if (answer !== undefined && "trial" in answer) return resolve(answer.trial);
      if (late) return reject(new RunError(`the process took longer than ${timeoutMs / 1000} s`));
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      const message = answer?.error ?? `the process ended ${how}: ${log}`;
      reject(new RunError(plain(message)));
    });
    child.send(request);
  });

if (process.argv[2] === "trial" && process.send !== undefined) {
  process.once("message", async (request) => {
    const answer = await measure(request as NodeTrialRequest).then(
      (trial): Answer => ({ trial }),
      (error): Answer => ({ error: error instanceof Error ? error.message : String(error) }),
    );
    // A device's threads may outlive the work, or crash at the end: what was found is sent first.
    process.send!(answer, () => process.exit(0));
  });
}
