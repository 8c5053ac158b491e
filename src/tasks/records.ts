/**
 * Labelled records: what a task makes of a user's rows, so that any task with records joins by one file.
 */
import { asText, type Fields } from "../data/records/fields.ts";
import type { Labels } from "../models/encoders/encoder.ts";
import { poolingModes } from "../models/pooling.ts";
import type { ChatWriter } from "../template/supervised.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { DataError } from "../util/errors.ts";

/** One record of a user's data. */
export interface Row {
  /** "file:line", which errors name. */
  readonly id: string;
  readonly fields: Fields;
}

/** A column of the user's records, with some of its values. */
export interface Column {
  readonly name: string;
  readonly values: readonly unknown[];
}

/** A record as the numbers that its place in a batch is made of. */
export interface Example {
  /** Tokens that decide which others it is padded with. */
  readonly length: number;
  /** Arrays by name: "ids", "types", "labels" ... */
  readonly parts: Readonly<Record<string, ArrayLike<number>>>;
  /** A hash of what must not be on both sides of a split: the text, the query. */
  readonly unit: number;
  /** What a split keeps the shares of: the label. */
  readonly stratum?: string;
}

/** Examples to train on and to be measured by. */
export interface Examples {
  readonly kind: "examples";
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
}

/**
 * What labels of texts mean: found out unless told. `ranking` is one score that orders texts for a query.
 */
export const problems = [
  "auto",
  "single_label_classification",
  "multi_label_classification",
  "regression",
  "ranking",
] as const;

/** The losses of sentence embeddings: the usual one of the records' shape unless told. */
export const groupLosses = [
  "auto",
  "in-batch-negatives",
  "cosent",
  "triplet-margin",
  "batch-triplets",
  "cosine",
  "mse",
] as const;

/** The ways to pool that can be asked for: the model's own unless told. */
export const poolingChoices = ["auto", ...poolingModes] as const;

/** How records are taken, as the user says it. */
export interface RecordOptions {
  /** Field of the text, of the second of two, and of the labels; found out by their names unless told. */
  readonly field?: string;
  readonly pairField?: string;
  /**
   * Languages of the text and of what is to be said for it: columns of their names, keys of "translation",
   * ends of line-aligned files.
   */
  readonly sourceLang?: string;
  readonly targetLang?: string;
  /** What stands before each text, such as "summarize: ". */
  readonly prefix: string;
  /** Several are columns of 0 and 1, a label each. */
  readonly labelFields: readonly string[];
  /** All labels in the order of their ids; found out where none are told. */
  readonly labels: readonly string[];
  readonly problem: (typeof problems)[number];
  /** "balanced" weighs each class by how rare it is. */
  readonly classWeights: "none" | "balanced";
  /** Share of the target that goes to all classes alike. */
  readonly labelSmoothing: number;
  /** Share of a text's tokens that are hidden each time that it is learnt from. */
  readonly tokenDropout: number;
  /** Whether token embeddings begin with what a linear model of the labelled texts says of each token. */
  readonly linearStart: boolean;
  /** Texts for each record that are made up of the records' words and labelled by a linear model of them. */
  readonly linearTeacher: number;
  /** What happens to an example of more tokens than the model takes. */
  readonly tooLong: "truncate" | "refuse";
  /** Which pieces of a word bear its label: the first, or each. */
  readonly labelPieces: "first" | "all";
  /** What is learnt of a chat: all that the assistant says, its last turn, or the whole text. */
  readonly turns: "all" | "last" | "text";
  /** Whether prompts and completions that are texts are written by the model's chat template. */
  readonly chatTemplate: "auto" | "none";
  /** Whether examples share rows, none of which sees another. */
  readonly packed: boolean;
  /** Preferences: how dear leaving the untouched model is. */
  readonly beta: number;
  /** Preferences without pairs: weights of good and of other answers. */
  readonly desirableWeight: number;
  readonly undesirableWeight: number;
  /** What sentence embeddings are learnt by. */
  readonly loss: (typeof groupLosses)[number];
  /** Factor of cosines. */
  readonly scale: number;
  /** How much further a wrong text has to be; 0: as is usual. */
  readonly margin: number;
  /** Widths that vectors are cut to, beside the whole. */
  readonly dims: readonly number[];
  /** Wrong texts for each anchor that the model finds itself; 0: none. */
  readonly hardNegatives: number;
  /** By what share of the positive's cosine such a text's is smaller. */
  readonly negativeMargin: number;
  /** Nearest texts that are passed over. */
  readonly negativeRangeMin: number;
  readonly pooling: (typeof poolingChoices)[number];
}

/** What an untold user gets. */
export const recordDefaults: RecordOptions = {
  prefix: "",
  labelFields: [],
  labels: [],
  problem: "auto",
  classWeights: "none",
  labelSmoothing: 0,
  tokenDropout: 0,
  linearStart: false,
  linearTeacher: 0,
  tooLong: "truncate",
  labelPieces: "first",
  turns: "all",
  chatTemplate: "auto",
  packed: false,
  beta: 0.1,
  desirableWeight: 1,
  undesirableWeight: 1,
  loss: "auto",
  scale: 20,
  margin: 0,
  dims: [],
  hardNegatives: 0,
  negativeMargin: 0.05,
  negativeRangeMin: 0,
  pooling: "auto",
};

/** Records as numbers. */
export interface Encoded {
  /** The rows that are examples: all, unless bad ones are left out. */
  readonly rows: readonly Row[];
  /** One of each of them. */
  readonly examples: readonly Example[];
  /** How many lost their end. */
  readonly truncated: number;
}

/** What the tokens of records must fit into. */
export interface EncodeRowsOptions {
  readonly tokenizer: Tokenizer;
  /** Most tokens of an example. */
  readonly context: number;
  /** Writes chats by a template. */
  readonly writer?: ChatWriter;
  /** Whether the template is the model's own. */
  readonly ownTemplate?: boolean;
  /** Told of a row that is left out as it is not as the others are; without it such a row is refused. */
  readonly onBad?: (error: DataError) => void;
}

/** What a model must be that learns from records. */
export interface Wanted {
  /** Labels by id; the checkpoint's own where absent, with the weights of its head. */
  readonly labels?: readonly string[];
  /** What its logits mean, as config.json's `problem_type`. */
  readonly problem?: string;
}

/** How a task takes records of one kind, once those to train on were seen. */
export interface Reading {
  readonly wanted: Wanted;
  /** What the user is told of the records. */
  readonly notes: readonly string[];
  /** Throws DataError naming file, line and field of a record that is not as the others are. */
  encode(rows: readonly Row[], options: EncodeRowsOptions): Encoded | Promise<Encoded>;
  /** The texts of a row that are read. */
  texts(row: Row): readonly string[];
  /** An example in words, its labels shown. */
  show(row: Row, example: Example, tokenizer: Tokenizer): string;
}

/** What is known before records are read. */
export interface ReadingOptions {
  readonly options: RecordOptions;
  /** The labels of a model that has a head of the task. */
  readonly own?: Labels;
  /** Whether no labels but the model's own are taken: it is measured, not trained. */
  readonly fixed?: boolean;
  /** Whether rows that are not as the others are will be left out. */
  readonly lenient?: boolean;
}

/** A task's part for records. */
export interface RecordTask {
  /**
   * How well the columns suit the task, from 0 (not at all) to 1; the task that they suit best is taken.
   */
  fits(columns: readonly Column[], options: RecordOptions): number;
  /** Names of the fields that it looks for, in words. */
  readonly wants: string;
  /** Options that mean something to it, besides fields and what happens to long examples. */
  readonly takes: readonly (keyof RecordOptions)[];
  /** Sees the records to train on. Throws DataError naming file, line and field. */
  read(rows: readonly Row[], options: ReadingOptions): Reading;
}

/** Rows with what `make` makes of them. A DataError is thrown, or told to `onBad` and the row left out. */
export const taken = <T>(
  rows: readonly Row[],
  make: (row: Row) => T,
  onBad?: (error: DataError) => void,
): readonly (readonly [row: Row, made: T])[] =>
  rows.flatMap((row) => {
    try {
      return [[row, make(row)] as const];
    } catch (error) {
      if (onBad === undefined || !(error instanceof DataError)) throw error;
      onBad(error);
      return [];
    }
  });

/** The column that the user named, else the first of `names` that there is, whatever its case. */
export const columnNamed = (
  columns: readonly Pick<Column, "name">[],
  names: readonly string[],
  told?: string,
): string | undefined => {
  const find = (wanted: string) => columns.find(({ name }) => name === wanted)?.name;
  if (told !== undefined) return find(told);
  const lower = new Map(columns.map(({ name }) => [name.trim().toLowerCase(), name]));
  for (const name of names) {
    const found = find(name) ?? lower.get(name.toLowerCase());
    if (found !== undefined) return found;
  }
  return undefined;
};

/** The columns of rows: every name that there is, with the values of the first of them. */
export const columnsOf = (rows: readonly Row[], sample = 200): readonly Column[] => {
  const values = new Map<string, unknown[]>();
  for (const { fields } of rows.slice(0, sample)) {
    for (const [name, value] of Object.entries(fields)) {
      values.set(name, [...(values.get(name) ?? []), value]);
    }
  }
  return Array.from(values, ([name, all]) => ({ name, values: all }));
};

/** The text of a field. Throws DataError where it is none, or empty. */
export const textField = ({ id, fields }: Row, name: string): string => {
  const made = asText(fields[name]);
  if (made !== undefined && made.text.trim() !== "") return made.text;
  const what = made === undefined ? "holds no text" : Object.hasOwn(fields, name) ? "is empty" : "is missing";
  throw new DataError(what, {
    file: id,
    field: name,
    hint: "give every record its text, or leave such records out with --skip-bad-rows",
  });
};
