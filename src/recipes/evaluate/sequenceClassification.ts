/** Classifiers of texts: all records of a file, one text at a time, by the shipped graph. */
import { asFloat32 } from "../../evaluate/parity/agreement.ts";
import { textFeeds } from "../../evaluate/speed.ts";
import { bootstrapMean } from "../../metrics/bootstrap.ts";
import { accuracy } from "../../metrics/labels/accuracy.ts";
import { calibrationError } from "../../metrics/labels/calibration.ts";
import { matthews } from "../../metrics/labels/matthews.ts";
import { f1, precision, recall } from "../../metrics/labels/precisionRecall.ts";
import type { Figures } from "../../metrics/metric.ts";
import { pearson } from "../../metrics/numbers/pearson.ts";
import { spearman } from "../../metrics/numbers/spearman.ts";
import type { Labels } from "../../models/encoders/encoder.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import type { Said } from "../../report/tuned/model.ts";
import { figures, largest, sigmoidOf, softmaxOf } from "../../tasks/classification/figures.ts";
import { type Problem, problemIn } from "../../tasks/classification/labels.ts";
import { RunError } from "../../util/errors.ts";
import type { Asked, Evaluator, Prediction } from "./evaluation.ts";
import { type Answer, labelledRecords } from "./records.ts";
import type { Scored } from "./scored.ts";

const named = ({ id2label }: Labels): readonly string[] => Object.values(id2label);

const singleFigures = (answers: readonly Answer[], names: readonly string[]): Figures => {
  const said = answers.map(({ logits }) => names[largest(logits)]!);
  const right = answers.map(({ labels }) => names[labels[0]!]!);
  const sure = answers.map(({ logits }, i) => ({
    label: said[i]!,
    confidence: Math.max(...softmaxOf(logits)),
  }));
  return {
    accuracy: accuracy.measure(said, right),
    macroF1: f1({ average: "macro" }).measure(said, right),
    macroPrecision: precision({ average: "macro" }).measure(said, right),
    macroRecall: recall({ average: "macro" }).measure(said, right),
    matthews: matthews.measure(said, right),
    calibrationError: calibrationError().measure(sure, right),
  };
};

const severalFigures = (answers: readonly Answer[], names: readonly string[]): Figures => {
  const having = (has: (k: number) => boolean): string[] => names.filter((_, k) => has(k));
  const said = answers.map(({ logits }) => having((k) => logits[k]! > 0));
  const right = answers.map(({ labels }) => having((k) => labels[k] === 1));
  return {
    microF1: f1({ average: "micro" }).measure(said, right),
    macroF1: f1({ average: "macro" }).measure(said, right),
    microPrecision: precision({ average: "micro" }).measure(said, right),
    microRecall: recall({ average: "micro" }).measure(said, right),
    accuracy: accuracy.measure(said, right),
  };
};

const numberFigures = (answers: readonly Answer[]): Figures => {
  const said = answers.map(({ logits }) => logits[0]!);
  const right = answers.map(({ labels }) => labels[0]!);
  return {
    pearson: pearson.measure(said, right),
    spearman: spearman.measure(said, right),
    meanSquaredError: bootstrapMean(said.map((x, i) => (x - right[i]!) ** 2)),
  };
};

const rankingFigures = (answers: readonly Answer[]): Figures => {
  const judged = {
    logits: answers.map(({ logits }) => logits),
    labels: answers.map(({ labels }) => labels),
    groups: answers.map(({ unit }) => unit),
  };
  return { "ndcg@10": bootstrapMean(Array.from(figures.ranking.numbers(judged))) };
};

const all: Readonly<Record<Problem, (answers: readonly Answer[], names: readonly string[]) => Figures>> = {
  single_label_classification: singleFigures,
  multi_label_classification: severalFigures,
  regression: numberFigures,
  ranking: rankingFigures,
};

const predictionOf = (
  { id, texts, logits, labels }: Answer,
  names: readonly string[],
  problem: Problem,
): Prediction => {
  const about = { id, input: texts.length === 1 ? texts[0]! : texts };
  if (problem === "single_label_classification") {
    const probs = softmaxOf(logits);
    const best = largest(logits);
    return { ...about, reference: names[labels[0]!]!, prediction: names[best]!, score: probs[best]! };
  }
  if (problem === "multi_label_classification") {
    const having = (has: (k: number) => boolean): string[] => names.filter((_, k) => has(k));
    const scores = Object.fromEntries(names.map((name, k) => [name, sigmoidOf(logits[k]!)]));
    return {
      ...about,
      reference: having((k) => labels[k] === 1),
      prediction: having((k) => logits[k]! > 0),
      scores,
    };
  }
  const said = problem === "ranking" ? sigmoidOf(logits[0]!) : logits[0]!;
  return { ...about, reference: labels[0]!, prediction: said };
};

/** The first figure of the kind of labels, record by record; of a ranking, query by query. */
const scoredOf = (answers: readonly Answer[], problem: Problem): Scored => {
  const { name, example, numbers } = figures[problem];
  return {
    ...{ name, better: "more", example: example === "text" ? "record" : example },
    keys: answers.map(({ id }) => id),
    numbers: (places) => {
      const some = places.map((i) => answers[i]!);
      return numbers({
        logits: some.map(({ logits }) => logits),
        labels: some.map(({ labels }) => labels),
        groups: some.map(({ unit }) => unit),
      });
    },
  };
};

const label = (labels: readonly number[]): number => labels[0]!;

/** What was said, for a report: a ranking is whether a text is relevant. */
const saidOf = (answers: readonly Answer[], names: readonly string[], problem: Problem): Said => {
  const about = ({ id, texts }: Answer) => ({ id, texts });
  if (problem === "single_label_classification") {
    const all = answers.map((answer) => ({
      ...about(answer),
      ...{ right: label(answer.labels), probabilities: softmaxOf(answer.logits) },
    }));
    return { kind: "labels", names, all };
  }
  if (problem === "regression") {
    const all = answers.map((answer) => ({
      ...about(answer),
      ...{ right: label(answer.labels), said: answer.logits[0]! },
    }));
    return { kind: "numbers", what: "said", all };
  }
  const all = answers.map((answer) => ({
    ...about(answer),
    right: answer.labels.map((x) => x > 0),
    probabilities: answer.logits.map(sigmoidOf),
  }));
  return { kind: "several", names: problem === "ranking" ? ["relevant"] : names, all };
};

/** What the shipped graph says of each record. */
const answersOf = async (asked: Asked): Promise<readonly Answer[]> => {
  const { engine, subject, hooks, given } = asked;
  const records = await labelledRecords(asked);
  const session = await loadAsIs(engine, subject.graphs.model!);
  const some = records.slice(0, given.limit ?? records.length);
  const progress = hooks.ui.task("measuring", some.length);
  const answers: Answer[] = [];
  try {
    for (const { example, texts, id } of some) {
      hooks.signal?.throwIfAborted();
      const { ids, types, labels } = example.parts;
      const feeds = textFeeds(session, Array.from(ids!), Array.from(types ?? []));
      const { logits } = await session.run(feeds);
      if (logits === undefined) throw new RunError("the graph has no output logits");
      const row = Array.from(asFloat32(logits.data));
      answers.push({ id, texts, logits: row, labels: Array.from(labels!), unit: example.unit });
      progress.update(answers.length);
    }
  } finally {
    await session.dispose();
  }
  progress.done(`measured ${answers.length} records`);
  return answers;
};

/** The usual figures of what the labels mean, on all records. */
export const sequenceClassification: Evaluator = {
  takes: ["limit", "predictions"],
  async measure(asked) {
    const labels = asked.subject.config as Labels & Asked["subject"]["config"];
    const [problem, names] = [problemIn(labels), named(labels)];
    const answers = await answersOf(asked);
    return {
      measuredOn: `${answers.length} records`,
      figures: all[problem](answers, names),
      predictions: answers.map((answer) => predictionOf(answer, names, problem)),
      said: saidOf(answers, names, problem),
      scored: scoredOf(answers, problem),
    };
  },
};
