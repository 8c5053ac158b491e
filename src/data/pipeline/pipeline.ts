/**
 * The pipeline's two phases without files or threads: a part is one input, read and cleaned by itself; the
 * merge takes all parts in their order, drops what repeats, and splits. In memory or over files, in one shard
 * or many, the stages, their order and their results are the same.
 */
import { defined } from "../../util/defined.ts";
import { DataError } from "../../util/errors.ts";
import { bandSigner } from "../dedup/bandSigner.ts";
import { keyWriter } from "../dedup/documentKeys.ts";
import type { FilterParts } from "../filter/filter.ts";
import { byteCount, type DataReport, type Document, type StageReport } from "../records/document.ts";
import { NOWHERE, saltOf, scrambled, splitOf, TRAIN } from "../records/splits.ts";
import type { MixPlan } from "../select/mix.ts";
import { type Mixed, mixOf, type SelectionFigures, selectLike, UNNAMED } from "./choose.ts";
import { distinctDocuments } from "./distinct.ts";
import { type ClusterSizes, clusterSummary, type Duplicates, findDuplicates } from "./duplicates.ts";
import { lossHint, lossText } from "./losses.ts";
import { mergedReports } from "./mergedReports.ts";
import type { MergeHooks, Part, Placed, Spool } from "./part.ts";
import {
  type MixSettings,
  type PipelineSettings,
  partStages,
  sharedStages,
  throughStages,
} from "./stages.ts";

/** What the merge keeps, in an order that depends on each document's text alone. */
export interface Merged {
  readonly report: DataReport;
  readonly clusters: ClusterSizes;
  readonly selection?: SelectionFigures;
  readonly mix?: MixPlan;
  /** Each document with its part: TRAIN, VALIDATION or TEST. May be called again. */
  documents(): AsyncGenerator<readonly [doc: Placed, part: number]>;
}

/** Bytes of documents that are sorted at a time. */
const LANE_BYTES = 2 ** 25;

/** Cleans one input's documents and makes their keys: the first phase in memory. */
export const partOf = async (
  documents: AsyncIterable<Document>,
  settings: PipelineSettings,
  filters: FilterParts = {},
): Promise<Part> => {
  const writer = keyWriter(bandSigner(settings));
  const kept: Document[] = [];
  const { documents: out, reports } = throughStages(documents, partStages(settings, filters));
  for await (const doc of out) {
    writer.add(doc);
    kept.push(doc);
  }
  const keys = writer.take();
  return { stages: reports(), keys: () => keys, documents: () => kept };
};

/** A spool that is a list. */
export const memorySpool = (lanes: number): Spool => {
  const held: Placed[][] = Array.from({ length: lanes }, () => []);
  return { add: (doc, lane) => void held[lane]!.push(doc), end: () => {}, documents: (lane) => held[lane]! };
};

const noneLeft = (stages: readonly StageReport[]): DataError => {
  const docsIn = stages[0]?.docsIn ?? 0;
  if (docsIn === 0) return new DataError("there are no documents");
  const text = `none of ${docsIn} documents has any text left${lossText(stages)}`;
  return new DataError(text, defined({ hint: lossHint(stages) }));
};

/** Documents of which one has a label; throws DataError at the end for a label that none has. */
async function* labelled(
  documents: AsyncIterable<Placed>,
  fields: MergeHooks["labels"] = {},
): AsyncGenerator<Placed> {
  const missing = new Set((["source", "group"] as const).filter((label) => fields[label] !== undefined));
  let count = 0;
  for await (const doc of documents) {
    count++;
    for (const label of missing) if (doc[label] !== undefined) missing.delete(label);
    yield doc;
  }
  const [label] = count === 0 ? [] : missing;
  if (label === undefined) return;
  throw new DataError(
    `no record has a value in the field "${fields[label]}", which is to name its ${label}`,
    {
      hint: `name a field that records have with --${label}-field, or leave it out`,
    },
  );
}

/** Puts documents into their lanes; notes their sizes, and which of them a group keeps together. */
const spoolAll = async (
  documents: AsyncIterable<Placed>,
  spool: Spool,
  {
    lanes,
    order,
    bytes,
    sets,
  }: Pick<Duplicates, "bytes" | "sets"> & {
    readonly lanes: number;
    readonly order: Uint32Array;
  },
): Promise<void> => {
  bytes.fill(0);
  const groups = new Map<string, number>();
  for await (const doc of documents) {
    const { index, group } = doc;
    bytes[index] = byteCount(doc.text);
    if (group !== undefined) {
      const first = groups.get(group);
      if (first === undefined) groups.set(group, index);
      else sets.union(first, index);
    }
    await spool.add(doc, Math.floor((order[index]! / 2 ** 32) * lanes));
  }
  await spool.end();
};

/** The second phase: all parts in their order. Throws DataError where nothing is left. */
export const mergeParts = async (
  parts: readonly Part[],
  settings: PipelineSettings,
  hooks: MergeHooks,
): Promise<Merged> => {
  const single = mergedReports(parts.map(({ stages }) => stages));
  const duplicates = await findDuplicates(parts, settings);
  const { hashes, bytes, sets } = duplicates;
  const order = orderOf(hashes, settings.seed);
  const lanes = Math.max(1, Math.ceil(duplicates.totalBytes / LANE_BYTES));
  const spool = hooks.spool(lanes);
  const near = settings.near !== "off";
  const told = { stages: sharedStages(settings), near, hooks };
  const whole = await distinctDocuments(parts, duplicates, told);
  await spoolAll(labelled(whole.documents, hooks.labels), spool, { lanes, order, bytes, sets });
  const stages = [...single, ...whole.reports()];
  if (bytes.every((size) => size === 0)) throw noneLeft(stages);
  const inOrder = () => ordered(spool, lanes, order);
  const selected =
    hooks.target === undefined
      ? undefined
      : await selectLike(inOrder, hooks.target, { share: settings.likeShare, seed: settings.seed, bytes });
  if (selected !== undefined) stages.push(selected.stage);
  const units = Int32Array.from(bytes, (_, i) => sets.find(i));
  const keys = Uint32Array.from(bytes, (_, i) => hashes[4 * i]!);
  const shares = { validation: settings.validationShare, test: settings.testShare };
  const places = splitOf({ keys, bytes, units, stages }, shares, settings.seed);
  const mixed =
    settings.mix === undefined ? undefined : await mixOver(inOrder(), places, bytes, settings.mix);
  return {
    report: { stages },
    clusters: clusterSummary(duplicates),
    ...(selected?.figures === undefined ? {} : { selection: selected.figures }),
    ...(mixed === undefined ? {} : { mix: mixed.plan }),
    documents: () => placed(inOrder, places, mixed),
  };
};

const mixOver = async (
  documents: AsyncIterable<Placed>,
  places: Uint8Array,
  bytes: Uint32Array,
  settings: MixSettings,
): Promise<Mixed> => {
  const sources = new Map<string, { documents: number; bytes: number }>();
  for await (const { index, source = UNNAMED } of documents) {
    if (places[index] !== TRAIN) continue;
    const sum = sources.get(source) ?? { documents: 0, bytes: 0 };
    sources.set(source, { documents: sum.documents + 1, bytes: sum.bytes + bytes[index]! });
  }
  return mixOf(sources, settings);
};

/** Documents with their parts; those of a mix in as many passes as the source of most epochs has. */
async function* placed(
  open: () => AsyncIterable<Placed>,
  places: Uint8Array,
  mixed: Mixed | undefined,
): AsyncGenerator<readonly [doc: Placed, part: number]> {
  for (let pass = 0; pass < Math.max(1, mixed?.most ?? 1); pass++) {
    const copies = mixed?.copies();
    for await (const doc of open()) {
      const part = places[doc.index]!;
      if (part === NOWHERE) continue;
      const times = part === TRAIN ? (copies?.(doc.source) ?? 1) : 1;
      if (pass < times) yield [doc, part];
    }
  }
}

/** A document's place in the order of the output: a word of its hash alone. */
const orderOf = (hashes: Uint32Array, seed: number): Uint32Array => {
  const salt = saltOf(seed, "order");
  return Uint32Array.from({ length: hashes.length / 4 }, (_, i) => scrambled(hashes[4 * i + 1]!, salt));
};

async function* ordered(spool: Spool, lanes: number, order: Uint32Array): AsyncGenerator<Placed> {
  for (let lane = 0; lane < lanes; lane++) {
    const held: Placed[] = [];
    for await (const doc of spool.documents(lane)) held.push(doc);
    held.sort((a, b) => order[a.index]! - order[b.index]! || a.index - b.index);
    yield* held;
  }
}
