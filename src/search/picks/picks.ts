/**
 * The candidates that have a name: the smallest, the fastest and the best of the sound ones, and the one that
 * was chosen; and what each gives up against the others.
 */
import type { Measured } from "../../metrics/metric.ts";
import { type Choosable, exceededBy, least } from "../budget.ts";
import { type Budget, type Figure, figureNamed, LOST, measuredValue, SIZE } from "../figures.ts";
import { lossDifference } from "../noise.ts";
import { type Difference, differenceOf, differenceText, standingOf } from "./difference.ts";

/** What a candidate may be named for. */
export type PickName = "chosen" | "smallest" | "fastest" | "best";

interface Named extends Choosable {
  readonly name: string;
}

/** What picks are made of. */
export interface PickOptions<T extends Named> {
  /** All candidates; the first is the start. */
  readonly candidates: readonly T[];
  /** Name of the chosen one. */
  readonly chosen: string;
  readonly budget: Budget;
  readonly figures: readonly Figure[];
  /**
   * What each held-out example costs by the candidate's name, so that losses are compared in pairs; without
   * them by their intervals, which are wider.
   */
  readonly losses?: ReadonlyMap<string, Float32Array>;
  /** Units of the loss's figure to one unit of `losses`. */
  readonly scale?: number;
  /** One's figure by another's, by their names, where that is known better than by both intervals. */
  readonly ratioOf?: (a: string, b: string, figure: string) => Measured | undefined;
}

/** What a pick is beside another one. */
export interface Against {
  /** Names of the other pick. */
  readonly names: readonly PickName[];
  readonly candidate: string;
  /** In what is lost, size, median time, and what else the budget limits. */
  readonly differences: readonly Difference[];
}

/** A candidate with all that it is named for. */
export interface NamedPick<T> {
  readonly names: readonly PickName[];
  readonly candidate: T;
  /** What of the budget it exceeds. */
  readonly exceeded: readonly string[];
  /**
   * Sound candidates that may be as small, as fast or as good: what was measured does not tell. Of these it
   * is the one that loses least, or, of the best, the smallest.
   */
  readonly level: readonly string[];
  readonly against: readonly Against[];
}

/** What picks are compared in. */
export const comparedFigures = (figures: readonly Figure[], budget: Budget): readonly Figure[] => {
  const limited = budget
    .map(({ figure }) => figureNamed(figures, figure))
    .filter((f) => f?.quality === false);
  const all = [LOST, SIZE, "p50Ms"].map((name) => figureNamed(figures, name));
  return [...new Set([...all, ...limited])].filter((figure) => figure !== undefined);
};

/** How two candidates differ, what is lost in pairs where both were scored so. */
const differenceIn = <T extends Named>(
  { losses, scale = 1, ratioOf }: PickOptions<T>,
  [a, b]: readonly [T, T],
  figure: Figure,
): Difference | undefined => {
  const found = differenceOf([a, b], figure, ratioOf?.(a.name, b.name, figure.name));
  const [one, other] = [losses?.get(a.name), losses?.get(b.name)];
  if (found === undefined || figure.name !== LOST || one === undefined || other === undefined) return found;
  const { standardError, n } = lossDifference(one, other);
  const margin = 1.96 * standardError * Math.abs(scale);
  const { value } = found.difference;
  const difference = { value, low: value - margin, high: value + margin, n };
  return { ...found, difference, standing: standingOf(difference, figure.better) };
};

/** What decides each name, and what between those that it does not tell apart. */
const rules = (time: string): Readonly<Record<Exclude<PickName, "chosen">, readonly string[]>> => ({
  smallest: [SIZE, LOST, time],
  fastest: [time, LOST, SIZE],
  best: [LOST, SIZE, time],
});

/** Those of `sound` that are not told from `first` in the figure named; `first` is one of them. */
const levelWith = <T extends Named>(
  given: PickOptions<T>,
  { first, sound }: { readonly first: T; readonly sound: readonly T[] },
  name: string,
): T[] =>
  sound.filter((c) => {
    const told = differenceIn(given, [first, c], figureNamed(given.figures, name)!);
    return c === first || told?.standing === "within noise" || told?.standing === "same";
  });

/** The first by a rule: of those that are not told from the very first, the best in what else it names. */
const pickBy = <T extends Named>(given: PickOptions<T>, sound: readonly T[], rule: readonly string[]) => {
  const [name, ...others] = rule as [string, ...string[]];
  const key = (figure: string) => (c: T) => measuredValue(c, figure);
  const measured = sound.filter((c) => Number.isFinite(key(name)(c)));
  if (measured.length === 0) return undefined;
  const level = levelWith(given, { first: least(measured, rule.map(key)), sound: measured }, name);
  const candidate = least(level, [...others, name].map(key));
  return { candidate, level: level.filter((c) => c !== candidate).map((c) => c.name) };
};

/**
 * The picks, the chosen one first; one that has several names stands once. None where no candidate is sound.
 */
export const picksOf = <T extends Named>(given: PickOptions<T>): NamedPick<T>[] => {
  const { candidates, chosen, budget, figures } = given;
  const sound = candidates.filter(({ fault }) => fault === undefined);
  const [start] = candidates;
  if (start === undefined || sound.length === 0) return [];
  const named = new Map<T, { names: PickName[]; level: string[] }>();
  const name = (candidate: T, as: PickName, level: readonly string[]): void => {
    const known = named.get(candidate) ?? { names: [], level: [] };
    named.set(candidate, { names: [...known.names, as], level: [...known.level, ...level] });
  };
  const own = sound.find((c) => c.name === chosen);
  if (own !== undefined) name(own, "chosen", []);
  for (const [as, rule] of Object.entries(rules(figureNamed(figures, "p50Ms")?.name ?? SIZE))) {
    const found = pickBy(given, sound, rule);
    if (found !== undefined) name(found.candidate, as as keyof ReturnType<typeof rules>, found.level);
  }
  const compared = comparedFigures(figures, budget);
  return Array.from(named, ([candidate, { names, level }]) => ({
    ...{ names, candidate, level: [...new Set(level)] },
    exceeded: exceededBy(candidate, { budget, figures, start }),
    against: Array.from(named)
      .filter(([other]) => other !== candidate)
      .map(([other, about]) => ({
        ...{ names: about.names, candidate: other.name },
        differences: compared.flatMap((figure) => differenceIn(given, [candidate, other], figure) ?? []),
      })),
  }));
};

/** What one gains and gives up against another, in words: none of what is the same. */
export const tradeText = (
  { differences }: Pick<Against, "differences">,
  figures: readonly Figure[],
): string => {
  const of = (standing: Difference["standing"]): string[] =>
    differences
      .filter((each) => each.standing === standing)
      .map((each) => differenceText(each, figureNamed(figures, each.figure)!));
  const [gains, losses, noise] = [of("better"), of("worse"), of("within noise")];
  return [
    ...(gains.length === 0 ? [] : [`gains ${gains.join(", ")}`]),
    ...(losses.length === 0 ? [] : [`gives up ${losses.join(", ")}`]),
    ...noise,
  ].join("; ");
};

/** What each pick is beside the chosen one, a line each. */
export const pickLines = <T extends Named>(
  picks: readonly NamedPick<T>[],
  figures: readonly Figure[],
): string[] =>
  picks
    .filter(({ names }) => !names.includes("chosen"))
    .map(({ names, candidate, against, level, exceeded }) => {
      const beside = against.find((each) => each.names.includes("chosen"));
      const trade = beside === undefined ? "" : tradeText(beside, figures);
      const remarks = [
        ...(trade === "" ? ["no different in what was measured"] : [trade]),
        ...(level.length === 0 ? [] : [`not told from ${level.join(", ")} in that`]),
        ...(exceeded.length === 0 ? [] : [`beyond the budget: ${exceeded.join(", ")}`]),
      ];
      return `${names.join(", ")} (${candidate.name}): ${remarks.join("; ")}`;
    });
