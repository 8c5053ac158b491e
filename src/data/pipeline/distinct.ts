/** The merge's stream: all parts in turn, without what repeats, through the stages over all documents. */

import { textHash } from "../dedup/exact.ts";
import { type Document, type StageRecorder, stageRecorder } from "../records/document.ts";
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

/** Reasons that a document goes for. */
export const repeats = {
  exact: "exact duplicate",
  near: "near duplicate",
  numbers: "near duplicate, but for its numbers",
} as const;

const WORD = /[\p{L}\p{M}]+|[-\u2212]?\p{Nd}+/gu;
const DIGIT = /\p{Nd}/u;

/** Hashes of a text's words: of all, and of those that are no numbers. */
type Wording = readonly [all: string, numberless: string];

const wording = (text: string): Wording => {
  const words = text.toLowerCase().match(WORD) ?? [];
  const hash = (some: readonly string[]): string => textHash(some.join(" "));
  return [hash(words), hash(words.filter((word) => !DIGIT.test(word)))];
};

/** A document that others match; its words where some are near it. */
interface Target {
  readonly id: string;
  readonly words?: Wording;
}

/** Whether nothing but numbers tells a text from another. */
const nearReason = (text: string, other: Wording | undefined): string => {
  const [all, numberless] = wording(text);
  return numberless === other?.[1] && all !== other[0] ? repeats.numbers : repeats.near;
};

/** Drops the duplicates that were found; exact ones before near ones, each with its own record. */
async function* distinct(
  documents: AsyncIterable<Placed>,
  { matches, near, similarities }: Duplicates,
  targetOf: (index: number) => Target,
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
    const { id: matched, words } = targetOf(match);
    const reason = isNear ? nearReason(doc.text, words) : repeats.exact;
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
 * The documents that others match, known once they have passed or, where later ones stay, beforehand.
 */
const targetsOf = async (parts: readonly Part[], { matches, near }: Duplicates) => {
  const wanted = new Map<number, boolean>();
  let later = false;
  matches.forEach((match, i) => {
    if (match >= 0) wanted.set(match, near[i] === 1 || (wanted.get(match) ?? false));
    later ||= match > i;
  });
  const targets = new Map<number, Target>();
  const see = ({ index, id, text }: Placed): void => {
    const isNear = wanted.get(index);
    if (isNear === undefined || targets.has(index)) return;
    targets.set(index, isNear ? { id, words: wording(text) } : { id });
  };
  if (later) for await (const doc of inTurn(parts, { spool: unused })) see(doc);
  return { see, targetOf: (index: number): Target => targets.get(index)! };
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
  const { see, targetOf } = await targetsOf(parts, duplicates);
  const open = (told = quiet(hooks, records.length)): AsyncIterable<Placed> =>
    distinct(seen(inTurn(parts, told), see), duplicates, targetOf, told);
  const shared = await throughShared(open, stages, { ...hooks, records });
  const reports = () => [...records.map((record) => record.report()), ...shared.reports()];
  return { documents: shared.documents, reports };
};
