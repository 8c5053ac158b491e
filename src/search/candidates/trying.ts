/** Which configurations are tried: what was left open, the mildest cuts, then what the sampler asks for. */
import { defined } from "../../util/defined.ts";
import { keyOf, type Values } from "../space/space.ts";
import type { Trial } from "../trial.ts";
import { teachingMs, watchedBy } from "./dense.ts";
import { type Group, type Hold, runGroup } from "./group.ts";
import { type Makers, noMakers } from "./makers.ts";
import { leavesRoom, ruledOut } from "./ruledOut.ts";
import { type GivenUp, giveUp, isOver, lateWords, postpone, type Run } from "./run.ts";
import { baseKey, cuttableOf, isTaught, openings, siblingsIn, untaught } from "./space.ts";

/** Whether a configuration was asked for. */
export const isTried = ({ study: { trials } }: Run, values: Values): boolean =>
  trials.some((trial) => keyOf(trial.values) === keyOf(values));

/** Whether all that is known of a dense model is that some of its forms cost too much. */
const onlyRefused = ({ records }: Run, values: Values): boolean =>
  records.every((r) => r.stage === "size" || r.stage === "speed" || baseKey(r.values) !== baseKey(values));

/** What is tried next, and the number of its trial where it has one already. */
interface Next {
  readonly values: Values;
  readonly number?: number;
}

/**
 * What a process that ended before had begun; else a form of a dense model of which another was measured, or
 * of which some were refused and not all were looked at.
 */
const leftOpen = (run: Run): Next | undefined => {
  const { options, records } = run;
  const begun = options.keeping.open.find(({ values }) => !isTried(run, values));
  if (begun !== undefined) return begun;
  for (const { values, stage } of records) {
    if (stage !== "measured" && !onlyRefused(run, values)) continue;
    const left = siblingsIn(options.space, values).find((form) => !isTried(run, form));
    if (left !== undefined) return { values: left };
  }
  return undefined;
};

/** Whether a form of a configuration's dense model was measured. */
const isMade = ({ records }: Run, values: Values): boolean =>
  records.some((r) => r.stage === "measured" && baseKey(r.values) === baseKey(values));

/** Those that other processes make, by the numbers of their trials. */
type Pending = Map<number, Group>;

const isPending = (pending: Pending, values: Values): boolean =>
  Array.from(pending.values()).some(({ lead }) => baseKey(lead.values) === baseKey(values));

/**
 * The mildest cut of each kind that was not refused: the first that is not tried yet; of those that are
 * taught the first that leaves room below the limits.
 */
const nextOpening = async ({ run, first, pending }: Trying): Promise<Values | undefined> => {
  const { space } = run.options;
  for (const cuts of first) {
    if (cuts.some((values) => isMade(run, values) || isPending(pending, values))) continue;
    for (const values of cuts) {
      if (isTried(run, values)) continue;
      if (!isTaught(values) || (await leavesRoom(run, siblingsIn(space, values)))) return values;
    }
  }
  return undefined;
};

/** A form of a dense model, and why it is not made. */
interface Verdict {
  readonly values: Values;
  readonly why: GivenUp | undefined;
  readonly seconds: number;
}

/** What each form that was not tried yet would cost. */
const verdictsOf = async (run: Run, forms: readonly Values[]): Promise<Verdict[]> => {
  const found: Verdict[] = [];
  for (const values of forms) {
    const began = performance.now();
    const why = await ruledOut(run, values);
    found.push({ values, why, seconds: (performance.now() - began) / 1000 });
  }
  return found;
};

/**
 * The forms of a configuration's dense model that may keep the limits, where there is time for it. What is
 * noted comes in such an order that a process that ends between goes on with the same numbers.
 */
const fitting = async (
  run: Run,
  { values: asked }: Next,
  trial: Trial | undefined,
): Promise<Group | "refused" | "late"> => {
  const { space, keeping } = run.options;
  const isOwn = (values: Values): boolean => trial !== undefined && keyOf(values) === keyOf(asked);
  const siblings = siblingsIn(space, asked).filter((values) => isOwn(values) || !isTried(run, values));
  const verdicts = await verdictsOf(run, siblings);
  const forms = verdicts.flatMap(({ values, why }) => (why === undefined ? [values] : []));
  const [first] = forms;
  // What was made before is taught.
  const lateMs = first === undefined || isMade(run, first) ? 0 : teachingMs(run, first);
  if (first !== undefined && isOver(run, lateMs + (run.formMs ?? 0))) {
    postpone(run, trial ?? run.study.ask(first)!, lateWords(lateMs), 0);
    return "late";
  }
  const refuse = (which: (values: Values) => boolean): void => {
    for (const { values, why, seconds } of verdicts) {
      if (why === undefined || !which(values)) continue;
      giveUp(run, isOwn(values) ? trial! : run.study.ask(values)!, why, seconds);
    }
  };
  refuse(isOwn);
  const lead = first === undefined ? undefined : forms.some(isOwn) ? trial! : run.study.ask(first)!;
  if (lead !== undefined) keeping.begins(lead.number, lead.values);
  refuse((values) => !isOwn(values));
  return lead === undefined ? "refused" : { lead, forms };
};

/** So many configurations in a row that there is no time to teach, and nothing else is looked for. */
const LATE = 20;

/** What is tried. */
interface Trying {
  readonly run: Run;
  readonly hold: Hold;
  readonly makers: Makers;
  /** Of each way to cut a model, its mildest cuts first. */
  readonly first: readonly (readonly Values[])[];
  /** Dense models that were begun. */
  readonly made: Set<string>;
  readonly pending: Pending;
  late: number;
  /** Tried next, in place of what there is no time to teach. */
  instead?: Values | undefined;
}

/** Measures a dense model's forms, making it first where no other process has. */
const measure = async (trying: Trying, group: Group): Promise<void> => {
  const { run, hold, made } = trying;
  await runGroup(run, group, hold);
  became(trying, group.lead.values, run.records.at(-1)?.stage === "time" ? "late" : "made");
  if (run.records.at(-1)?.stage !== "time") made.add(baseKey(group.lead.values));
};

/** What there is no time to teach may be worth something as it is. */
const became = (trying: Trying, values: Values, how: "made" | "refused" | "late"): void => {
  const { run } = trying;
  trying.late = how === "late" ? trying.late + 1 : 0;
  const plain = how === "late" ? untaught(run.options.space, values) : undefined;
  trying.instead = plain === undefined || isTried(run, plain) ? undefined : plain;
};

/** Asks other processes to make a group's dense model. */
const offer = async ({ run, makers, pending, made }: Trying, group: Group): Promise<void> => {
  const { lead } = group;
  const { options } = run;
  pending.set(lead.number, group);
  made.add(baseKey(lead.values));
  const { left } = options;
  const watched = await watchedBy(run, lead.values);
  const leftMs = left?.() ?? Number.POSITIVE_INFINITY;
  const more = defined({ watched, leftMs: Number.isFinite(leftMs) ? leftMs : undefined });
  await makers.offer({ number: lead.number, values: lead.values, ...more });
};

/** Begins the next configuration, where there is one: makes it, or has it made. */
const beginNext = async (trying: Trying, beside: boolean): Promise<boolean> => {
  const { run, pending, made } = trying;
  const { trials = Number.POSITIVE_INFINITY } = run.options;
  const open = leftOpen(run);
  if (open === undefined && made.size >= trials) return false;
  const given = open === undefined ? (trying.instead ?? (await nextOpening(trying))) : undefined;
  const except = (values: Values): boolean => isPending(pending, values);
  const trial =
    open === undefined
      ? run.study.ask(given, undefined, except)
      : open.number === undefined
        ? undefined
        : run.study.ask(open.values, open.number);
  const next = open ?? trial;
  if (next === undefined) return false;
  const group = await fitting(run, next, trial);
  if (typeof group === "string") became(trying, next.values, group);
  else if (beside && !isMade(run, next.values)) await offer(trying, group);
  else await measure(trying, group);
  return true;
};

/** Measures what other processes have made, or makes what none is at any more; false where there is none. */
const takeMade = async (trying: Trying, count: number): Promise<boolean> => {
  const { makers, pending } = trying;
  const ended = await makers.ended([...pending.keys()]);
  for (const [number, group] of pending) {
    const own = ended.get(number);
    if (own === undefined && (count > 0 || !(await makers.takeBack(number)))) continue;
    pending.delete(number);
    // It was begun when it was offered.
    await measure(trying, { ...group, made: own ?? { stopped: false, rungs: [], rows: [] } });
    return true;
  }
  return false;
};

/**
 * Tries configurations until there are enough, the time is over, or all were tried. `hold` is given the bases
 * of what is measured. Other processes make as many dense models as they are, and one more, so that none
 * waits
 * for what is measured meanwhile.
 */
export const tryAll = async (run: Run, hold: Hold): Promise<void> => {
  const { options, context, whole } = run;
  const { space, sampler = "grid", spares, makers = noMakers } = options;
  const begun = run.records.filter(({ stage }) => stage !== "size" && stage !== "speed");
  const made = new Set(begun.map(({ values }) => baseKey(values)));
  made.delete(baseKey(run.records[0]!.values));
  // A grid goes in its order.
  const first = spares === true && sampler !== "grid" ? openings(space, cuttableOf(whole)) : [];
  const pending: Pending = new Map();
  const trying: Trying = { ...{ run, hold, makers, first, made, pending }, late: 0 };
  try {
    while (trying.late < LATE && !isOver(run, run.formMs)) {
      context.signal?.throwIfAborted();
      const count = await makers.count();
      if (await takeMade(trying, count)) continue;
      const more = pending.size < (count === 0 ? 1 : count + 1);
      if (more && (await beginNext(trying, count > 0))) continue;
      if (pending.size === 0) break;
      await makers.wait();
    }
  } finally {
    await makers.close();
    for (const { lead } of pending.values()) options.keeping.leaves(lead.number, lead.values);
  }
};
