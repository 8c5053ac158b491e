/**
 * Measuring in a process of its own: its memory is untouched by what the caller holds, and a native abort
 * ends that process only.
 */
import { fork, type Serializable } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Trial } from "../../evaluate/parity/trial.ts";
import type { Probe, Probed } from "../../evaluate/probe.ts";
import { RunError } from "../../util/errors.ts";

/** Where onnxruntime-node computes. */
export type Device = "cpu" | "webgpu";

interface Placed<K extends string> {
  readonly kind: K;
  readonly device: Device;
  /** 0 means as many as there are. */
  readonly threads: number;
  /** Path of each graph by its name. */
  readonly graphs: Readonly<Record<string, string>>;
}

/** What a process can be asked, and what it answers. */
export interface Jobs {
  readonly trial: {
    readonly job: Placed<"trial"> & {
      /** Path of the reference's file. */
      readonly reference: string;
    };
    readonly result: Trial & {
      /** Name and version of the runtime. */
      readonly engine: string;
      /** Growth of the resident set from before loading to the end. */
      readonly memoryBytes: number;
    };
  };
  readonly probe: {
    readonly job: Placed<"probe"> & { readonly probed: Probed };
    readonly result: Probe;
  };
}

/** A job of any kind. */
export type Job = Jobs[keyof Jobs]["job"];

/** How far a process is, of how much. */
export interface Report {
  readonly done: number;
  readonly of: number;
}

/** What a process answers. */
export type Answer = { readonly result: unknown } | { readonly error: string };

/** The compiled form of a worker, from the sources as from the package. */
const programOf = (name: string): string =>
  fileURLToPath(new URL(`../../../dist/node/targets/${name}.js`, import.meta.url));

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const COLOR = /\u001b?\[[0-9;]*m/g;
/** Where in the runtime's own sources an error was raised, and by which condition. */
const PLACE = /^\S*onnxruntime_src\S* .*? was false\. |\S*\/llama\.cpp\//;

/** The last line of a native message, without its colours and place. */
const plain = (text: string): string =>
  text.replace(COLOR, "").trim().split("\n").at(-1)!.trim().replace(PLACE, "");

/** How long a job may take. */
export interface ProcessOptions {
  /** Longest that it may take, milliseconds; 600,000 unless told. */
  readonly timeoutMs?: number;
  /** Ends it at once. */
  readonly signal?: AbortSignal;
  /** Told how far it is, where its kind of job tells. */
  readonly onBatch?: ((done: number, of: number) => void) | undefined;
}

/**
 * Has a job done by a worker (its program's name in this folder) in a fresh process. Throws RunError where it
 * fails, dies or is ended.
 */
export const answerOf = <T>(
  worker: string,
  job: Serializable,
  { timeoutMs = 600_000, signal: stop, onBatch }: ProcessOptions = {},
): Promise<T> =>
  new Promise((resolve, reject) => {
    const child = fork(programOf(worker), {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced", // JSON has no NaN and no Infinity
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
      const said = message as Answer | Report;
      if ("done" in said) onBatch?.(said.done, said.of);
      else answer = said;
    });
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      stop?.removeEventListener("abort", kill);
      if (answer !== undefined && "result" in answer) return resolve(answer.result as T);
      if (late) return reject(new RunError(`the process took longer than ${timeoutMs / 1000} s`));
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      const message = answer?.error ?? `the process ended ${how}: ${log}`;
      reject(new RunError(plain(message)));
    });
    child.send(job);
  });

/** Does a job of onnxruntime-node's in a fresh process. Throws as `answerOf`. */
export const inProcess = <K extends keyof Jobs>(
  job: Jobs[K]["job"] & { readonly kind: K },
  options: ProcessOptions = {},
): Promise<Jobs[K]["result"]> => answerOf("worker", job, options);
