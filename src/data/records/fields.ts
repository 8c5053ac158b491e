/** Missing values of records: what counts as missing, and what each field's policy does about it. */
import { ConfigError } from "../../util/errors.ts";

/** What to do where a field is missing: drop the record, take a fixed value, take another field's value. */
export type FieldPolicy = { readonly drop: true } | { readonly default: string } | { readonly from: string };

/** What is done about a missing value, by field. */
export type FieldPolicies = Readonly<Record<string, FieldPolicy>>;

/** Values that say that there is no value, in lower case. */
export const NULL_LIKE: readonly string[] = ["", "-", "na", "n/a", "nan", "null", "none", "undefined"];

/** Whether a value is absent, NaN or one of `nullLike` but for case and white space. */
export const isMissing = (value: unknown, nullLike: readonly string[] = NULL_LIKE): boolean => {
  if (value === undefined || value === null) return true;
  if (typeof value === "number") return Number.isNaN(value);
  // Long texts are not looked at: no marker is long.
  if (typeof value !== "string" || value.length > 64) return false;
  return nullLike.includes(value.trim().toLowerCase());
};

/** A policy as it is written in an option: "drop", "default:VALUE" or "fill:FIELD". Throws ConfigError. */
export const fieldPolicy = (text: string): FieldPolicy => {
  if (text === "drop") return { drop: true };
  const [, kind, value] = /^(default|fill):(.*)$/s.exec(text) ?? [];
  if (kind === "default") return { default: value! };
  if (kind === "fill" && value !== "") return { from: value! };
  throw new ConfigError(`"${text}" is no policy for a field`, {
    hint: "write drop, default:VALUE or fill:FIELD",
  });
};

/** A record's fields by name. */
export type Fields = Readonly<Record<string, unknown>>;

/** A record after its policies: what they put in, or why the record goes. */
export interface Filled {
  readonly record: Fields;
  readonly notes: readonly string[];
  readonly dropped?: string;
}

/** `record` with its missing fields filled in the order of `policies`; `dropped` says why it must go. */
export const fillMissing = (record: Fields, policies: FieldPolicies, nullLike = NULL_LIKE): Filled => {
  const filled: Record<string, unknown> = Object.assign(Object.create(null), record);
  const notes: string[] = [];
  for (const [name, policy] of Object.entries(policies)) {
    if (!isMissing(filled[name], nullLike)) continue;
    if ("drop" in policy) return { record: filled, notes, dropped: `field "${name}" is missing` };
    if ("default" in policy) {
      filled[name] = policy.default;
      notes.push(`field "${name}" took its default`);
    } else if (!isMissing(filled[policy.from], nullLike)) {
      filled[name] = filled[policy.from];
      notes.push(`field "${name}" filled from "${policy.from}"`);
    }
  }
  return { record: filled, notes };
};

/** A field's value as text, and the type that it was of where it was not text; undefined for a structure. */
export const asText = (value: unknown): { readonly text: string; readonly from?: string } | undefined => {
  if (typeof value === "string") return { text: value };
  if (value === null || value === undefined) return { text: "" };
  if (value instanceof Date) {
    const valid = !Number.isNaN(value.getTime());
    return { text: valid ? value.toISOString() : "", from: "date" };
  }
  if (typeof value === "object" || typeof value === "function" || typeof value === "symbol") return undefined;
  return { text: String(value), from: typeof value === "bigint" ? "number" : typeof value };
};
