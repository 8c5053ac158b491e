/** Translations and summaries as examples for an encoder-decoder. */
import type { Tokenizer } from "../../tokenizer/index.ts";
import { DataError } from "../../util/errors.ts";
import { streamOf } from "../../util/rng.ts";
import {
  type Column,
  columnsOf,
  type Encoded,
  type EncodeRowsOptions,
  type Example,
  type Reading,
  type ReadingOptions,
  type RecordOptions,
  type RecordTask,
  type Row,
  taken,
} from "../records.ts";
import { type PairForm, pairForm, pairFormText, pairWants, type Sides, sidesOf } from "./pairForm.ts";

/** The tokens of one side: of a source with special tokens that it names, of a target without. */
const sideIds = (text: string, { tokenizer, isSource }: { tokenizer: Tokenizer; isSource: boolean }) =>
  (isSource ? tokenizer : (tokenizer.target ?? tokenizer)).encodeInputs(text, { special: isSource }).ids;

/** Both sides as tokens, each cut to `context`; how long the longer one was. */
export const pairTokens = (
  { source, target }: Sides,
  { tokenizer, context }: Pick<EncodeRowsOptions, "tokenizer" | "context">,
) => {
  const cutSide = (text: string, isSource: boolean) => {
    const by = isSource ? tokenizer : (tokenizer.target ?? tokenizer);
    const ids = sideIds(text, { tokenizer, isSource });
    const kept =
      ids.length <= context ? ids : by.encodeInputs(text, { special: isSource, maxLength: context }).ids;
    return { kept, length: ids.length };
  };
  const [one, other] = [cutSide(source, true), cutSide(target, false)];
  return { source: one.kept, target: other.kept, length: Math.max(one.length, other.length) };
};

/** What a row's split goes by: what is read, whatever is to be said for it. */
export const pairUnit = (source: string): number => streamOf(source);

interface Taken {
  readonly example: Example;
  readonly cut: boolean;
}

const exampleOf = (row: Row, form: PairForm, options: RecordOptions, how: EncodeRowsOptions): Taken => {
  const sides = sidesOf(row, form);
  const source = options.prefix + sides.source;
  const tokens = pairTokens({ source, target: sides.target }, how);
  const cut = tokens.length > how.context;
  if (cut && options.tooLong === "refuse") {
    throw new DataError(`has ${tokens.length} tokens, and the model takes ${how.context}`, {
      file: row.id,
      hint: "cut it, raise --context, or take --too-long truncate",
    });
  }
  const parts = { source: tokens.source, target: tokens.target };
  const length = tokens.source.length + tokens.target.length;
  return { example: { length, parts, unit: pairUnit(source) }, cut };
};

const encode = (
  rows: readonly Row[],
  form: PairForm,
  options: RecordOptions,
  how: EncodeRowsOptions,
): Encoded => {
  const made = taken(rows, (row) => exampleOf(row, form, options, how), how.onBad);
  return {
    rows: made.map(([row]) => row),
    examples: made.map(([, { example }]) => example),
    truncated: made.filter(([, { cut }]) => cut).length,
  };
};

const shown = (ids: ArrayLike<number>, tokenizer: Tokenizer): string =>
  tokenizer.decode(Array.from(ids), { keepSpecial: true }).replaceAll("\n", "\\n");

const read = (rows: readonly Row[], { options }: ReadingOptions): Reading => {
  const columns = columnsOf(rows);
  const form = pairForm(columns, options);
  if (form === undefined) {
    throw new DataError("the records are no pairs of texts", {
      ...(rows[0] === undefined ? {} : { file: rows[0].id }),
      hint: `their fields are ${columns.map(({ name }) => name).join(", ")}; wanted: ${pairWants}`,
    });
  }
  const prefix = options.prefix === "" ? "" : `, behind ${JSON.stringify(options.prefix)}`;
  return {
    wanted: {},
    notes: [`records: ${pairFormText(form)}${prefix}`],
    encode: (some, how) => encode(some, form, options, how),
    texts: (row) => Object.values(sidesOf(row, form)),
    show: (_, { parts }, tokenizer) =>
      `${shown(parts.source!, tokenizer)} -> [${shown(parts.target!, tokenizer.target ?? tokenizer)}]`,
  };
};

/** How surely columns of these names are a text and what is to be said for it. */
const fits = (columns: readonly Column[], options: RecordOptions): number => {
  const form = pairForm(columns, options);
  if (form === undefined) return 0;
  return form.kind === "languages" || (options.sourceLang && options.targetLang) ? 0.9 : 0.6;
};

/** Translation and summarization as a task of records. */
export const pairRecords: RecordTask = {
  fits,
  wants: pairWants,
  takes: ["sourceLang", "targetLang", "prefix", "labelSmoothing"],
  read,
};
