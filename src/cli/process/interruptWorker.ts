/**
 * Waits for the first SIGINT on a thread of its own, since the main thread serves none while JavaScript or a
 * session is busy there. Node gives SIGINT to a script that asks for it (`breakOnSigint`) whatever other
 * threads do; once that script has ended, the next SIGINT ends the process, as by default.
 */
import { writeSync } from "node:fs";
import { Script } from "node:vm";
import { parentPort, workerData } from "node:worker_threads";

/** What the first signal is answered with. */
export const FINISHING = "\nfinishing the step and saving; again to leave at once\n";

/** What the thread is started with: [1], 0 as long as it is to wait. */
export interface InterruptStart {
  readonly interruptCell: Int32Array;
  /** Whether the signal is answered without a word. */
  readonly quiet: boolean;
}

const { interruptCell: cell, quiet }: Partial<InterruptStart> = workerData ?? {};
if (parentPort !== null && cell !== undefined) {
  Object.assign(globalThis, { interruptCell: cell });
  try {
    new Script("Atomics.wait(interruptCell, 0, 0)").runInThisContext({ breakOnSigint: true });
  } catch {
    if (!quiet) writeSync(2, FINISHING);
    parentPort.postMessage("SIGINT");
  }
}
