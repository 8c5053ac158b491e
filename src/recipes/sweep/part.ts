/** The part of a process in a sweep: alone or the first of several, or one that joins. */
import { requireAgreement, tellAll } from "../../distribute/agree.ts";
import { claimFolder } from "../../node/files/claim.ts";
import { begun, whileHeld } from "../../node/files/joined.ts";
import { type Leases, leases } from "../../node/files/lease.ts";
import { lockRun } from "../../node/files/lock.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Ranks, RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { seeOne } from "../train/ranks.ts";
import { openStudy, STUDY } from "./log.ts";
import { type Asking, type Queue, queueIn } from "./queue.ts";

/** What a sweep is about, and where. */
export interface Subject {
  readonly dir: string;
  readonly identity: unknown;
  readonly asking: Asking;
}

/** The part of a process. */
export interface Part {
  readonly queue: Queue;
  /** Leaves the sweep in order. */
  leave(): Promise<void>;
  /** That there is nothing to take part in any more; its reason is a typed error where that is one. */
  readonly gone?: AbortSignal;
}

/** Takes the sweep's folder, begins or goes on with its study, and resolves to what gives it back. */
export const openFolder = async ({ dir, identity }: Subject, resume: boolean) => {
  await claimFolder(dir, { kind: "sweep" });
  const unlock = await lockRun(dir);
  try {
    await openStudy(dir, identity, resume);
    return unlock;
  } catch (error) {
    await unlock();
    throw error;
  }
};

/** Takes the folder, where others may see that it is held. */
const openShared = async (subject: Subject, own: Leases, resume: boolean) => {
  const unlock = await openFolder(subject, resume);
  own.renew(subject.dir);
  return unlock;
};

/** Takes the folder by the first rank for all. */
const openByRanks = async (
  subject: Subject,
  own: Leases,
  { ranks, resume }: { readonly ranks: Ranks; readonly resume: boolean },
) => {
  const { dir, identity } = subject;
  const { collective, watch } = ranks;
  await requireAgreement(collective, { version, identity, resume });
  const unlock = collective.rank === 0 ? await openShared(subject, own, resume) : async () => {};
  if (!(await seeOne(dir, collective))) {
    throw new ConfigError("is not seen by all ranks, whose trials are to stand in it", {
      field: "out",
      hint: "name a folder that all machines share with --out",
    });
  }
  watch();
  return async () => {
    await tellAll(collective, null); // Nobody is at a trial any more.
    await unlock();
  };
};

const enter = async (subject: Subject, own: Leases, hooks: RecipeHooks): Promise<Omit<Part, "queue">> => {
  const { dir, identity } = subject;
  const { ranks, joins, resume = false, signal, ui } = hooks;
  if (ranks !== undefined) return { leave: await openByRanks(subject, own, { ranks, resume }) };
  if (!joins) return { leave: await openShared(subject, own, resume) };
  await begun({ dir, file: STUDY, leases: own, signal });
  await openStudy(dir, identity, true);
  const { gone, end } = whileHeld(dir, own);
  gone.addEventListener("abort", () => ui.warn("the process that began the sweep is gone: this one leaves"));
  return { leave: end, gone };
};

/** Takes part in a sweep whose folder all processes see. */
export const takePart = async (subject: Subject, hooks: RecipeHooks): Promise<Part> => {
  const own = leases();
  try {
    const { leave, ...part } = await enter(subject, own, hooks);
    return {
      ...part,
      queue: queueIn({ ...subject.asking, dir: subject.dir, leases: own }),
      leave: () => leave().finally(() => own.close()),
    };
  } catch (error) {
    own.close();
    throw error;
  }
};
