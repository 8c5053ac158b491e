/** Translations and summaries as records: which columns hold a text, and what is to be said for it. */
import { parseJson } from "../../data/records/json.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { type Column, columnNamed, type RecordOptions, type Row, textField } from "../records.ts";

/** How a record holds its two sides: in two columns, or in one of texts by language. */
export type PairForm =
  | { readonly kind: "columns"; readonly source: string; readonly target: string }
  | {
      readonly kind: "languages";
      readonly field: string;
      /** The languages, where they are told. */
      readonly source?: string;
      readonly target?: string;
    };

/** Names of the two sides, as data sets have them. */
const SIDES = [
  ["source", "target"],
  ["prompt", "completion"],
  ["article", "highlights"],
  ["document", "summary"],
  ["dialogue", "summary"],
  ["article", "summary"],
  ["text", "summary"],
  ["src", "tgt"],
  ["input", "output"],
  ["question", "answer"],
] as const;

/** The column of translations, each an object of a text for each language (WMT, OPUS). */
const TRANSLATION = "translation";

/** Options that say where the two sides are. */
export type PairOptions = Pick<RecordOptions, "field" | "pairField" | "sourceLang" | "targetLang">;

/** The names of both sides, in words. */
export const pairWants = `${SIDES.slice(0, 4)
  .map((sides) => sides.join(" and "))
  .join(", or ")}, or ${TRANSLATION}: {en, de}; --field and --pair-field name others`;

const named = (columns: readonly Pick<Column, "name">[], name: string) => columnNamed(columns, [name]);

/** The form of records with these columns; undefined where they are no pairs. */
export const pairForm = (
  columns: readonly Pick<Column, "name">[],
  { field, pairField, sourceLang, targetLang }: PairOptions,
): PairForm | undefined => {
  if (field !== undefined || pairField !== undefined) {
    const [source, target] = [field, pairField].map((told) =>
      told === undefined ? undefined : columnNamed(columns, [], told),
    );
    return source === undefined || target === undefined ? undefined : { kind: "columns", source, target };
  }
  const translation = named(columns, TRANSLATION);
  const told = {
    ...(sourceLang ? { source: sourceLang } : {}),
    ...(targetLang ? { target: targetLang } : {}),
  };
  if (translation !== undefined && named(columns, "source") === undefined) {
    return { kind: "languages", field: translation, ...told };
  }
  if (told.source !== undefined && told.target !== undefined) {
    const [source, target] = [named(columns, told.source), named(columns, told.target)];
    if (source !== undefined && target !== undefined) return { kind: "columns", source, target };
  }
  for (const [one, other] of SIDES) {
    const [source, target] = [named(columns, one), named(columns, other)];
    if (source !== undefined && target !== undefined) return { kind: "columns", source, target };
  }
  return undefined;
};

/** Where the two sides are, in words. */
export const pairFormText = (form: PairForm): string =>
  form.kind === "columns"
    ? `${form.source} -> ${form.target}`
    : `${form.field}, ${form.source} -> ${form.target}`;

/** A text, and what is to be said for it. */
export interface Sides {
  readonly source: string;
  readonly target: string;
}

/** The texts by language that a field holds: an object, or JSON of one. Throws DataError. */
const languagesIn = ({ id, fields }: Row, field: string): Readonly<Record<string, unknown>> => {
  const given = fields[field];
  const value = typeof given === "string" ? parseJson(given, { file: id, field }) : given;
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Readonly<Record<string, unknown>>;
  }
  throw new DataError("holds no texts by language", {
    file: id,
    field,
    hint: 'write {"en": "...", "de": "..."}, or leave such records out with --skip-bad-rows',
  });
};

/** Throws ConfigError naming the languages that there are, where they do not say which is translated. */
const requireLanguages = (form: Extract<PairForm, { kind: "languages" }>, found: readonly string[]) => {
  const { source, target } = form;
  if (source !== undefined && target !== undefined) return { source, target };
  throw new ConfigError(`${form.field} has ${found.join(" and ")}: which is translated is not told`, {
    field: source === undefined ? "task.sourceLang" : "task.targetLang",
    hint: `say --source-lang ${found[0] ?? "en"} --target-lang ${found[1] ?? "de"}`,
  });
};

/**
 * Both sides of a record. Throws DataError naming file, line and field where one is missing or empty, and
 * ConfigError where nothing says which language is which.
 */
export const sidesOf = (row: Row, form: PairForm): Sides => {
  if (form.kind === "columns") {
    return { source: textField(row, form.source), target: textField(row, form.target) };
  }
  const texts = languagesIn(row, form.field);
  const { source, target } = requireLanguages(form, Object.keys(texts));
  const inside = { id: row.id, fields: { [`${form.field}.${source}`]: texts[source] } };
  const other = { id: row.id, fields: { [`${form.field}.${target}`]: texts[target] } };
  return {
    source: textField(inside, `${form.field}.${source}`),
    target: textField(other, `${form.field}.${target}`),
  };
};
