/** Measuring a form again that took much longer than was foretold of its shape. */
import type { ProbeModel } from "./measure.ts";
import type { Foretold } from "./run.ts";

/** How many times as long as foretold is too long to be believed at once. */
const DOUBTED = 1.25;

/** The figures that tell: median times, of each target. */
const isTime = (name: string): boolean => name.endsWith("/p50Ms");

/**
 * `probe`, once more where a time is far from what was foretold; the faster of both stands, since what else a
 * machine does only slows.
 */
export const steadied =
  (probe: ProbeModel, foretold: Foretold = {}): ProbeModel =>
  async (form) => {
    const first = await probe(form);
    const late = Object.keys(first.figures).find((name) => {
      const [found, told] = [first.figures[name]!.value, foretold[name] ?? 0];
      return isTime(name) && told > 0 && found > DOUBTED * told;
    });
    if (late === undefined || first.fault !== undefined) return first;
    const second = await probe(form);
    return second.fault === undefined && second.figures[late]!.value < first.figures[late]!.value
      ? second
      : first;
  };
