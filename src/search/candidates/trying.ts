/** Which configurations are tried: what was left open, the mildest cuts, then what the sampler asks for. */
import { keyOf, type Values } from "../space/space.ts";
import type { Trial } from "../trial.ts";
import { teachingMs } from "./dense.ts";
import { type Hold, runGroup } from "./group.ts";
import { ruledOut } from "./ruledOut.ts";
import { giveUp, isOver, lateWords, postpone, type Run } from "./run.ts";
import { baseKey, cuttableOf, openings, siblingsIn, untaught } from "./space.ts";

/** Whether a configuration was asked for. */
export const isTried = ({ study: { trials } }: Run, values: Values): boolean =>
  trials.some((trial) => keyOf(trial.values) === keyOf(values));

/**
 * What a process that ended before had begun, as the trial that it was; else a form of a dense model of which
 * another was measured.
 */
const leftOpen = (run: Run): Trial | undefined => {
  const { study, options, records } = run;
  const begun = options.keeping.open.find(({ values }) => !isTried(run, values));
  if (begun !== undefined) return study.ask(begun.values, begun.number);
  for (const { values, stage } of records) {
    if (stage !== "measured") continue;
    const left = siblingsIn(options.space, values).find((form) => !isTried(run, form));
    if (left !== undefined) return study.ask(left);
  }
  return undefined;
};

/** Whether a form of a configuration's dense model was measured. */
const isMade = ({ records }: Run, values: Values): boolean =>
  records.some((r) => r.stage === "measured" && baseKey(r.values) === baseKey(values));

/** The mildest cut of each kind that was not refused: the first that is not tried yet. */
const nextOpening = (run: Run, first: readonly (readonly Values[])[]): Values | undefined => {
  for (const cuts of first) {
    if (cuts.some((values) => isMade(run, values))) continue;
    const next = cuts.find((values) => !isTried(run, values));
    if (next !== undefined) return next;
  }
  return undefined;
};

/** Ends what an earlier process ended in, again and again. */
const endFatal = (run: Run): void => {
  for (const values of run.options.keeping.fatal) {
    if (isTried(run, values)) continue;
    const why = "the process ended in it three times, as where memory runs out";
    giveUp(run, run.study.ask(values)!, { stage: "failed", why }, 0);
  }
};

/** Makes and measures the dense model of a trial, in the forms that may keep the limits. */
const tryOne = async (run: Run, trial: Trial, hold: Hold): Promise<"made" | "refused" | "late"> => {
  const forms = siblingsIn(run.options.space, trial.values).filter(
    (values) => keyOf(values) === keyOf(trial.values) || !isTried(run, values),
  );
  const fitting: Values[] = [];
  for (const values of forms) {
    const began = performance.now();
    const why = await ruledOut(run, values);
    const seconds = (performance.now() - began) / 1000;
    if (why === undefined) fitting.push(values);
    else giveUp(run, keyOf(values) === keyOf(trial.values) ? trial : run.study.ask(values)!, why, seconds);
  }
  const [first] = fitting;
  if (first === undefined) return "refused";
  const own = fitting.some((values) => keyOf(values) === keyOf(trial.values));
  const lead = own ? trial : run.study.ask(first)!;
  // What was made before is taught.
  const lateMs = isMade(run, lead.values) ? 0 : teachingMs(run, lead.values);
  if (isOver(run, lateMs + (run.formMs ?? 0))) {
    postpone(run, lead, lateWords(lateMs), 0);
    return "late";
  }
  await runGroup(run, { lead, forms: fitting, hold });
  return run.records.at(-1)?.stage === "time" ? "late" : "made";
};

/** So many configurations in a row that there is no time to teach, and nothing else is looked for. */
const LATE = 20;

/**
 * Tries configurations until there are enough, the time is over, or all were tried. `hold` is given the bases
 * of what is measured.
 */
export const tryAll = async (run: Run, hold: Hold): Promise<void> => {
  const { options, context, whole } = run;
  const { trials = Number.POSITIVE_INFINITY, space, sampler = "grid", spares } = options;
  endFatal(run);
  const start = baseKey(run.records[0]!.values);
  const begun = run.records.filter(({ stage }) => stage !== "size" && stage !== "speed");
  const made = new Set(begun.map(({ values }) => baseKey(values)));
  made.delete(start);
  // A grid goes in its order.
  const first = spares === true && sampler !== "grid" ? openings(space, cuttableOf(whole)) : [];
  let [late, instead]: [number, Values | undefined] = [0, undefined];
  while (late < LATE && !isOver(run, run.formMs)) {
    context.signal?.throwIfAborted();
    const open = leftOpen(run);
    if (open === undefined && made.size >= trials) break;
    const trial: Trial | undefined = open ?? run.study.ask(instead ?? nextOpening(run, first));
    if (trial === undefined) break;
    const became = await tryOne(run, trial, hold);
    if (became === "made") made.add(baseKey(trial.values));
    late = became === "late" ? late + 1 : 0;
    // What there is no time to teach may be worth something as it is.
    const plain: Values | undefined = became === "late" ? untaught(space, trial.values) : undefined;
    instead = plain === undefined || isTried(run, plain) ? undefined : plain;
  }
};
