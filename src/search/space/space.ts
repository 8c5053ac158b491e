/**
 * What is searched, as data: parameters by name, in the order in which they are decided. A condition is a
 * plain function of what was decided before it.
 */
import { ConfigError } from "../../util/errors.ts";

/** A parameter's value. */
export type Scalar = string | number | boolean;
/** The values of a configuration by the parameters' names; those whose condition does not hold are absent. */
export type Values = Readonly<Record<string, Scalar>>;
/** Whether a parameter is there, by the values of those before it. */
export type Condition = (values: Values) => boolean;

/** One of several choices. */
export interface Categorical {
  readonly kind: "categorical";
  readonly choices: readonly Scalar[];
  /** Whether the choices stand in an order, so that neighbours are alike: widths, learning rates. */
  readonly ordered?: boolean;
  readonly when?: Condition;
}

/** A whole number from `low` to `high`, both included. */
export interface Integer {
  readonly kind: "integer";
  readonly low: number;
  readonly high: number;
  /** Whether equal ratios are equal distances. */
  readonly log?: boolean;
  readonly when?: Condition;
}

/** A number from `low` to `high`. */
export interface Float {
  readonly kind: "float";
  readonly low: number;
  readonly high: number;
  readonly log?: boolean;
  readonly when?: Condition;
}

/** A parameter of a space. */
export type Param = Categorical | Integer | Float;
/** Parameters by name, in the order in which they are decided. */
export type Space = Readonly<Record<string, Param>>;

/** What a parameter of choices is told besides them. */
export type CategoricalOptions = Pick<Categorical, "ordered" | "when">;
/** What a parameter of numbers is told besides its ends. */
export type NumberOptions = Pick<Float, "log" | "when">;

/** One of `choices`. */
export const categorical = (choices: readonly Scalar[], options: CategoricalOptions = {}): Categorical => ({
  kind: "categorical",
  choices,
  ...options,
});

/** A whole number from `low` to `high`. */
export const integer = (low: number, high: number, options: NumberOptions = {}): Integer => ({
  ...{ kind: "integer", low, high },
  ...options,
});

/** A number from `low` to `high`. */
export const float = (low: number, high: number, options: NumberOptions = {}): Float => ({
  ...{ kind: "float", low, high },
  ...options,
});

const faultOf = (param: Param): string | undefined => {
  if (param.kind === "categorical") {
    const { choices } = param;
    if (choices.length === 0) return "has no choices";
    if (choices.some((c) => typeof c === "number" && !Number.isFinite(c)))
      return "has a choice that is no number";
    return new Set(choices).size < choices.length ? "has a choice twice" : undefined;
  }
  const { low, high, kind, log = false } = param;
  if (!Number.isFinite(low) || !Number.isFinite(high)) return "has an end that is not finite";
  if (low > high) return `goes from ${low} to ${high}, which is nothing`;
  if (kind === "integer" && !(Number.isInteger(low) && Number.isInteger(high)))
    return "has an end that is no whole number";
  return log && low <= 0 ? `is logarithmic and begins at ${low}` : undefined;
};

/** Returns `space` if it can be searched. Throws ConfigError naming the parameter that cannot be. */
export const checkSpace = (space: Space): Space => {
  const entries = Object.entries(space);
  if (entries.length === 0) {
    throw new ConfigError("the space has no parameters", {
      hint: "name at least one that is to be searched",
    });
  }
  for (const [name, param] of entries) {
    const fault = faultOf(param);
    if (fault === undefined) continue;
    throw new ConfigError(`the parameter ${fault}`, {
      field: `space.${name}`,
      hint: "give choices, or low <= high, both finite (above 0 where they are logarithmic)",
    });
  }
  return space;
};

/** Whether a parameter is there beside the values before it. */
export const isActive = ({ when }: Param, before: Values): boolean => when?.(before) ?? true;

/** A configuration whose values `decide` gives, one after the other; those without meaning are left out. */
export const decided = (
  space: Space,
  decide: (name: string, param: Param, before: Values) => Scalar,
): Values => {
  const values: Record<string, Scalar> = {};
  for (const [name, param] of Object.entries(space)) {
    if (isActive(param, values)) values[name] = decide(name, param, values);
  }
  return values;
};

/** A configuration as text: equal values, equal text, in whatever order they stand. */
export const keyOf = (values: Values): string => {
  const names = Object.keys(values).sort();
  return JSON.stringify(names.map((name) => [name, values[name]]));
};

const allows = (param: Param, value: Scalar): boolean => {
  if (param.kind === "categorical") return param.choices.includes(value);
  if (typeof value !== "number" || !(value >= param.low && value <= param.high)) return false;
  return param.kind === "float" || Number.isInteger(value);
};

/** Throws ConfigError where `values` are no configuration of the space, naming the parameter. */
export const checkValues = (space: Space, values: Values): void => {
  const refuse = (name: string, what: string): never => {
    throw new ConfigError(what, { field: name, hint: `the space has ${Object.keys(space).join(", ")}` });
  };
  const rest = new Set(Object.keys(values));
  for (const [name, param] of Object.entries(space)) {
    if (!isActive(param, values)) continue;
    const value = values[name] ?? refuse(name, "is missing from the configuration");
    if (!allows(param, value)) refuse(name, `${JSON.stringify(value)} is not of the space`);
    rest.delete(name);
  }
  const [other] = rest;
  if (other !== undefined) refuse(other, "is no parameter of this configuration");
};
