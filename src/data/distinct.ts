/** The merge's stream: all parts in turn, without what repeats, through the stages over all documents. */
import { type Document, type StageRecorder, stageRecorder } from "./document.ts";
import type { Duplicates } from "./duplicates.ts";
import type { MergeHooks, Part, Placed } from "./part.ts";
import type { SharedStage, Stage } from "./stages.ts";

async function* inTurn(parts: readonly Part[], hooks: MergeHooks): AsyncGenerator<Placed> {
  let index = 0;
  let bytes = 0;
  for (const part of parts) {
    for await (const doc of part.documents()) {
      hooks.signal?.throwIfAborted();
      bytes += doc.text.length;
      if (index % 256 === 0) hooks.onProgress?.(index, bytes);
      yield { ...doc, index: index++ };
    }
  }
}

/** Drops the duplicates that were found; exact ones before near ones, each with its own record. */
async function* distinct(
  documents: AsyncIterable<Placed>,
  { matches, near, similarities }: Duplicates,
  idOf: (index: number) => string,
  hooks: Told,
): AsyncGenerator<Placed> {
  const [exact, similar] = hooks.records;
  for await (const doc of documents) {
    const match = matches[doc.index]!;
    const isNear = near[doc.index] === 1;
    exact!.in(doc);
    if (match < 0 || isNear) {
      exact!.out(doc);
      similar?.in(doc);
    }
    if (match < 0) {
      similar?.out(doc);
      yield doc;
      continue;
    }
    const reason = isNear ? "near duplicate" : "exact duplicate";
    const matched = idOf(match);
    const likeness = isNear ? Math.round(1000 * similarities[doc.index]!) / 1000 : undefined;
    (isNear ? similar! : exact!).drop(reason, doc, matched);
    const similarity = likeness === undefined ? {} : { similarity: likeness };
    await hooks.onDropped?.({ id: doc.id, reason, matched, ...similarity }, doc.text);
  }
}

/** For a pass that keeps nothing. */
const unused = (): never => {
  throw new Error("nothing is kept");
};

/**
 * The ids of documents that others match, known once they have passed or, where later ones stay,
 * beforehand.
 */
const idsOf = async (parts: readonly Part[], { matches }: Duplicates) => {
  const targets = new Set<number>();
  let later = false;
  matches.forEach((match, i) => {
    if (match >= 0) targets.add(match);
    later ||= match > i;
  });
  const ids = new Map<number, string>();
  const see = ({ index, id }: Placed): void => void (targets.has(index) && ids.set(index, id));
  if (later) for await (const doc of inTurn(parts, { spool: unused })) see(doc);
  return { see, idOf: (index: number): string => ids.get(index)! };
};

async function* seen(documents: AsyncIterable<Placed>, see: (doc: Placed) => void): AsyncGenerator<Placed> {
  for await (const doc of documents) {
    see(doc);
    yield doc;
  }
}

type Told = MergeHooks & { readonly records: readonly StageRecorder[] };

/** Hooks of a pass that only looks. */
const quiet = ({ spool, signal }: MergeHooks, records: number): Told => ({
  spool,
  ...(signal === undefined ? {} : { signal }),
  records: Array.from({ length: records }, () => stageRecorder("")),
});

/** Readies each stage by a pass over what the one before gives, then runs documents through all. */
const throughShared = async (
  open: (told?: Told) => AsyncIterable<Placed>,
  stages: readonly SharedStage[],
  told: Told,
) => {
  const { wrap = (_, docs) => docs } = told;
  const records = stages.map(({ name }) => stageRecorder(name));
  const runs: Stage["run"][] = [];
  const again = (): AsyncIterable<Document> =>
    runs.reduce<AsyncIterable<Document>>((docs, run) => run(docs, stageRecorder("")), open());
  for (const stage of stages) runs.push(await stage.prepare(again));
  const documents = runs.reduce<AsyncIterable<Document>>(
    (docs, run, i) => wrap(stages[i]!.name, run(docs, records[i]!)),
    open(told),
  );
  return { documents: documents as AsyncIterable<Placed>, reports: () => records.map((r) => r.report()) };
};

/**
 * All documents that are kept, and the reports of the stages that let them through, once they have passed.
 */
export const distinctDocuments = async (
  parts: readonly Part[],
  duplicates: Duplicates,
  {
    stages,
    near,
    hooks,
  }: { readonly stages: readonly SharedStage[]; readonly near: boolean; readonly hooks: MergeHooks },
) => {
  const names = ["exact duplicates", ...(near ? ["near duplicates"] : [])];
  const records = names.map(stageRecorder);
  const { see, idOf } = await idsOf(parts, duplicates);
  const open = (told = quiet(hooks, records.length)): AsyncIterable<Placed> =>
    distinct(seen(inTurn(parts, told), see), duplicates, idOf, told);
  const shared = await throughShared(open, stages, { ...hooks, records });
  const reports = () => [...records.map((record) => record.report()), ...shared.reports()];
  return { documents: shared.documents, reports };
};
