/** Pairs of texts from the user's records: read, checked, without repetitions, split and as tokens. */
import { stageRecorder } from "../../data/records/document.ts";
import { readDocuments } from "../../node/read/read.ts";
import { columnsOf, type Row } from "../../tasks/records.ts";
import { type PairForm, pairForm, pairWants, sidesOf } from "../../tasks/seq2seq/pairForm.ts";
import { pairTokens, pairUnit } from "../../tasks/seq2seq/pairRecords.ts";
import type { TextPair } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { defined } from "../../util/defined.ts";
import { DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { alignedFiles, alignedRows } from "./aligned.ts";
import { inputsOf } from "./inputs.ts";
import { tokenizerOf } from "./output.ts";
import { recordOptions, split } from "./records.ts";
import { describeStages } from "./stages.ts";
import type { UserData } from "./userData.ts";

/** A text, and what is to be said for it. */
export interface Pair {
  /** "file:line". */
  readonly id: string;
  readonly source: string;
  readonly target: string;
}

type Hooks = Pick<RecipeHooks, "ui" | "signal"> & Partial<RecipeHooks>;

/** The user's records one by one: those of line-aligned files, or of others. Throws as these are read. */
async function* rowsIn(
  options: RunOptions,
  hooks: Hooks,
  left: (error: DataError) => void,
): AsyncGenerator<Row> {
  const aligned = await alignedFiles(options.data.paths, options.task);
  if (aligned !== undefined) {
    for (const files of aligned) yield* alignedRows(files, options);
    return;
  }
  const { encoding, delimiter, skipBadRows, columns } = options.data;
  const read = {
    ...{ encoding, skipBadRows, records: true, onSkip: left },
    ...defined({ delimiter }),
    ...(columns.length > 0 ? { columns } : {}),
  };
  const files = await inputsOf(options, hooks);
  for await (const { id, record } of readDocuments(
    files.map(({ path }) => path),
    read,
  )) {
    if (record !== undefined) yield { id, fields: record };
    else left(new DataError("is text, and pairs of texts are wanted", { file: id }));
  }
}

/** A pair of a record. Throws DataError where it is none, or a side is empty. */
const pairOf = (row: Row, form: PairForm, { prefix }: RunOptions["task"]): Pair => {
  const { source, target } = sidesOf(row, form);
  return { id: row.id, source: prefix + source, target };
};

/** Reads all pairs, each once; what was left out goes to the stages' report. */
const readPairs = async (options: RunOptions, hooks: Hooks) => {
  const { skipBadRows } = options.data;
  const reading = stageRecorder("reading");
  const exact = stageRecorder("exact duplicates");
  const skipped: string[] = [];
  const seen = new Set<string>();
  const pairs: Pair[] = [];
  const task = hooks.ui.task("reading", 0);
  const left = (error: DataError): void => void skipped.push(error.message);
  let form: PairForm | undefined;
  for await (const row of rowsIn(options, hooks, left)) {
    hooks.signal?.throwIfAborted();
    form ??= formOf(row, options);
    const doc = { id: row.id, text: Object.values(row.fields).map(String).join("\n") };
    reading.in(doc);
    try {
      const pair = pairOf(row, form, options.task);
      reading.out(doc);
      exact.in(doc);
      const key = JSON.stringify([pair.source, pair.target]);
      if (seen.has(key)) exact.drop("exact duplicate", doc);
      else {
        exact.out(doc);
        seen.add(key);
        pairs.push(pair);
      }
    } catch (error) {
      if (!skipBadRows || !(error instanceof DataError)) throw error;
      left(error);
      reading.drop("no pair", doc);
    }
    task.update(pairs.length);
  }
  task.done(`read ${pairs.length} pairs`);
  if (skipped.length > 0) hooks.ui.warn(`${skipped.length} records were left out: ${skipped[0]}`);
  return { pairs, skipped, report: { stages: [reading.report(), exact.report()] } };
};

/** The form of the first record. Throws DataError where that is no pair. */
const formOf = (row: Row, options: RunOptions): PairForm => {
  const columns = columnsOf([row]);
  const form = pairForm(columns, recordOptions(options));
  if (form !== undefined) return form;
  throw new DataError("is no pair of texts", {
    file: row.id,
    hint: `its fields are ${columns.map(({ name }) => name).join(", ")}; wanted: ${pairWants}`,
  });
};

/** The pairs of rows that were read. Throws DataError naming one that is none. */
export const pairsIn = (rows: readonly Row[], options: RunOptions): readonly Pair[] =>
  rows.length === 0 ? [] : rows.map((row) => pairOf(row, formOf(rows[0]!, options), options.task));

/** Options that read the files that the user holds out; undefined where there are none. */
export const heldOutFiles = ({ data, ...options }: RunOptions): RunOptions | undefined =>
  data.validation.length === 0
    ? undefined
    : { ...options, data: { ...data, paths: data.validation, validation: [] } };

/** Training and held-out pairs: a source's are on one side, whatever other pairs there are. */
const splitOf = async (pairs: readonly Pair[], options: RunOptions, hooks: Hooks) => {
  const held = heldOutFiles(options);
  if (held !== undefined) return { train: pairs, validation: (await readPairs(held, hooks)).pairs };
  // The share that fine-tuning on the same files holds out.
  const parts = split(
    pairs.map(({ source }) => ({ unit: pairUnit(source) })),
    options,
    1,
  );
  const side = (part: number) => pairs.filter((_, i) => parts[i] === part);
  const [train, validation] = [side(0), side(1)];
  if (train.length > 0) return { train, validation };
  throw new DataError(`${pairs.length} pairs are too few to train on some and hold others out`, {
    hint: "give at least two pairs with different sources",
  });
};

/**
 * The pairs that are held out of what the same options train on, as texts. Throws as `pairData`.
 */
export const heldOutPairs = async (options: RunOptions, hooks: Hooks): Promise<readonly Pair[]> => {
  const held = heldOutFiles(options);
  const { pairs, report } = await readPairs(held ?? options, hooks);
  describeStages(report, hooks.ui);
  return held === undefined ? (await splitOf(pairs, options, hooks)).validation : pairs;
};

/** Pairs as tokens, cut to `context`; counts what was cut. */
export const encodedPairs = (pairs: readonly Pair[], tokenizer: Tokenizer, context: number) => {
  const made = pairs.map((pair) => pairTokens(pair, { tokenizer, context }));
  const all: readonly TextPair[] = made;
  return { all, cut: made.filter(({ length }) => length > context).length };
};

/**
 * The user's pairs. Throws DataError naming the file and line of a record that is no pair or lacks a side,
 * and for too few of them.
 */
export const pairData = async (options: RunOptions, hooks: Hooks, given?: Tokenizer): Promise<UserData> => {
  const { pairs, skipped, report } = await readPairs(options, hooks);
  describeStages(report, hooks.ui);
  const { train, validation } = await splitOf(pairs, options, hooks);
  const texts = train.flatMap(({ source, target }) => [source, target]);
  const tokenizer = given ?? tokenizerOf(texts, options, hooks.ui);
  const [own, held] = [train, validation].map((some) =>
    encodedPairs(some, tokenizer, options.model.n_positions),
  );
  const cut = own!.cut + held!.cut;
  if (cut > 0) hooks.ui.warn(`${cut} pairs were cut to ${options.model.n_positions} tokens (--context)`);
  const count = (some: readonly TextPair[]) =>
    some.reduce((sum, { source, target }) => sum + source.length + target.length, 0);
  const tokens = { train: count(own!.all), validation: count(held!.all) };
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  hooks.ui.line(`pairs: ${train.length} to train on (${tokens.train} tokens), ${validation.length} held out`);
  return {
    tokenizer,
    material: { kind: "pairs", train: own!.all, validation: held!.all },
    report,
    skipped,
    tokens: { ...tokens, bytesPerToken: bytes / tokens.train },
  };
};
