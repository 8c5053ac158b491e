/** Loading graphs and measuring them, wherever this runs: a process, a page. */
import type { Session } from "../engine/engine.ts";
import { type Figures, once } from "../metrics/metric.ts";
import { type Reader, readerOf, type Sessions } from "./parity/reader.ts";
import type { Does, Probe, Probed } from "./probe.ts";
import { measureGeneration, measureReading, type Speed } from "./speed.ts";

/** How graphs are run where they are measured. */
export interface Running {
  /** Reads tokens by a model's sessions; a cache that grows, as elsewhere, unless told. */
  readonly reader?: (sessions: Sessions) => Reader;
  /** How many bytes this place has taken so far. */
  readonly memory: () => number;
}

const generation = (sessions: Sessions, { shape, vocab, start }: Probed, { reader = readerOf }: Running) =>
  measureGeneration(reader(sessions), {
    ...{ vocab, positions: shape.positions },
    ...(start === undefined ? {} : { start }),
  });

const measured: Readonly<Record<Does, (sessions: Sessions, probed: Probed, how: Running) => Promise<Speed>>> =
  {
    generates: generation,
    translates: generation,
    reads: ({ model }, { shape, vocab }) => measureReading(model!, { vocab, positions: shape.positions }),
  };

/** Loads the graphs named in `graphs` by `load` and measures them. */
export const measureGraphs = async (
  probed: Probed,
  graphs: Readonly<Record<string, string>>,
  { load, ...how }: Running & { readonly load: (graph: string) => Promise<Session> },
): Promise<Probe> => {
  const before = how.memory();
  const begin = performance.now();
  const sessions: Record<string, Session> = {};
  try {
    for (const [name, graph] of Object.entries(graphs)) sessions[name] = await load(graph);
    const loadMs = performance.now() - begin;
    const { figures, ...rest } = await measured[probed.does](sessions, probed, how);
    const taken: Figures = { loadMs: once(loadMs), memoryBytes: once(Math.max(0, how.memory() - before)) };
    return { figures: { ...figures, ...taken }, ...rest };
  } finally {
    for (const session of Object.values(sessions)) await session.dispose();
  }
};
