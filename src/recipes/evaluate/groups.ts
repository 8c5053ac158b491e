/** The user's records for embeddings, where they are such: pairs, triplets, scores, classes, vectors. */
import { rowShape } from "../../data/records/rows.ts";
import { type GroupKind, kindOfColumns, read, wants } from "../../tasks/embedding/groupRecords.ts";
import { columnsOf, type Row } from "../../tasks/records.ts";
import { DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import { firstRecord, recordOptions } from "../data/records.ts";
import type { Asked } from "./evaluation.ts";
import { recordsAsked } from "./records.ts";
import type { Group } from "./retrieval.ts";

/** A record's texts with what is said of them. */
export interface Grouped extends Group {
  /** How near the two texts are. */
  readonly score?: number;
  /** A number for its class. */
  readonly class?: number;
  /** The vector that a teacher makes of it. */
  readonly given?: ArrayLike<number>;
}

/** Records for embeddings, and what they are. */
export interface Groups {
  readonly kind: GroupKind;
  readonly all: readonly Grouped[];
}

/** Throws DataError for a record whose fields hold no text. */
const requireText = ({ id, fields }: Row, { data: { field } }: RunOptions): void => {
  const names = Object.keys(fields);
  if (rowShape(new Set(names), field === undefined ? {} : { field }) !== undefined) return;
  throw new DataError("is neither texts that belong together nor a text", {
    file: id,
    hint: `its fields are ${names.slice(0, 12).join(", ")}; wanted: ${wants}`,
  });
};

/** Records of single texts can be measured against another model too. */
const isOfTexts = (kind: GroupKind): boolean => kind === "classes" || kind === "vectors";

/**
 * All records for embeddings of the user's files; undefined where they hold none. Throws DataError naming a
 * record that is none, unless bad rows are left out.
 */
export const groupsIn = async (asked: Asked): Promise<Groups | undefined> => {
  const { options, hooks, subject, given } = asked;
  const row = asked.rows?.[0] ?? (await firstRecord(options));
  const kind = row === undefined ? undefined : kindOfColumns(columnsOf([row]), recordOptions(options));
  if (kind === undefined && row !== undefined) requireText(row, options);
  if (kind === undefined || (isOfTexts(kind) && given.reference !== undefined)) return undefined;
  const { rows, skipped } = await recordsAsked(asked);
  const reading = read(rows, { options: recordOptions(options) });
  const { positions } = subject.arch.cache(subject.config);
  const bad: string[] = [];
  const onBad = (error: DataError) => void bad.push(error.message);
  const { examples, rows: kept } = await reading.encode(rows, {
    ...{ tokenizer: subject.tokenizer, context: positions },
    ...(options.data.skipBadRows ? { onBad } : {}),
  });
  const left = [...skipped, ...bad];
  if (left.length > 0) hooks.ui.warn(`${left.length} records were left out: ${left[0]}`);
  if (examples.length === 0) throw new DataError("no record is left to measure on");
  const all = kept.slice(0, given.limit).map((row, i) => {
    const { score, class: own, given: vector } = examples[i]!.parts;
    return {
      ...{ id: row.id, texts: reading.texts(row) },
      ...(score === undefined ? {} : { score: score[0]! }),
      ...(own === undefined ? {} : { class: own[0]! }),
      ...(vector === undefined ? {} : { given: vector }),
    };
  });
  return { kind, all };
};
