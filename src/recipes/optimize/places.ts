/** Measuring what candidates cost on the targets of a run, as files of the bytes that would be shipped. */
import { probeOf, sizeFigure } from "../../evaluate/probe.ts";
import type { Figures } from "../../metrics/metric.ts";
import type { Model } from "../../models/model.ts";
import { type TargetName, targets as table } from "../../node/targets/index.ts";
import type { Place, Target } from "../../node/targets/target.ts";
import type { ProbeModel } from "../../search/candidates/measure.ts";
import { RunError } from "../../util/errors.ts";
import { onGraphFiles } from "./judge.ts";

/** Longest that one candidate may take on one target, milliseconds. */
const PATIENCE_MS = 600_000;

/** Where candidates are measured, and by how many threads and ids. */
export interface PlacesOptions {
  /** By name, the usual one first. */
  readonly targets: Readonly<Record<string, Target>>;
  readonly threads: number;
  /** Ids that texts are drawn from. */
  readonly vocab: number;
}

/** Those of the table that are named. */
export const targetsNamed = (names: readonly TargetName[]): Readonly<Record<string, Target>> =>
  Object.fromEntries(names.map((name) => [name, table[name]]));

/** Figures of one model on one place, or why it does not run there. */
const measureAt = async (
  [name, place]: readonly [string, Place],
  graphs: Parameters<Place["probe"]>[0]["graphs"],
  probed: ReturnType<typeof probeOf>,
): Promise<{ readonly figures: Figures; readonly fault?: string }> => {
  try {
    const { figures } = await place.probe({ dtype: "fp32", graphs }, probed);
    const named = Object.entries(figures).map(([figure, value]) => [`${name}/${figure}`, value]);
    return { figures: Object.fromEntries(named) };
  } catch (error) {
    if (!(error instanceof RunError)) throw error;
    return { figures: {}, fault: `does not run on ${name}: ${error.message}` };
  }
};

const probeIn =
  (places: readonly (readonly [string, Place])[], vocab: number): ProbeModel =>
  (model: Model) =>
    onGraphFiles(model, async (graphs, sizeBytes) => {
      let figures = sizeFigure(sizeBytes);
      const faults: string[] = [];
      for (const at of places) {
        const found = await measureAt(at, graphs, probeOf(model, vocab));
        figures = { ...figures, ...found.figures };
        if (found.fault !== undefined) faults.push(found.fault);
      }
      return { figures, ...(faults.length === 0 ? {} : { fault: faults.join("; ") }) };
    });

/**
 * Opens the targets for `work`, which measures by what it is given, and closes them. Throws MissingError,
 * before any work, for one that is not on this machine.
 */
export const withPlaces = async <T>(
  { targets, threads, vocab }: PlacesOptions,
  work: (probe: ProbeModel) => Promise<T>,
): Promise<T> => {
  const places: (readonly [string, Place])[] = [];
  try {
    for (const [name, target] of Object.entries(targets)) {
      // Who names a target that is had in software alone wants it measured.
      places.push([name, await target.open({ threads, timeoutMs: PATIENCE_MS, software: true })]);
    }
    return await work(probeIn(places, vocab));
  } finally {
    for (const [, place] of places) await place.close();
  }
};
