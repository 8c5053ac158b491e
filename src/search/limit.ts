/** Limits of a budget as people write them: "sizeBytes<=10MB", "accuracy>=0.98x". */
import { ConfigError } from "../util/errors.ts";
import { nearest } from "../util/nearest.ts";
import { type Budget, type Figure, figureNamed, KEPT, type Limit, LOST } from "./figures.ts";

const FORM = /^\s*([^\s<>=]+)\s*(<=|>=)\s*(\S+?)\s*(x|%|[kMG]?B|ms|s)?\s*$/;

/** What a unit is in that of the figures that it may stand behind. */
const units: Readonly<Record<string, { readonly of: RegExp; readonly factor: number }>> = {
  x: { of: /(?:)/, factor: 1 },
  "%": { of: /(?:)/, factor: 0.01 },
  B: { of: /Bytes$/, factor: 1 },
  kB: { of: /Bytes$/, factor: 1e3 },
  MB: { of: /Bytes$/, factor: 1e6 },
  GB: { of: /Bytes$/, factor: 1e9 },
  ms: { of: /Ms$/, factor: 1 },
  s: { of: /Ms$/, factor: 1e3 },
};

/**
 * Reads FIGURE<=VALUE or FIGURE>=VALUE. A value may have a unit that the figure's name ends in (MB, ms, s),
 * %,
 * or x for a share of what the start has. Throws ConfigError, naming `field`.
 */
export const parseLimit = (text: string, field = "budget.limits"): Limit => {
  const [, figure, sign, amount, unit] = FORM.exec(text) ?? [];
  const value = Number(amount);
  if (figure === undefined || !Number.isFinite(value)) {
    throw new ConfigError(`"${text}" is no limit`, {
      field,
      hint: "write FIGURE<=VALUE or FIGURE>=VALUE, such as sizeBytes<=10MB, p95Ms<=5, accuracy>=0.98x",
    });
  }
  const { of, factor } = units[unit ?? "x"]!;
  if (!of.test(figure)) {
    const hint = `leave the unit out, or name a figure in ${unit}`;
    throw new ConfigError(`"${text}": ${figure} is not counted in ${unit}`, { field, hint });
  }
  // 98 % is 0.98 to the last digit.
  const bound = Number((value * factor).toPrecision(15));
  const limit = sign === "<=" ? { figure, most: bound } : { figure, least: bound };
  return unit === "x" ? { ...limit, relative: true } : limit;
};

const refuseRelative = ({ name }: Figure, field: string): never => {
  throw new ConfigError(`${name} is already counted against the start, and has no share of it`, {
    field,
    hint: `leave the x out: ${name === KEPT ? "kept>=0.98" : "lost<=0.1"}`,
  });
};

const checked = (limit: Limit, figures: readonly Figure[], field: string): Limit => {
  const { figure: name, most, least, relative = false } = limit;
  const figure = figureNamed(figures, name);
  if (figure === undefined) {
    const names = figures.map((each) => each.name);
    const near = nearest(name, names);
    throw new ConfigError(`there is no figure "${name}" to limit`, {
      field,
      hint: `${near === undefined ? "" : `did you mean ${near}? `}there are: ${names.join(", ")}`,
    });
  }
  const given = [most, least].filter((bound) => bound !== undefined);
  if (given.length === 0) {
    throw new ConfigError(`${name} has neither "most" nor "least"`, { field, hint: "give one of them" });
  }
  const wrong = given.find((bound) => !Number.isFinite(bound));
  if (wrong !== undefined) throw new ConfigError(`${wrong} is no limit of ${name}`, { field });
  if (relative && (figure.name === LOST || figure.name === KEPT)) refuseRelative(figure, field);
  return { ...limit, figure: figure.name };
};

/**
 * The budget with the figures' whole names. Throws ConfigError for a figure that is none of `figures`, and
 * for
 * limits that contradict one another.
 */
export const checkBudget = (budget: Budget, figures: readonly Figure[], field = "budget.limits"): Budget => {
  const limits = budget.map((limit) => checked(limit, figures, field));
  const ends = new Map<string, { most: number; least: number }>();
  for (const { figure, most, least, relative = false } of limits) {
    const key = `${figure} ${relative}`;
    const { most: m, least: l } = ends.get(key) ?? { most: Infinity, least: -Infinity };
    const end = { most: Math.min(m, most ?? m), least: Math.max(l, least ?? l) };
    if (end.least > end.most) {
      throw new ConfigError(`${figure} cannot be at least ${end.least} and at most ${end.most}`, {
        field,
        hint: "leave one of the two limits out",
      });
    }
    ends.set(key, end);
  }
  return limits;
};
