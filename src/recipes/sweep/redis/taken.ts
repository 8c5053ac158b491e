/** A trial taken from Redis: run in this process's own folder, or told at once where that was done before. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { discard, writeFileDurable } from "../../../node/files/files.ts";
import type { Jobs, TakenJob } from "../../../node/redis/jobs.ts";
import { checkValues, keyOf, type Space } from "../../../search/space/space.ts";
import { defined } from "../../../util/defined.ts";
import { RunError } from "../../../util/errors.ts";
import type { Ui } from "../../context/ui.ts";
import { jobOf } from "../../redis/messages.ts";
import type { Ended } from "../log.ts";
import { BEGUN, givenUp, type Taken, trialIn } from "../queue.ts";
import { type Asked, askedOf, type Kept, keptOf, type Result } from "./messages.ts";

/** Of a trial whose end could not be told: what it came to. */
const KEPT = "ended.json";

/** Where trials are run, and of which sweep. */
export interface Place {
  readonly jobs: Jobs;
  /** Whether the owner sees this folder, too: what trials make need not be sent. */
  readonly isShared: boolean;
  readonly ui: Ui;
  readonly dir: string;
  readonly study: string;
  readonly space: Space;
}

/** The trial of a job. Throws RunError where it is none of this sweep: another writes into the queue. */
const trialOf = ({ id, data }: TakenJob, { study, space }: Place): Asked => {
  const asked = askedOf(data);
  try {
    if (asked === undefined || id !== jobOf(study, asked.number)) throw new TypeError("is no trial");
    checkValues(space, asked.values);
    return asked;
  } catch (cause) {
    throw new RunError("what the queue in Redis holds is no trial of this sweep", {
      cause,
      hint: "see that nothing else writes there, or name another queue: redis://HOST:PORT#NAME",
    });
  }
};

/** What a trial came to whose end could not be told. */
const keptIn = async (path: string, study: string, { values }: Asked): Promise<Ended | undefined> => {
  const text = await readFile(path, "utf8").catch(() => undefined);
  const kept = text === undefined ? undefined : keptOf(text);
  return kept?.study === study && keyOf(kept.values) === keyOf(values) ? kept.ended : undefined;
};

/** What is told of a trial that has ended here, once its files are sent. */
const told = async (
  { id }: TakenJob,
  ended: Ended,
  { jobs, isShared, ui, ...place }: Place,
): Promise<Result> => {
  if (isShared) return { ended, files: [] };
  const folder = join(place.dir, `trial-${id.slice(place.study.length + 1)}`);
  const files = await jobs.send(id, folder).catch((error: unknown) => {
    if (jobs.lost.aborted) throw error;
    ui.warn(error instanceof Error ? error.message : String(error));
    return undefined;
  });
  if (files === undefined) ui.warn(`what ${folder} holds was not sent, and stays here`);
  return { ended, ...defined({ files }) };
};

/** The trial of a job, to be run; "wait" where it needed no run. Throws RunError for what is no trial. */
export const takenFrom = async (job: TakenJob, place: Place): Promise<Taken | "wait"> => {
  const { dir, study } = place;
  const asked = trialOf(job, place);
  const folder = trialIn(dir, asked);
  const path = join(folder, KEPT);
  const before = job.stalls >= BEGUN ? givenUp({}) : await keptIn(path, study, asked);
  if (before !== undefined) {
    await job.end(await told(job, before, place));
    return "wait";
  }
  // Its run was locked by who is gone, be it on another machine.
  await discard(join(folder, "run", "lock"));
  const keep = async (ended: Ended): Promise<void> => {
    const kept: Kept = { study, values: asked.values, ended };
    await writeFileDurable(path, [Buffer.from(`${JSON.stringify(kept)}\n`)]);
  };
  const { number, values, others } = asked;
  return {
    ...{ trial: { number, values, state: "running" }, others, lost: job.lost },
    async end(ended) {
      if (ended === undefined) return job.leave();
      try {
        const isTold = await job.end(await told(job, ended, place));
        if (!isTold) await keep(ended);
        return isTold;
      } catch (error) {
        await keep(ended);
        throw error;
      }
    },
  };
};
