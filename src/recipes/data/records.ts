/** Labelled records of the user: read as they are, taken by a task, split and turned into examples. */
import { type StageReport, stageRecorder } from "../../data/records/document.ts";
import { saltOf, scrambled } from "../../data/records/splits.ts";
import { readDocuments } from "../../node/read/read.ts";
import {
  type Column,
  columnsOf,
  type Encoded,
  type EncodeRowsOptions,
  type Example,
  type Examples,
  type Reading,
  type RecordOptions,
  type Row,
} from "../../tasks/records.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { defined } from "../../util/defined.ts";
import { DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { silent } from "../context/ui.ts";
import { alignedFiles, alignedRows } from "./aligned.ts";
import { inputsOf } from "./inputs.ts";
import { sameTexts } from "./sameTexts.ts";
import type { UserData } from "./userData.ts";

type Hooks = Pick<RecipeHooks, "ui" | "signal"> & Partial<RecipeHooks>;

/** How records are taken, as the options of a run say. */
export const recordOptions = ({ task, data }: RunOptions): RecordOptions => {
  const { name: _, ...options } = task;
  return { ...options, ...defined({ field: data.field }) };
};

/** The user's records, and what was left out of them. */
export interface Records {
  readonly rows: readonly Row[];
  readonly skipped: readonly string[];
}

/** All records of some files. Throws DataError naming file and line, and for files without a record. */
export const readRecords = async (
  paths: readonly string[],
  options: RunOptions,
  hooks: Hooks,
): Promise<Records> => {
  const { encoding, delimiter, skipBadRows, columns } = options.data;
  const rows: Row[] = [];
  const skipped: string[] = [];
  const task = hooks.ui.task("reading", 0);
  for (const aligned of (await alignedFiles(paths, options.task)) ?? []) {
    for await (const row of alignedRows(aligned, options)) rows.push(row);
  }
  if (rows.length > 0) {
    task.done(`read ${rows.length} pairs of lines`);
    return { rows, skipped };
  }
  const files = await inputsOf({ ...options, data: { ...options.data, paths } }, hooks);
  const read = {
    ...{
      encoding,
      skipBadRows,
      records: true,
      onSkip: (error: DataError) => void skipped.push(error.message),
    },
    ...defined({ delimiter }),
    ...(columns.length > 0 ? { columns } : {}),
  };
  for await (const { id, record } of readDocuments(
    files.map(({ path }) => path),
    read,
  )) {
    hooks.signal?.throwIfAborted();
    if (record === undefined) {
      throw new DataError("is text, and records with fields are wanted", {
        file: id,
        hint: "give CSV, TSV, JSON lines or Parquet",
      });
    }
    rows.push({ id, fields: record });
    task.update(rows.length);
  }
  task.done(`read ${rows.length} records`);
  if (rows.length === 0) {
    throw new DataError("there is no record", { file: paths.join(", "), hint: "give a file with records" });
  }
  return { rows, skipped };
};

/** The first record of the user's files; undefined where these hold text. */
export const firstRecord = async (options: RunOptions): Promise<Row | undefined> => {
  const { paths, encoding, delimiter, columns } = options.data;
  if (paths.length === 0) return undefined;
  const [aligned] = (await alignedFiles(paths, options.task)) ?? [];
  if (aligned !== undefined) for await (const row of alignedRows(aligned, options)) return row;
  const how = {
    encoding,
    ...{ records: true, skipBadRows: true },
    ...defined({ delimiter }),
    ...(columns.length > 0 ? { columns } : {}),
  };
  for await (const { id, record } of readDocuments(paths, how)) {
    return record === undefined ? undefined : { id, fields: record };
  }
  return undefined;
};

/**
 * The columns of the user's first record; undefined where the first file holds text. Throws as `inputsOf`.
 */
export const firstColumns = async (
  options: RunOptions,
  hooks: Hooks,
): Promise<readonly Column[] | undefined> => {
  const { data, task } = options;
  const aligned = (await alignedFiles(data.paths, task)) !== undefined;
  const [first] = aligned ? [] : await inputsOf(options, { ...hooks, ui: silent });
  const paths = aligned ? data.paths : first === undefined ? [] : [first.path];
  const record = await firstRecord({ ...options, data: { ...data, paths } });
  return record === undefined ? undefined : columnsOf([record]);
};

/**
 * The share that is held out (1): of each stratum alike, and what is of one unit on one side; at least
 * `least` units of a stratum of more than that.
 */
export const split = (
  examples: readonly Pick<Example, "unit" | "stratum">[],
  { seed, data }: RunOptions,
  least = 0,
): Uint8Array => {
  const salt = saltOf(seed, "examples");
  const units = new Map<number, { readonly key: number; readonly stratum: string; size: number }>();
  for (const { unit, stratum = "" } of examples) {
    const known = units.get(unit);
    if (known !== undefined) known.size++;
    else units.set(unit, { key: scrambled(unit, salt), stratum, size: 1 });
  }
  const strata = new Map<string, number[]>();
  for (const [unit, { stratum }] of units) strata.set(stratum, [...(strata.get(stratum) ?? []), unit]);
  const held = new Set<number>();
  for (const members of strata.values()) {
    const order = members.sort((a, b) => units.get(a)!.key - units.get(b)!.key || a - b);
    const total = order.reduce((sum, unit) => sum + units.get(unit)!.size, 0);
    let room = Math.round(total * data.validationShare);
    // One of two or more, so that no class goes unmeasured.
    if (room === 0 && order.length > 1 && strata.size < examples.length / 4) room = 1;
    room = Math.max(room, least);
    for (const unit of order.slice(0, order.length - 1)) {
      if (room <= 0) break;
      held.add(unit);
      room -= units.get(unit)!.size;
    }
  }
  return Uint8Array.from(examples, ({ unit }) => Number(held.has(unit)));
};

/** Examples of one side of the split, with their rows. */
export interface Side extends Encoded {}

const side = ({ rows, examples }: Encoded, parts: Uint8Array, part: number): Side => ({
  rows: rows.filter((_, i) => parts[i] === part),
  examples: examples.filter((_, i) => parts[i] === part),
  truncated: 0,
});

/** What is needed to make examples of records. */
export interface RecordInputs {
  readonly reading: Reading;
  readonly tokenizer: Tokenizer;
  readonly train: Records;
  /** Records that the user holds out; else a share is. */
  readonly validation?: Records;
  /** How the model's chats are written. */
  readonly chats?: Pick<EncodeRowsOptions, "writer" | "ownTemplate">;
}

/** Records as a run takes them. */
export interface RecordData extends UserData {
  readonly material: Examples;
  /** The records that were held out, one of each example. */
  readonly held: readonly Row[];
  /** How many lost their end. */
  readonly cut: number;
  readonly first: string;
}

const readingStage = (all: number, kept: number, bytes: number): StageReport => ({
  ...stageRecorder("reading").report(),
  ...{ docsIn: all, docsOut: kept, bytesIn: bytes, bytesOut: bytes },
});

/** UTF-8 bytes of the tokens of examples. */
const bytesIn = (examples: readonly Example[], tokenizer: Tokenizer): number =>
  examples.reduce(
    (sum, { parts }) =>
      sum +
      [parts.ids, parts.source, parts.target]
        .flatMap((ids) => Array.from(ids ?? []))
        .reduce((n, id) => n + tokenizer.bytesOf(id).length, 0),
    0,
  );

/** Examples of the user's records, split, with what is told of them. Throws DataError naming a place. */
export const recordData = async (
  options: RunOptions,
  hooks: Hooks,
  { reading, tokenizer, train, validation, chats = {} }: RecordInputs,
): Promise<RecordData> => {
  const { n_positions: context } = options.model;
  const bad: string[] = [];
  const onBad = options.data.skipBadRows ? { onBad: (e: DataError) => void bad.push(e.message) } : {};
  const encode = ({ rows }: Records) => reading.encode(rows, { tokenizer, context, ...chats, ...onBad });
  const all = await encode(train);
  const given = validation === undefined ? undefined : await encode(validation);
  const parts = given === undefined ? split(all.examples, options) : new Uint8Array(all.examples.length);
  const [own, held] = [side(all, parts, 0), given ?? side(all, parts, 1)];
  const cut = all.truncated + (given?.truncated ?? 0);
  if (cut > 0) hooks.ui.warn(`${cut} examples were cut to ${context} tokens (--context, --too-long)`);
  const skipped = [...train.skipped, ...(validation?.skipped ?? []), ...bad];
  if (skipped.length > 0) hooks.ui.warn(`${skipped.length} records were left out: ${skipped[0]}`);
  for (const note of sameTexts(own, held)) hooks.ui.warn(note);
  const count = (some: readonly Example[]) => some.reduce((sum, { length }) => sum + length, 0);
  const tokens = { train: count(own.examples), validation: count(held.examples) };
  for (const note of reading.notes) hooks.ui.line(note);
  hooks.ui.line(
    `examples: ${own.examples.length} to train on (${tokens.train} tokens), ${held.examples.length} held out`,
  );
  const bytes = bytesIn([...own.examples, ...held.examples], tokenizer);
  const [row, example] = [own.rows[0], own.examples[0]];
  const first = row === undefined ? "" : reading.show(row, example!, tokenizer);
  const total = train.rows.length + (validation?.rows.length ?? 0) + skipped.length - bad.length;
  const kept = own.examples.length + held.examples.length;
  return {
    tokenizer,
    material: { kind: "examples", train: own.examples, validation: held.examples },
    held: held.rows,
    cut,
    first,
    report: { stages: [readingStage(total, kept, bytes)] },
    skipped,
    tokens: { ...tokens, bytesPerToken: bytes / Math.max(1, tokens.train + tokens.validation) },
  };
};
