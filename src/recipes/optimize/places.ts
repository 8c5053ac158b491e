/** Measuring what candidates cost on the targets of a run, as files of the bytes that would be shipped. */
import { probeOf, sizeFigure } from "../../evaluate/probe.ts";
import type { Figures } from "../../metrics/metric.ts";
import { type TargetName, targets as table } from "../../node/targets/index.ts";
import type { Place, Target } from "../../node/targets/target.ts";
import type { ProbeInTurns } from "../../search/candidates/again.ts";
import type { Form } from "../../search/candidates/formats/format.ts";
import type { ProbeModel } from "../../search/candidates/measure.ts";
import { RunError } from "../../util/errors.ts";
import { LEAST } from "./clock.ts";
import { type FormFiles, graphFiles } from "./formFiles.ts";

/** Longest that one candidate may take on one target, milliseconds. */
const PATIENCE_MS = 600_000;

/** Where candidates are measured, and by how many threads and ids. */
export interface PlacesOptions {
  /** By name, the usual one first. */
  readonly targets: Readonly<Record<string, Target>>;
  readonly threads: number;
  /** Ids that texts are drawn from. */
  readonly vocab: number;
  /** Files of forms, of the targets' format; graphs unless told. */
  readonly files?: FormFiles;
  /** How often a few are measured again, each time in a fresh process, and how long that may take. */
  readonly turns: () => { readonly count: number; readonly mostMs: number };
  /** Told how long measuring a model took. */
  readonly onProbe?: (ms: number) => void;
  /** Told of turns of measuring again. */
  readonly onTurn?: (done: number, of: number) => void;
}

/** What measures candidates. */
export interface Probes {
  readonly probe: ProbeModel;
  readonly again: ProbeInTurns;
  /** The usual place. */
  readonly first: Place;
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

type Places = readonly (readonly [string, Place])[];
type Graphs = Parameters<Place["probe"]>[0]["graphs"];

/** Figures of one model on all places, and where it does not run. */
const measureOn = async (places: Places, graphs: Graphs, probed: ReturnType<typeof probeOf>) => {
  let figures: Figures = {};
  const faults: string[] = [];
  for (const at of places) {
    const found = await measureAt(at, graphs, probed);
    figures = { ...figures, ...found.figures };
    if (found.fault !== undefined) faults.push(found.fault);
  }
  return { figures, ...(faults.length === 0 ? {} : { fault: faults.join("; ") }) };
};

const probeIn =
  (places: Places, { vocab, files = graphFiles, onProbe }: PlacesOptions): ProbeModel =>
  (model: Form) =>
    files.on(model, async (graphs, sizeBytes) => {
      const began = performance.now();
      const { figures, ...fault } = await measureOn(places, graphs, probeOf(model, vocab));
      onProbe?.(performance.now() - began);
      return { figures: { ...sizeFigure(sizeBytes), ...figures }, ...fault };
    });

/** Works on the files of several forms. */
const onAll = <T>(
  files: FormFiles,
  forms: readonly Form[],
  work: (all: readonly Graphs[]) => Promise<T>,
  open: readonly Graphs[] = [],
): Promise<T> => {
  const [first, ...rest] = forms;
  if (first === undefined) return work(open);
  return files.on(first, (graphs) => onAll(files, rest, work, [...open, graphs]));
};

const inTurns =
  (places: Places, { vocab, files = graphFiles, turns, onTurn }: PlacesOptions): ProbeInTurns =>
  (models, most) =>
    onAll(files, models, async (all) => {
      const began = performance.now();
      const { count, mostMs } = most === undefined ? turns() : { count: most, mostMs: PATIENCE_MS };
      const found: Figures[][] = models.map(() => []);
      for (let turn = 0; turn < count; turn++) {
        const left = mostMs - (performance.now() - began) * (1 + 1 / Math.max(1, turn));
        if (turn >= LEAST && left < 0) break;
        // Whoever comes second finds the machine as the first left it: they change places.
        const order = models.map((_, i) => (turn % 2 === 0 ? i : models.length - 1 - i));
        for (const i of order) {
          found[i]!.push((await measureOn(places, all[i]!, probeOf(models[i]!, vocab))).figures);
        }
        if (most === undefined) onTurn?.(turn + 1, count);
      }
      return found;
    });

/**
 * Opens the targets for `work`, which measures by what it is given, and closes them. Throws MissingError,
 * before any work, for one that is not on this machine.
 */
export const withPlaces = async <T>(
  options: PlacesOptions,
  work: (probes: Probes) => Promise<T>,
): Promise<T> => {
  const places: (readonly [string, Place])[] = [];
  try {
    for (const [name, target] of Object.entries(options.targets)) {
      // Who names a target that is had in software alone wants it measured.
      const { threads } = options;
      places.push([name, await target.open({ threads, timeoutMs: PATIENCE_MS, software: true })]);
    }
    const probes = { probe: probeIn(places, options), again: inTurns(places, options) };
    return await work({ ...probes, first: places[0]![1] });
  } finally {
    for (const [, place] of places) await place.close();
  }
};
