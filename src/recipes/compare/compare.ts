/** Two models on the same held-out data, in pairs: what a change cost, and whether it keeps what it must. */
import { existsSync } from "node:fs";
import { probeOf, sizeFigure } from "../../evaluate/probe.ts";
import { type Figures, mapped } from "../../metrics/metric.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { graphTargetsFrom, targets as table } from "../../node/targets/index.ts";
import {
  type Budget,
  type Figure,
  figureName,
  figuresOf,
  KEPT,
  type Limit,
  LOST,
} from "../../search/figures.ts";
import { checkBudget } from "../../search/limit.ts";
import { hitDifference } from "../../search/noise.ts";
import { qualityFigures } from "../../search/quality.ts";
import { dtypesFrom } from "../../ship/onnx/export.ts";
import { meanOf } from "../../tasks/scores.ts";
import type { Criterion } from "../../tasks/task.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { limitsOf } from "../config/budget.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { measureQuality, openEvaluated } from "../evaluate/evaluate.ts";
import type { EvalOptions, Quality } from "../evaluate/evaluation.ts";
import { pairsOf, type Scored } from "../evaluate/scored.ts";
import { type Named, type Subject, withGraphs } from "../evaluate/subject.ts";
import type { CompareOptions, Comparison } from "./comparison.ts";
import { disagreementOf } from "./disagreement.ts";
import { differencesOf, judgedLimits, type Sides, shownIn } from "./judged.ts";
import { inTurns } from "./turns.ts";

const TURNS = 6;

/** A model as it was named, FOLDER#DTYPE being one dtype of it; a folder whose own name has a # is itself. */
export const refOf = (text: string, dtype?: string): { readonly ref: string; readonly dtype?: string } => {
  const [, ref, own] = /^(.+)#([^#/]*)$/.exec(text) ?? [];
  if (ref === undefined || existsSync(text)) return { ref: text, ...defined({ dtype }) };
  return { ref, dtype: dtypesFrom([own!], text)[0]! };
};

/** Throws ConfigError for two models that nothing measures alike. */
const requireAlike = (a: Named, b: Named): void => {
  if (a.task.name === b.task.name) return;
  throw new ConfigError(
    `the first is a model of ${a.task.name}, the second of ${b.task.name}: no figure is of both`,
    { hint: "compare two models of one task" },
  );
};

const tokenizerText = ({ tokenizer }: Named): string => JSON.stringify(tokenizer.files().tokenizer);

/** What both are scored by. Throws ConfigError or DataError where that is not one thing. */
const scoredBoth = ([a, b]: readonly [Subject, Subject], [one, other]: readonly [Quality, Quality]) => {
  const [first, second] = [one.scored, other.scored];
  if (first === undefined || second === undefined) {
    throw new ConfigError(`models of ${a.task.name} cannot be compared: nothing decides between two`, {
      field: "task.name",
    });
  }
  if (first.name !== second.name) {
    throw new ConfigError(`the first is judged by ${first.name}, the second by ${second.name}`, {
      hint: "compare two models of one kind of labels",
    });
  }
  if (first.ofTokens && tokenizerText(a) !== tokenizerText(b)) {
    throw new ConfigError(
      `models of ${a.task.name} are compared token by token, and their tokenizers differ`,
      {
        hint: "compare two models of one tokenizer; decoders of any are compared by bits per byte",
      },
    );
  }
  const pairs = pairsOf(first, second);
  if (pairs.a.length > 1) return { first, second, pairs };
  throw new DataError(
    `${pairs.a.length} examples are the same for both models: nothing can be told of them`,
    {
      hint: "give more data, which both take",
    },
  );
};

/** What is lost and kept of what is right or wrong, by an interval that few examples cannot close. */
const ofHits = (a: Float32Array, b: Float32Array, whole: number): Figures => {
  const found = hitDifference(a, b);
  if (found === undefined) return {};
  const { mean: value, standardError, n } = found;
  const lost = { value, low: value - 1.96 * standardError, high: value + 1.96 * standardError, n };
  return { [LOST]: lost, [KEPT]: mapped(lost, (x) => 1 - x / whole) };
};

/** The figures that decide, of both: the first is the start, whose share is kept where it has any. */
const pairedFigures = ({ first, second, pairs }: ReturnType<typeof scoredBoth>, criterion: Criterion) => {
  const heldOut = { windows: [] };
  const [a, b] = [first.numbers(pairs.a), second.numbers(pairs.b)];
  const whole = meanOf(a);
  const start = { scores: a, quality: whole };
  const found: Figures = {
    ...qualityFigures({ criterion }, b, { heldOut, start }),
    ...ofHits(a, b, whole),
  };
  const { [KEPT]: _, ...unshared } = found;
  return {
    first: qualityFigures({ criterion }, a, { heldOut }),
    second: whole > 0 ? found : unshared,
    whole,
  };
};

const criterionOf = ({ name, better, example }: Scored): Criterion => ({
  ...{ name, better, example, unit: name },
  of: meanOf,
});

/** Throws ConfigError for a share of what is not above 0, or that is none. */
const requireShares = (budget: Budget, whole: number, name: string): void => {
  const kept = budget.find(({ figure }) => figure === KEPT);
  if (kept === undefined || whole > 0) return;
  throw new ConfigError(`the first model's ${name} is ${whole}, and a share of that says nothing`, {
    field: "minRetention",
    hint: `limit ${figureName(name)} itself with --limit`,
  });
};

/** The limit of a share to keep. Throws ConfigError for what is none. */
const retention = ({ minRetention: least }: CompareOptions): Limit[] => {
  if (least === undefined) return [];
  if (least > 0 && least <= 1) return [{ figure: KEPT, least }];
  throw new ConfigError(`${least} is no share of a figure to keep`, {
    field: "minRetention",
    hint: "give --min-retention above 0 and at most 1, such as 0.98",
  });
};

/** Both models' quality: where that is told against the first's own weights, so is the second's. */
const qualities = async (
  [a, b]: readonly [Subject, Subject],
  ask: (subject: Subject, given: EvalOptions) => Promise<Quality>,
  given: EvalOptions,
): Promise<readonly [Quality, Quality]> => {
  const one = await ask(a, given);
  const against = one.scored?.ofReference && given.reference === undefined ? { reference: a.dir } : {};
  return [one, await ask(b, { ...given, ...against })];
};

const graphsOf = ({ shipped }: Subject): "shipped" | "made" => (shipped ? "shipped" : "made");

/** The limits by the figures that both have, and where speed is measured. */
const stated = (
  { options, kept }: { readonly options: RunOptions["budget"]; readonly kept: readonly Limit[] },
  criterion: Criterion,
  model: Named,
) => {
  const limits = [...kept, ...limitsOf(options)];
  const named = limits
    .map(({ figure }) => figure.split("/")[0]!)
    .filter((name) => Object.hasOwn(table, name));
  const targets = graphTargetsFrom([...new Set([...options.targets, ...named])], "budget.targets");
  const { does } = probeOf(model, 1);
  const figures: readonly Figure[] = figuresOf({ task: { criterion }, does, targets });
  return { figures, targets, budget: checkBudget(limits, figures) };
};

/**
 * Compares the second of two models with the first, on examples that both read: quality in pairs, size, speed
 * in turns. Throws ConfigError for two of different tasks, for tokens of different tokenizers, and for a
 * limit on what is not measured; DataError for data that the task cannot be measured on.
 */
export const compareModels = async (
  models: readonly [first: string, second: string],
  given: CompareOptions,
  options: RunOptions,
  hooks: RecipeHooks,
): Promise<Comparison> => {
  const kept = retention(given);
  graphTargetsFrom(options.budget.targets, "budget.targets");
  const { limit, reference, turns = TURNS, sure = false } = given;
  const shared = defined({ limit, reference });
  const open = (text: string): Promise<Named> => {
    const { ref, dtype } = refOf(text, given.dtype);
    return openEvaluated(ref, { given: { ...shared, ...defined({ dtype }) }, options }, hooks);
  };
  const [a, b] = [await open(models[0]), await open(models[1])];
  requireAlike(a, b);
  const engine = await nodeEngine(options.threads > 0 ? { threads: options.threads } : {});
  const ask = (subject: Subject, asked: EvalOptions) =>
    measureQuality({ engine, subject, given: asked, options, hooks });
  return withGraphs(engine, a, (first) =>
    withGraphs(engine, b, async (second) => {
      const both = [first, second] as const;
      const quality = await qualities(both, ask, shared);
      const scored = scoredBoth(both, quality);
      const criterion = criterionOf(scored.first);
      const { figures, budget, targets } = stated({ options: options.budget, kept }, criterion, a);
      const paired = pairedFigures(scored, criterion);
      requireShares(budget, paired.whole, criterion.name);
      const times = await inTurns(both, { targets, turns, threads: engine.threads }, hooks);
      const sideOf = (i: 0 | 1, side: "first" | "second") => ({
        ...{ model: models[i], dtype: both[i].dtype, graphs: graphsOf(both[i]) },
        figures: {
          ...{ ...quality[i].figures, ...paired[side] },
          ...{ ...sizeFigure(both[i].sizeBytes), ...times[side] },
        },
      });
      const sides: Sides & Pick<Comparison, "first" | "second"> = {
        ...{ first: sideOf(0, "first"), second: sideOf(1, "second"), ratios: times.ratios },
      };
      const { example } = criterion;
      const limits = judgedLimits(budget, sides, { figures, example });
      return {
        ...{ task: a.task.name, first: sides.first, second: sides.second, example, turns },
        ...{ measuredOn: quality[0].measuredOn, pairs: scored.pairs.a.length },
        shown: shownIn(figures, sides, budget),
        differences: differencesOf(sides, figures),
        limits,
        met: limits.every((each) => each.kept && (each.sure || !sure)),
        ...defined({ predictions: disagreementOf(...quality) }),
      };
    }),
  );
};
