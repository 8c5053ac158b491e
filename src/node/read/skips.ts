/** Records that could not be read, and the stage of the report that tells of them. */
import type { Example, StageReport } from "../../data/records/document.ts";
import type { DataError } from "../../util/errors.ts";

/** Messages that are kept, and those of them that are shown as examples. */
const KEPT = 20;
const SHOWN = 5;

/** Records that were left out. */
export interface Skips {
  /** Why records could not be read, of the first of them. */
  readonly skipped: readonly string[];
  readonly skippedCount: number;
}

/** What a reader is told of, as counts; `onSkip` takes it. */
export const skipRecorder = () => {
  const skipped: string[] = [];
  const examples: Example[] = [];
  let skippedCount = 0;
  return {
    onSkip(error: DataError, records = 1): void {
      skippedCount += records;
      if (skipped.length < KEPT) skipped.push(error.message);
      const { file = "", line } = error.details;
      if (examples.length < SHOWN)
        examples.push({
          id: line === undefined ? file : `${file}:${line}`,
          excerpt: error.message.slice(0, 160),
        });
    },
    skips: (): Skips => ({ skipped, skippedCount }),
    /** The stages with that of reading before them, by whose counts no record is forgotten. */
    withReading(stages: readonly StageReport[]): StageReport[] {
      const { docsIn: docsOut = 0, bytesIn: bytes = 0 } = stages[0] ?? {};
      const reasons =
        skippedCount === 0 ? [] : [{ reason: "could not be read", count: skippedCount, examples }];
      const counts = { docsIn: docsOut + skippedCount, docsOut, bytesIn: bytes, bytesOut: bytes };
      return [{ name: "reading", ...counts, reasons }, ...stages];
    },
  };
};

/** The skips of several files together. */
export const allSkips = (each: readonly Skips[]): Skips => ({
  skipped: each.flatMap(({ skipped }) => skipped),
  skippedCount: each.reduce((sum, { skippedCount }) => sum + skippedCount, 0),
});

/** "100 records could not be read, such as: FILE:LINE: why". */
export const toldSkips = ({ skipped, skippedCount }: Skips): string =>
  `${skippedCount} records could not be read, such as: ${skipped[0]}`;
