/** The figures of a task file, of what a model said to its questions, as lm-evaluation-harness has them. */
import { bootstrapSums } from "../../../metrics/bootstrap.ts";
import type { Figures, Measured } from "../../../metrics/metric.ts";
import { proportion } from "../../../metrics/proportion.ts";
import { bleu } from "../../../metrics/text/bleu.ts";
import { chrf } from "../../../metrics/text/chrf.ts";
import { ConfigError } from "../../../util/errors.ts";
import { isExact } from "./answers.ts";
import type { Question } from "./documents.ts";
import type { Likelihood } from "./likelihood.ts";
import type { HarnessMetric, HarnessTask } from "./taskFile.ts";

/** What a model said to one question. */
export interface Reply {
  readonly question: Question;
  /** How probable each choice is, or the target; of a whole text its own probability. */
  readonly likelihoods: readonly Likelihood[];
  /** What it wrote, filtered. */
  readonly answer: string;
}

type Of = (replies: readonly Reply[], metric: HarnessMetric) => Measured;

/** The place of the largest number, the first of equals. */
const best = (scores: readonly number[]): number => scores.indexOf(Math.max(...scores));

/** The choice that a model finds likeliest, by each choice's length where that is asked for. */
export const chosen = ({ question, likelihoods }: Reply, { perCharacter = false } = {}): number =>
  best(likelihoods.map(({ logProb }, i) => logProb / (perCharacter ? [...question.choices![i]!].length : 1)));

const share =
  (right: (reply: Reply, metric: HarnessMetric) => boolean): Of =>
  (replies, metric) =>
    proportion(replies.filter((reply) => right(reply, metric)).length, replies.length);

const logProbOf = ({ likelihoods }: Reply): number => likelihoods[0]!.logProb;

/** A figure of all nats over all words or bytes. */
const perUnit = (units: (text: string) => number, figure: (nats: number) => number): Of => {
  return (replies) =>
    bootstrapSums(
      replies.map((reply) => [-logProbOf(reply), units(reply.question.target)]),
      ([nats, count]) => figure(nats! / count!),
    );
};

const wordsOf = (text: string): number => text.split(/\s+/).length;
const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

const written = (replies: readonly Reply[]) => replies.map(({ answer }) => answer);
const targets = (replies: readonly Reply[]) => replies.map(({ question }) => question.target);

type Table = Partial<Record<HarnessMetric["metric"], Of>>;

const table: Readonly<Record<HarnessTask["output_type"], Table>> = {
  multiple_choice: {
    acc: share((reply) => chosen(reply) === reply.question.gold),
    acc_norm: share((reply) => chosen(reply, { perCharacter: true }) === reply.question.gold),
    exact_match: share(({ question, likelihoods }) => likelihoods[question.gold!]!.greedy),
  },
  loglikelihood: {
    acc: share(({ likelihoods }) => likelihoods[0]!.greedy),
    perplexity: (replies) =>
      bootstrapSums(
        replies.map((reply) => [-logProbOf(reply), 1]),
        ([nats, count]) => Math.exp(nats! / count!),
      ),
  },
  loglikelihood_rolling: {
    word_perplexity: perUnit(wordsOf, Math.exp),
    byte_perplexity: perUnit(bytesOf, Math.exp),
    bits_per_byte: perUnit(bytesOf, (nats) => nats / Math.LN2),
  },
  generate_until: {
    exact_match: share(({ question, answer }, metric) => isExact(answer, question.target, metric)),
    bleu: (replies) => bleu().measure(written(replies), targets(replies)),
    chrf: (replies) => chrf().measure(written(replies), targets(replies)),
  },
};

/** The metrics that a task asks for, else those of its kind of output that need no settings. */
const askedOf = ({ output_type, metric_list }: HarnessTask): readonly HarnessMetric[] => {
  if (metric_list !== undefined) return metric_list;
  const usual = output_type === "generate_until" ? ["exact_match"] : Object.keys(table[output_type]);
  return usual
    .filter((name) => output_type !== "multiple_choice" || name !== "exact_match")
    .map((name) => ({ metric: name as HarnessMetric["metric"] }));
};

/** Throws ConfigError for a metric that the task's kind of output has not. */
export const requireMetrics = (task: HarnessTask, file: string): void => {
  for (const { metric } of askedOf(task)) {
    if (table[task.output_type][metric] !== undefined) continue;
    throw new ConfigError(`${metric} is not a figure of ${task.output_type}`, {
      ...{ file, field: "metric_list" },
      hint: `it has ${Object.keys(table[task.output_type]).join(", ")}`,
    });
  }
};

/** Each metric that the task asks for. */
export const figuresOf = (task: HarnessTask, replies: readonly Reply[]): Figures =>
  Object.fromEntries(
    askedOf(task).map((metric) => [metric.metric, table[task.output_type][metric.metric]!(replies, metric)]),
  );
