/** Models that label words: all records of a file, one text at a time, by the shipped graph. */
import { asFloat32 } from "../../evaluate/parity/agreement.ts";
import { textFeeds } from "../../evaluate/speed.ts";
import { accuracy } from "../../metrics/labels/accuracy.ts";
import { entitiesOf } from "../../metrics/labels/entities.ts";
import {
  entityF1,
  entityOutcomes,
  entityPrecision,
  entityRecall,
} from "../../metrics/labels/entityScores.ts";
import { f1 } from "../../metrics/labels/precisionRecall.ts";
import type { Figures } from "../../metrics/metric.ts";
import type { Labels } from "../../models/encoders/encoder.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import { f1Influences, softmaxOf } from "../../tasks/classification/figures.ts";
import { firstPieces, wordLabels } from "../../tasks/classification/tokenClassifier.ts";
import { areEntities } from "../../tasks/classification/words.ts";
import { RunError } from "../../util/errors.ts";
import type { Asked, Evaluator, Prediction } from "./evaluation.ts";
import { type LabelledRecord, labelledRecords } from "./records.ts";
import { ofSums, type Scored } from "./scored.ts";

interface Tagged {
  readonly record: LabelledRecord;
  readonly said: readonly string[];
  readonly right: readonly string[];
  /** How probable each tag that was said was found. */
  readonly sure: readonly number[];
}

const figuresOf = (all: readonly Tagged[], names: readonly string[]): Figures => {
  const [said, right] = [all.map((each) => each.said), all.map((each) => each.right)];
  const words = [said.flat(), right.flat()] as const;
  if (!areEntities(names)) {
    return { accuracy: accuracy.measure(...words), macroF1: f1({ average: "macro" }).measure(...words) };
  }
  return {
    entityF1: entityF1().measure(said, right),
    entityPrecision: entityPrecision().measure(said, right),
    entityRecall: entityRecall().measure(said, right),
    macroEntityF1: entityF1({ average: "macro" }).measure(said, right),
    accuracy: accuracy.measure(...words),
  };
};

/** Where the words of a record are in its text. */
const placesOf = ({ example }: LabelledRecord) =>
  example.parts as { readonly starts: ArrayLike<number>; readonly ends: ArrayLike<number> };

const wordsOf = (record: LabelledRecord): string[] => {
  const { starts, ends } = placesOf(record);
  return Array.from(starts, (start, i) => record.texts[0]!.slice(start, ends[i]!));
};

const predictionOf = ({ record, said, right, sure }: Tagged, entities: boolean): Prediction => {
  const about = {
    ...{ id: record.id, input: record.texts[0]!, reference: right, prediction: said },
    ...{ words: wordsOf(record), wordScores: sure },
  };
  if (!entities) return about;
  const { starts, ends } = placesOf(record);
  const spans = entitiesOf(said).map(({ type, start, end }) => {
    const [from, to] = [starts[start]!, ends[end - 1]!];
    return { start: from, end: to, label: type, text: record.texts[0]!.slice(from, to) };
  });
  return { ...about, spans };
};

/** F1 of entities record by record, else the share of words that are right. */
const scoredOf = (all: readonly Tagged[], names: readonly string[]): Scored => {
  const about = { better: "more", example: "record", keys: all.map(({ record }) => record.id) } as const;
  if (!areEntities(names)) {
    const hits = ({ said, right }: Tagged) => said.filter((tag, i) => tag === right[i]).length;
    return ofSums(
      all.map((each) => [hits(each), each.right.length]),
      { ...about, name: "accuracy" },
    );
  }
  const outcomes = entityOutcomes(
    all.map(({ said }) => said),
    all.map(({ right }) => right),
  );
  const counts = outcomes.map(({ predicted, actual, matched }) => ({
    ...{ predicted: predicted.length, actual: actual.length, matched: matched.length },
  }));
  return {
    ...{ ...about, name: "entity F1" },
    numbers: (places) => f1Influences(places.map((i) => counts[i]!)),
  };
};

/** What the shipped graph says of the words of each record. */
const taggedBy = async (asked: Asked, names: readonly string[]): Promise<readonly Tagged[]> => {
  const { engine, subject, hooks, given } = asked;
  const records = await labelledRecords(asked);
  const some = records.slice(0, given.limit ?? records.length);
  const session = await loadAsIs(engine, subject.graphs.model!);
  const progress = hooks.ui.task("measuring", some.length);
  const all: Tagged[] = [];
  try {
    for (const record of some) {
      hooks.signal?.throwIfAborted();
      const { parts } = record.example;
      const { logits } = await session.run(textFeeds(session, Array.from(parts.ids!)));
      if (logits === undefined) throw new RunError("the graph has no output logits");
      const data = asFloat32(logits.data);
      const row = (t: number) => data.subarray(t * names.length, (t + 1) * names.length);
      const ids = wordLabels(record.example, row);
      const first = firstPieces(record.example);
      // A word that lost its place was not looked at.
      const sure = ids.map((id, word) => (first[word] === undefined ? 0 : softmaxOf(row(first[word]))[id]!));
      const right = Array.from(parts.tags!, (id) => names[id]!);
      all.push({ record, said: ids.map((id) => names[id]!), right, sure });
      progress.update(all.length);
    }
  } finally {
    await session.dispose();
  }
  progress.done(`measured ${all.length} records`);
  return all;
};

/** Precision, recall and F1 of entities, as seqeval's; of other labels of words their accuracy. */
export const tokenClassification: Evaluator = {
  takes: ["limit", "predictions"],
  async measure(asked) {
    const names = Object.values((asked.subject.config as Labels & Asked["subject"]["config"]).id2label);
    const all = await taggedBy(asked, names);
    return {
      measuredOn: `${all.length} records`,
      figures: figuresOf(all, names),
      predictions: all.map((each) => predictionOf(each, areEntities(names))),
      scored: scoredOf(all, names),
      said: {
        ...{ kind: "tags", entities: areEntities(names) },
        all: all.map(({ record, said, right, sure }) => ({
          ...{ id: record.id, words: wordsOf(record), said, right, sure },
        })),
      },
    };
  },
};
