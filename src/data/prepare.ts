/** The whole way from raw documents to training and held-out ones. */
import { ConfigError, DataError } from "../util/errors.ts";
import { rng } from "../util/rng.ts";
import { clean } from "./clean.ts";
import { type BoilerplateOptions, dedup, dropBoilerplate } from "./dedup.ts";
import { byteCount, type DataReport, type Document, stageRecorder } from "./document.ts";

export interface PrepareOptions extends BoilerplateOptions {
  readonly seed?: number;
  /** Share of the bytes that is held out, by whole documents. */
  readonly validationShare?: number;
}

export interface Prepared {
  readonly train: readonly Document[];
  readonly validation: readonly Document[];
  readonly report: DataReport;
}

const shuffled = (documents: readonly Document[], seed: number): Document[] => {
  // The key depends on the document alone, so adding documents does not move the others between the parts.
  const keyed = documents.map((doc) => ({ doc, key: rng(seed, `split/${doc.id}`).word() }));
  return keyed.sort((a, b) => a.key - b.key || (a.doc.id < b.doc.id ? -1 : 1)).map(({ doc }) => doc);
};

/** Documents in turn for as long as they fit into `room` bytes; one too large for it is passed over. */
const fill = (order: readonly Document[], room: number): Set<Document> => {
  const taken = new Set<Document>();
  let held = 0;
  for (const doc of order) {
    const size = byteCount(doc.text);
    if (held + size > room) continue;
    taken.add(doc);
    held += size;
  }
  return taken;
};

const smallest = (documents: readonly Document[]): Document =>
  documents.reduce((least, doc) => (byteCount(doc.text) < byteCount(least.text) ? doc : least));

/**
 * Splits by whole documents: the held-out part has at most `share` of the bytes, but at least one document,
 * and neither part is empty.
 */
export const split = (documents: readonly Document[], share: number, seed: number) => {
  if (!(share > 0 && share < 1)) {
    throw new ConfigError(`must be between 0 and 1, not ${share}`, { field: "data.validationShare" });
  }
  if (documents.length < 2) {
    throw new DataError(`${documents.length} document left: training and held-out text need one each`, {
      hint: "give more files, or one file of several documents (text files are cut at blank lines)",
    });
  }
  const total = documents.reduce((sum, doc) => sum + byteCount(doc.text), 0);
  const order = shuffled(documents, seed).reverse();
  const held = fill(order, share * total);
  if (held.size === 0) held.add(smallest(order));
  return {
    train: order.filter((doc) => !held.has(doc)).reverse(),
    validation: order.filter((doc) => held.has(doc)),
  };
};

/** Cleans, deduplicates and splits. Throws DataError where nothing is left. */
export const prepare = async (
  documents: AsyncIterable<Document> | Iterable<Document>,
  options: PrepareOptions = {},
): Promise<Prepared> => {
  const { seed = 1, validationShare = 0.05 } = options;
  const stages = ["clean", "exact duplicates", "boilerplate"].map(stageRecorder);
  const [cleaned, exact, boilerplate] = stages as [
    (typeof stages)[0],
    (typeof stages)[0],
    (typeof stages)[0],
  ];
  const kept: Document[] = [];
  const whole = dropBoilerplate(dedup(clean(documents, cleaned), exact), boilerplate, options);
  for await (const doc of whole) kept.push(doc);
  const report = { stages: stages.map((stage) => stage.report()) };
  if (kept.length === 0) {
    const { docsIn } = report.stages[0]!;
    throw new DataError(
      docsIn === 0 ? "there are no documents" : `none of ${docsIn} documents has any text left`,
    );
  }
  return { ...split(kept, validationShare, seed), report };
};
