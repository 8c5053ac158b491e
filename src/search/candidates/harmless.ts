/** Whether a trial ends the process that is at it, or was only under way when processes were killed. */
import { defined } from "../../util/defined.ts";
import { RunError } from "../../util/errors.ts";
import type { Trial } from "../trial.ts";
import { watchedBy } from "./dense.ts";
import { sizeBound } from "./fitted.ts";
import { namesOf, type Run, untilOver } from "./run.ts";

/** So often processes end in a trial before one of its own tries it, and before it fails where none can. */
const [SUSPECT, FATAL] = [2, 3];

/**
 * Throws RunError where a trial ends the process that is at it. One that was under way as processes ended is
 * tried by a process of its own first: only if that ends and this one does not, the trial was the cause.
 */
export const requireHarmless = async (run: Run, { number, values }: Trial): Promise<void> => {
  const { keeping, rehearse, left } = run.options;
  const deaths = keeping.deaths(values);
  if (deaths < SUSPECT) return;
  if (rehearse === undefined) {
    if (deaths < FATAL) return;
    throw new RunError(`the process ended in it ${deaths} times, as where memory runs out`);
  }
  const { signal } = untilOver(run);
  const { form } = namesOf(run, values);
  run.context.log(`${form}: ${deaths} processes ended in it, so that another tries it first`);
  const limit = sizeBound(run.bounds ?? [])?.bound;
  const leftMs = Number.isFinite(left?.() ?? Infinity) ? left?.() : undefined;
  const how = { number, values, ...defined({ watched: await watchedBy(run, values), leftMs, limit }) };
  const died = await rehearse(how, signal);
  signal?.throwIfAborted();
  if (died === undefined) return;
  throw new RunError(`a process of its own ended in it by ${died}, as where memory runs out`);
};
