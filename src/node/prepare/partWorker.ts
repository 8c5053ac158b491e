/** A thread that makes parts: takes a task, answers with the part or with what went wrong. */
import { parentPort, workerData } from "node:worker_threads";
import { AnnealError, type ErrorDetails } from "../../util/errors.ts";
import { type MadePart, type PartRun, partMaker } from "./parts.ts";

/** An error as it passes between threads, which keep no classes. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly details?: ErrorDetails;
}

/** The part, or what went wrong. */
export type PartAnswer = { readonly made: MadePart } | { readonly error: PlainError };

/** An error as plain data, to be sent between threads. */
export const plainError = (error: unknown): PlainError => {
  const { name, message } = error as Error;
  if (!(error instanceof AnnealError)) return { name, message };
  const { cause, ...details } = error.details;
  return { name, message, details };
};

/** What a thread is started with. */
export interface PartStart {
  readonly partWorker: PartRun;
}

const start = (workerData as Partial<PartStart> | null)?.partWorker;
if (parentPort !== null && start !== undefined) {
  const port = parentPort;
  const make = partMaker(start);
  port.on("message", (path: string) => {
    make(path).then(
      (made) => port.postMessage({ made } satisfies PartAnswer),
      (error: unknown) => port.postMessage({ error: plainError(error) } satisfies PartAnswer),
    );
  });
}
