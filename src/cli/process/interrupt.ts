/**
 * Ctrl-C and SIGTERM: the first asks the run to save and leave, the second leaves at once, for the system
 * serves both by then, in the midst of a long computation too. The first SIGINT is served there as well, by a
 * thread of its own; the first SIGTERM when JavaScript is free, since Node lets no thread take it.
 */
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { Interrupted } from "./exit.ts";
import { FINISHING, type InterruptStart } from "./interruptWorker.ts";

/** What a run watches to leave in time. */
export interface Interruptible {
  /** Aborted by the first signal; its reason is an Interrupted that knows the exit code. */
  readonly signal: AbortSignal;
  /** 130 or 143 after a signal, else undefined. */
  exitCode(): number | undefined;
  /** Gives the signals back to Node. */
  dispose(): void;
}

const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/** The compiled form of the thread, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/cli/process/interruptWorker.js", import.meta.url));

/** Ends the process by the signal itself: an orderly exit would end threads inside onnxruntime, and crash. */
const leave = (signal: NodeJS.Signals): void => {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
};

/** Watches for the first SIGINT on a thread; returns what ends it. */
const watch = (onInterrupt: () => void, quiet: boolean): (() => void) => {
  const interruptCell = new Int32Array(new SharedArrayBuffer(4));
  const end = (): void => {
    Atomics.store(interruptCell, 0, 1);
    Atomics.notify(interruptCell, 0);
  };
  const workerData: InterruptStart = { interruptCell, quiet };
  const worker = new Worker(program, { workerData, execArgv: [] });
  worker.unref();
  worker.on("message", onInterrupt);
  // Where no thread can be had, the main thread serves SIGINT when it is free.
  worker.on("error", () => {});
  // A thread that waits would keep an ending process from its end.
  const endings = ["beforeExit", "exit"] as const;
  for (const ending of endings) process.once(ending, end);
  return () => {
    for (const ending of endings) process.off(ending, end);
    end();
  };
};

/** Takes SIGINT and SIGTERM until disposed; `quiet`: without a word, as where another process says it. */
export const interruptible = ({ quiet = false }: { readonly quiet?: boolean } = {}): Interruptible => {
  const controller = new AbortController();
  let code: number | undefined;
  const onSignal = (signal: NodeJS.Signals, told = false): void => {
    const now = codes[signal as keyof typeof codes];
    if (code !== undefined) {
      leave(signal);
      return;
    }
    code = now;
    if (!told && !quiet) process.stderr.write(FINISHING);
    end();
    // A second one that came along is heard first; then no listener holds back the next, whatever is aborted.
    setImmediate(() => {
      release();
      controller.abort(new Interrupted(now));
    });
  };
  const listener = (signal: NodeJS.Signals): void => onSignal(signal);
  const signals = Object.keys(codes) as NodeJS.Signals[];
  for (const signal of signals) process.on(signal, listener);
  const release = (): void => {
    for (const signal of signals) process.off(signal, listener);
  };
  const end = watch(() => onSignal("SIGINT", true), quiet);
  return {
    signal: controller.signal,
    exitCode: () => code,
    dispose() {
      end();
      release();
    },
  };
};
