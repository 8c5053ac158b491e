/** What of the merged documents goes out: those like a target, and how often each source's. */

import { type Document, type StageReport, stageRecorder } from "../records/document.ts";
import { type Coverage, coverage } from "../select/coverage.ts";
import { type Diversity, diversity } from "../select/diversity.ts";
import { type MixPlan, planMix } from "../select/mix.ts";
import { type SelectionReport, select } from "../select/select.ts";
import type { MixSettings } from "./stages.ts";

/** What a document without a source is counted under. */
export const UNNAMED = "(unnamed)";

interface Indexed extends Document {
  readonly index: number;
}

/** How well documents stand for the target, and how much they differ from one another. */
export interface Representation {
  readonly coverage: Coverage;
  readonly diversity: Diversity;
}

/** The selection beside what it was chosen from. */
export interface SelectionFigures extends SelectionReport {
  readonly pool: Representation;
  readonly chosen: Representation;
}

/** The stage's report, with the selection's figures where there was one. */
export interface Selected {
  readonly stage: StageReport;
  readonly figures?: SelectionFigures;
}

const represented = async (
  target: readonly string[],
  open: () => AsyncIterable<Document>,
  seed: number,
): Promise<Representation> => {
  const documents = target.map((text, i) => ({ id: `target ${i}`, text }));
  return {
    coverage: await coverage(documents, open(), { seed }),
    diversity: await diversity(open(), { seed }),
  };
};

/**
 * Selects the share of the bytes that is most like the target: `bytes` of all others become 0. The documents
 * are read several times.
 */
export const selectLike = async (
  open: () => AsyncIterable<Indexed>,
  target: readonly string[],
  { share, seed, bytes }: { readonly share: number; readonly seed: number; readonly bytes: Uint32Array },
): Promise<Selected> => {
  const record = stageRecorder("selection");
  const chosen = new Uint8Array(bytes.length);
  const amount = Math.max(1, Math.round(share * bytes.reduce((sum, size) => sum + size, 0)));
  let figures: SelectionReport | undefined;
  const kept = select(open, record, {
    target,
    budget: { unit: "bytes", amount },
    seed,
    onReport: (report) => {
      figures = report;
    },
  });
  for await (const doc of kept) chosen[(doc as Indexed).index] = 1;
  for (let i = 0; i < bytes.length; i++) if (chosen[i] === 0) bytes[i] = 0;
  if (figures === undefined) return { stage: record.report() };
  const openChosen = async function* (): AsyncGenerator<Document> {
    for await (const doc of open()) if (chosen[doc.index] === 1) yield doc;
  };
  const sides = {
    pool: await represented(target, open, seed),
    chosen: await represented(target, openChosen, seed),
  };
  return { stage: record.report(), figures: { ...figures, ...sides } };
};

/** How often each document comes in the training part. */
export interface Mixed {
  readonly plan: MixPlan;
  /** Copies of the next document of a source, asked in the order of the output. */
  copies(): (source: string | undefined) => number;
  readonly most: number;
}

/** Plans the mix of sources from the documents and bytes of each. */
export const mixOf = (
  sources: ReadonlyMap<string, { readonly documents: number; readonly bytes: number }>,
  { weights, temperature, maxEpochs }: MixSettings,
): Mixed => {
  const rows = Array.from(sources, ([name, { documents, bytes }]) => ({ name, documents, tokens: bytes }));
  rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  const plan = planMix(rows, { maxEpochs, ...(weights === undefined ? { temperature } : { weights }) });
  const byName = new Map(plan.rows.map((row) => [row.name, row]));
  const copies = () => {
    const met = new Map<string, number>();
    return (source = UNNAMED): number => {
      const { draws, documents } = byName.get(source)!;
      const at = met.get(source) ?? 0;
      met.set(source, at + 1);
      return Math.floor(draws / documents) + (at < draws % documents ? 1 : 0);
    };
  };
  return { plan, copies, most: Math.max(...plan.rows.map(({ epochs }) => Math.ceil(epochs))) };
};
