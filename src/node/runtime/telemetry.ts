/**
 * onnxruntime-node carries a telemetry client on Linux and macOS (1.30): with the process's first
 * session it writes a device's id and a queue below the user's cache folder, and seconds later asks for its
 * collector. Only a variable of the process's own environment stops it, so this is the one place below the
 * command line that touches the environment.
 */
import { isMainThread } from "node:worker_threads";
import { RunError } from "../../util/errors.ts";

/** Longest that the main thread may take to answer, milliseconds. */
const PATIENCE_MS = 5000;

const SETTING = 'process.env.ORT_DISABLE_TELEMETRY = "1"';

/**
 * Sets the variable in the main thread, which alone has the process's environment: that of a worker is a
 * copy. The inspector reaches a main thread that computes, and code that does not know of this one.
 */
const setInMain = async (): Promise<void> => {
  const { Session } = await import("node:inspector/promises");
  const session = new Session();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the main thread does not answer")), PATIENCE_MS);
  });
  try {
    session.connectToMainThread();
    await Promise.race([session.post("Runtime.evaluate", { expression: SETTING }), late]);
  } finally {
    clearTimeout(timer);
    session.disconnect();
  }
};

/**
 * Turns the runtime's telemetry off for the whole process; to be called before the first session. In a worker
 * that cannot reach its main thread the variable must be there already. Throws RunError where it is not.
 */
export const withoutTelemetry = async (): Promise<void> => {
  if (isMainThread) {
    process.env.ORT_DISABLE_TELEMETRY = "1";
    return;
  }
  try {
    await setInMain();
  } catch (cause) {
    if (process.env.ORT_DISABLE_TELEMETRY === "1") return;
    throw new RunError("the telemetry of onnxruntime-node cannot be turned off from this worker thread", {
      cause,
      hint: "start the process with ORT_DISABLE_TELEMETRY=1, or call nodeEngine in its main thread first",
    });
  }
};
