/** Ctrl-C and SIGTERM: the first asks the run to save and leave, the second leaves at once. */
import { Interrupted } from "./exit.ts";

export interface Interruptible {
  /** Aborted by the first signal; its reason is an Interrupted that knows the exit code. */
  readonly signal: AbortSignal;
  /** 130 or 143 after a signal, else undefined. */
  exitCode(): number | undefined;
  /** Gives the signals back to Node. */
  dispose(): void;
}

const codes = { SIGINT: 130, SIGTERM: 143 } as const;

/** Ends the process by the signal itself: an orderly exit would end threads inside onnxruntime, and crash. */
const leave = (signal: NodeJS.Signals): void => {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
};

/** Takes SIGINT and SIGTERM until disposed. */
export const interruptible = (): Interruptible => {
  const controller = new AbortController();
  let code: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const now = codes[signal as keyof typeof codes];
    if (code !== undefined) {
      leave(signal);
      return;
    }
    code = now;
    process.stderr.write("\nfinishing the step and saving; again to leave at once\n");
    controller.abort(new Interrupted(now));
  };
  const signals = Object.keys(codes) as NodeJS.Signals[];
  for (const signal of signals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    exitCode: () => code,
    dispose() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
};
