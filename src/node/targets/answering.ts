/** The other end of `process.ts`: a worker gets one job, answers, and leaves. */
import type { Answer } from "./process.ts";

/** Does the one job that this process is sent. */
export const answerOnce = (done: (job: unknown) => Promise<unknown>): void => {
  process.once("message", async (job) => {
    const answer = await done(job).then(
      (result): Answer => ({ result }),
      (error): Answer => ({ error: error instanceof Error ? error.message : String(error) }),
    );
    // A runtime's threads may outlive the work, or crash at the end: what was found is sent first.
    process.send!(answer, () => process.exit(0));
  });
};
