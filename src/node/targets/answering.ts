/** The other end of `process.ts`: a worker gets one job, answers, and leaves. */
import type { Answer, Report } from "./process.ts";

/** Tells how far a job is. */
export type Tell = (done: number, of: number) => void;

const tell: Tell = (done, of) => void process.send!({ done, of } satisfies Report);

/** Does the one job that this process is sent. */
export const answerOnce = (work: (job: unknown, tell: Tell) => Promise<unknown>): void => {
  process.once("message", async (job) => {
    const answer = await work(job, tell).then(
      (result): Answer => ({ result }),
      (error): Answer => ({ error: error instanceof Error ? error.message : String(error) }),
    );
    // A runtime's threads may outlive the work, or crash at the end: what was found is sent first.
    process.send!(answer, () => process.exit(0));
  });
};
