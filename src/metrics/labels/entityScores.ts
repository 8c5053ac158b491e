/**
 * Precision, recall and F1 of entities, equal to seqeval's: an entity counts where its type and both ends
 * are right.
 */
import { DataError } from "../../util/errors.ts";
import { type Metric, paired } from "../metric.ts";
import { type Average, averaged, averageName, f1Of, precisionOf, type Ratio, recallOf } from "./average.ts";
import { measureCounts, type Outcome } from "./counts.ts";
import { type Entity, entitiesOf, type TagScheme } from "./entities.ts";

/** How entities are read and averaged. */
export interface EntityOptions {
  /** Over types of entities. Default micro. */
  readonly average?: Average;
  /** Counts only entities whose tags follow one another by this scheme. Default none: conlleval's reading. */
  readonly strict?: TagScheme;
}

/** The tags of the words of a sentence. */
export type Tags = readonly string[];

const keyOf = ({ type, start, end }: Entity): string => `${start} ${end} ${type}`;

/**
 * The types of the entities that each example has, gets, and both. Throws DataError where an example has not
 * as many tags as words.
 */
export const entityOutcomes = (
  predictions: readonly Tags[],
  references: readonly Tags[],
  scheme?: TagScheme,
): Outcome[] => {
  paired(predictions, references);
  return predictions.map((tags, i) => {
    const right = references[i]!;
    if (tags.length !== right.length) {
      throw new DataError(`example ${i + 1} has ${tags.length} predicted tags for ${right.length} words`);
    }
    const [predicted, actual] = [entitiesOf(tags, scheme), entitiesOf(right, scheme)];
    const known = new Set(actual.map(keyOf));
    const types = (entities: readonly Entity[]) => entities.map(({ type }) => type);
    return {
      predicted: types(predicted),
      actual: types(actual),
      matched: types(predicted.filter((entity) => known.has(keyOf(entity)))),
    };
  });
};

const entityMetric =
  (name: string, ratio: Ratio) =>
  ({ average = "micro", strict }: EntityOptions = {}): Metric<Tags, Tags> => ({
    name: `${name}/${averageName(average)}`,
    unit: "",
    better: "more",
    measure: (predictions, references, interval) =>
      measureCounts(entityOutcomes(predictions, references, strict), averaged(ratio, average), interval),
  });

/** Of the entities predicted, the share that is right. 0 where none was predicted. */
export const entityPrecision = entityMetric("entityPrecision", precisionOf);

/** Of the entities there are, the share that was predicted. 0 where there is none. */
export const entityRecall = entityMetric("entityRecall", recallOf);

/** The harmonic mean of both. 0 where there are no entities on either side, as in seqeval. */
export const entityF1 = entityMetric("entityF1", f1Of);
