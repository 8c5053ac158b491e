/** Reading the fields of a config.json with errors that name the field. */
import { ConfigError } from "../util/errors.ts";

/** The fields of a config.json, not checked yet. */
export type Fields = { readonly [key: string]: unknown };

/** Other names of fields, each of which counts where it is there: transformers' `attribute_map`. */
export type Aliases = Readonly<Record<string, string>>;

const unaliased = (fields: Fields, aliases: Aliases): Fields => {
  const given = Object.entries(aliases).filter(([alias]) => fields[alias] != null);
  if (given.length === 0) return fields;
  const own = Object.fromEntries(given.map(([alias, name]) => [name, fields[alias]]));
  return { ...fields, ...own };
};

/** The object of a config.json for `modelType`, its fields under their own names. */
export const checkFields = (json: unknown, modelType: string, aliases: Aliases = {}): Fields => {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new ConfigError("a model's config must be an object", { field: "config" });
  }
  const fields = json as Fields;
  if (fields.model_type !== modelType) {
    throw new ConfigError(`is ${JSON.stringify(fields.model_type)}, not "${modelType}"`, {
      field: "model_type",
    });
  }
  return unaliased(fields, aliases);
};

/** An integer in [min, max], or the default where absent. */
export const intField = (
  fields: Fields,
  name: string,
  fallback: number,
  min = 1,
  max = Number.MAX_SAFE_INTEGER,
): number => {
  const value = fields[name] ?? fallback;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  throw new ConfigError(`must be an integer ${range}, not ${JSON.stringify(value)}`, { field: name });
};

/** A number in [min, max], or the default where absent. */
export const numberField = (
  fields: Fields,
  name: string,
  fallback: number,
  min: number,
  max: number,
): number => {
  const value = fields[name] ?? fallback;
  if (typeof value !== "number" || !(value >= min && value <= max)) {
    throw new ConfigError(`must be a number from ${min} to ${max}, not ${JSON.stringify(value)}`, {
      field: name,
    });
  }
  return value;
};

/** true or false, or the default where absent. */
export const flagField = (fields: Fields, name: string, fallback: boolean): boolean => {
  const value = fields[name] ?? fallback;
  if (typeof value === "boolean") return value;
  throw new ConfigError(`must be true or false, not ${JSON.stringify(value)}`, { field: name });
};

/** One of the keys of `choices`, or the default where absent. */
export const oneOf = <K extends string>(
  fields: Fields,
  name: string,
  choices: Readonly<Record<K, unknown>>,
  fallback: K,
): K => {
  const value = fields[name] ?? fallback;
  if (typeof value !== "string" || !Object.hasOwn(choices, value)) {
    const known = Object.keys(choices).join(", ");
    throw new ConfigError(`must be one of ${known}, not ${JSON.stringify(value)}`, { field: name });
  }
  return value as K;
};
