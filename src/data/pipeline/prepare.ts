/** The whole way from raw documents to training and held-out ones, in memory. */

import { ConfigError } from "../../util/errors.ts";
import { keyWriter } from "../dedup/documentKeys.ts";
import { byteCount, type DataReport, type Document } from "../records/document.ts";
import { NOWHERE, splitOf, TRAIN, VALIDATION } from "../records/splits.ts";
import { memorySpool, mergeParts, partOf } from "./pipeline.ts";
import { type PipelineSettings, pipelineDefaults, stageParts } from "./stages.ts";

/** Settings of the pipeline that differ from `pipelineDefaults`. */
export type PrepareOptions = Partial<PipelineSettings>;

/** The parts of the data, and the report. */
export interface Prepared {
  readonly train: readonly Document[];
  readonly validation: readonly Document[];
  /** Empty unless a share for it is asked for. */
  readonly test: readonly Document[];
  readonly report: DataReport;
}

/**
 * Splits by whole documents: the held-out part has at least one document, and neither part is empty. Throws
 * ConfigError for a wrong share, DataError for fewer than two documents.
 */
export const split = (documents: readonly Document[], share: number, seed: number) => {
  if (!(share > 0)) {
    throw new ConfigError(`must be above 0, not ${share}`, { field: "data.validationShare" });
  }
  const writer = keyWriter();
  for (const doc of documents) writer.add(doc);
  const { words, stride } = writer.take();
  const n = documents.length;
  const table = {
    keys: Uint32Array.from({ length: n }, (_, i) => words[i * stride]!),
    // An empty document is one all the same.
    bytes: Uint32Array.from(documents, ({ text }) => Math.max(1, byteCount(text))),
    units: Int32Array.from({ length: n }, (_, i) => i),
  };
  const places = splitOf(table, { validation: share, test: 0 }, seed);
  return {
    train: documents.filter((_, i) => places[i] === TRAIN),
    validation: documents.filter((_, i) => places[i] === VALIDATION),
  };
};

/** Runs documents through the pipeline. Throws DataError where nothing is left. */
export const prepare = async (
  documents: AsyncIterable<Document> | Iterable<Document>,
  options: PrepareOptions = {},
): Promise<Prepared> => {
  const settings = { ...pipelineDefaults, ...options };
  async function* given(): AsyncGenerator<Document> {
    yield* documents;
  }
  const part = await partOf(given(), settings, await stageParts(settings));
  const merged = await mergeParts([part], settings, { spool: memorySpool });
  const parts: Document[][] = [[], [], []];
  for await (const [{ index, ...doc }, place] of merged.documents()) {
    if (place !== NOWHERE) parts[place]!.push(doc);
  }
  const [train, validation, test] = parts;
  return { train: train!, validation: validation!, test: test!, report: merged.report };
};
