/**
 * What the figures of candidates are: their names, units and directions. Budgets, tables and pictures ask.
 */
import type { Does } from "../evaluate/probe.ts";
import type { Figures } from "../metrics/metric.ts";
import { count, fixed, plain, short } from "../render/figures.ts";
import type { Criterion, Task } from "../tasks/task.ts";

/** A figure that candidates have. */
export interface Figure {
  /** "sizeBytes", "node-cpu/p95Ms", "accuracy" */
  readonly name: string;
  /** What stands before a value and over a column: "size", "p50". */
  readonly label: string;
  /** What stands behind a value: "MB", "ms/token"; "" for what is counted in nothing. */
  readonly unit: string;
  /** What stands behind an amount in a sentence: "MB of memory", "bits per byte lost". */
  readonly phrase: string;
  readonly better: "less" | "more";
  /** Whether it says how good a candidate is; else it says what it costs. */
  readonly quality: boolean;
  /** How much of the figure is 1 of `unit`: a MB is 1e6 bytes. */
  readonly scale: number;
}

/** What a candidate's figure may be. */
export interface Limit {
  /** Name of the figure, as `figuresOf` has them; "p50Ms" alone is that of the usual target. */
  readonly figure: string;
  readonly most?: number;
  readonly least?: number;
  /** Whether they are shares of what the start has. */
  readonly relative?: boolean;
}

/** What the chosen candidate may cost and has to keep: all of these. */
export type Budget = readonly Limit[];

/**
 * What is lost of the task's figure against the start, in its own units: below 0 where something is gained.
 */
export const LOST = "lost";
/** What is kept of the task's figure, as a share of the start's. */
export const KEPT = "kept";
/** Bytes of the graphs' files. */
export const SIZE = "sizeBytes";

/** "bits per byte" as a name: "bitsPerByte". */
export const figureName = (words: string): string =>
  words.replace(/[\s-]+(\S)/g, (_, first: string) => first.toUpperCase());

const cost = (name: string, label: string, unit: string, phrase: string): Figure => ({
  ...{ name, label, unit, phrase },
  better: name.endsWith("PerSec") ? "more" : "less",
  quality: false,
  scale: name.endsWith("Bytes") ? 1e6 : 1,
});

const quality = (
  name: string,
  better: Figure["better"],
  words: Pick<Figure, "label" | "unit" | "phrase">,
): Figure => ({
  ...{ name, better, ...words },
  quality: true,
  scale: 1,
});

/** What a place where candidates run shows of one. */
const speedsOf = (does: Does): readonly Figure[] => {
  const step = stepOf(does);
  return [
    cost("p50Ms", "p50", `ms/${step}`, `ms per ${step}`),
    cost("p95Ms", "p95", `ms/${step}`, `ms per ${step} at the 95th percentile`),
    ...(does === "reads" ? [] : [cost("firstTokenMs", "first token", "ms", "ms to the first token")]),
    cost("tokensPerSec", "throughput", "tokens/s", "tokens per second"),
    cost("prefillTokensPerSec", "prefill", "tokens/s", "tokens read per second"),
    cost("memoryBytes", "memory", "MB", "MB of memory"),
    cost("loadMs", "load", "ms", "ms to load"),
  ];
};

/** What a user waits for: a token of what generates, a text of what reads. */
export const stepOf = (does: Does): "text" | "token" => (does === "reads" ? "text" : "token");

const judgedBy = ({ name, better }: Criterion): Figure =>
  quality(figureName(name), better, { label: name, unit: "", phrase: name });

/** Where candidates run, the first being the usual one, and what they do there. */
export interface Measuring {
  readonly task: Pick<Task, "criterion" | "metrics">;
  readonly does: Does;
  readonly targets: readonly string[];
}

/** All figures that candidates of a task have, the task's own first. */
export const figuresOf = ({ task, does, targets }: Measuring): readonly Figure[] => {
  const { criterion, metrics = [] } = task;
  return [
    judgedBy(criterion),
    quality(LOST, "less", { label: "lost", unit: criterion.name, phrase: `${criterion.name} lost` }),
    quality(KEPT, "more", { label: "kept", unit: "", phrase: `of the start's ${criterion.name} kept` }),
    ...metrics.map(judgedBy),
    cost(SIZE, "size", "MB", "MB"),
    ...targets.flatMap((target) =>
      speedsOf(does).map((figure) => ({
        ...figure,
        name: `${target}/${figure.name}`,
        ...(targets.length > 1 ? { label: `${figure.label} on ${target}` } : {}),
        ...(targets.length > 1 ? { phrase: `${figure.phrase} on ${target}` } : {}),
      })),
    ),
  ];
};

/** A figure by its name, or by that of the first target's. */
export const figureNamed = (figures: readonly Figure[], name: string): Figure | undefined =>
  figures.find((figure) => figure.name === name) ??
  figures.find((figure) => figure.name.split("/").length === 2 && figure.name.split("/")[1] === name);

/** A value that was measured; NaN where it was not. */
export const measuredValue = ({ figures }: { readonly figures: Figures }, name: string): number =>
  figures[name]?.value ?? Number.NaN;

/** A value of a figure in its unit, without it. */
export const writtenValue = ({ name, quality: isQuality, scale }: Figure, value: number): string => {
  if (isQuality) return fixed(value, 4);
  return name.endsWith("PerSec") ? count(value) : short(value / scale);
};

/** A limit in words: "at most 1 MB", "at least 0.98x the start's accuracy". */
export const limitWords = (
  { figure: name, most, least, relative = false }: Limit,
  figures: readonly Figure[],
): string => {
  const { label, phrase, scale } = figureNamed(figures, name)!;
  const ends = [
    ["at most", most],
    ["at least", least],
  ] as const;
  return ends
    .flatMap(([words, end]) => {
      if (end === undefined) return [];
      return relative
        ? [`${words} ${plain(end)}x the start's ${label}`]
        : [`${words} ${plain(end / scale)} ${phrase}`];
    })
    .join(" and ");
};

/** What a table of candidates shows: the usual figures, and what the budget limits. */
export const shownFigures = (figures: readonly Figure[], budget: Budget): readonly Figure[] => {
  const usual = [LOST, SIZE, "p50Ms", "p95Ms", "prefillTokensPerSec", "memoryBytes"];
  const names = [...usual, ...budget.map(({ figure }) => figure)];
  const shown = new Set([figures[0], ...names.map((name) => figureNamed(figures, name))]);
  return figures.filter((figure) => shown.has(figure));
};
