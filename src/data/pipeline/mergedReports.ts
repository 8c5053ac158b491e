/** Reports of one stage over several parts, as one. */
import type { Reason, StageReport } from "../records/document.ts";

const EXAMPLES = 5;

const addReasons = (a: readonly Reason[], b: readonly Reason[]): Reason[] => {
  const sum = new Map(a.map((reason) => [reason.reason, reason]));
  for (const { reason, count, examples } of b) {
    const before = sum.get(reason) ?? { reason, count: 0, examples: [] };
    const first = [...before.examples, ...examples].slice(0, EXAMPLES);
    sum.set(reason, { reason, count: before.count + count, examples: first });
  }
  return Array.from(sum.values());
};

const addStages = (a: StageReport, b: StageReport): StageReport => ({
  ...a,
  docsIn: a.docsIn + b.docsIn,
  docsOut: a.docsOut + b.docsOut,
  bytesIn: a.bytesIn + b.bytesIn,
  bytesOut: a.bytesOut + b.bytesOut,
  reasons: addReasons(a.reasons, b.reasons),
});

/** Adds up the stages of several parts, each by its name, with the first examples in the parts' order. */
export const mergedReports = (parts: Iterable<readonly StageReport[]>): StageReport[] => {
  const sum = new Map<string, StageReport>();
  for (const stage of Array.from(parts).flat()) {
    const before = sum.get(stage.name);
    sum.set(stage.name, before === undefined ? stage : addStages(before, stage));
  }
  return Array.from(sum.values());
};
