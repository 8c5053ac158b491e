/** Labels of words: names of things, parts of speech; a word's label is that of its first piece. */
import { tensor } from "../../ir/tensor.ts";
import { entitiesOf } from "../../metrics/labels/entities.ts";
import { type Labels, readsTokenTypes } from "../../models/encoders/encoder.ts";
import { IGNORE } from "../../nn/loss.ts";
import { DataError } from "../../util/errors.ts";
import { streamOf } from "../../util/rng.ts";
import { type Collate, exampleHeldOut, exampleLesson, textFeeds } from "../exampleLesson.ts";
import type { Objective } from "../objective.ts";
import {
  columnsOf,
  type Encoded,
  type EncodeRowsOptions,
  type Example,
  type Examples,
  type Reading,
  type ReadingOptions,
  type RecordOptions,
  type Row,
  taken,
} from "../records.ts";
import { meanOf, saidOf } from "../scores.ts";
import type { HeldOut, Judge, LessonOptions, Material, Task } from "../task.ts";
import { tokenTeaching } from "../teaching/distillation.ts";
import { tokenClassification } from "../tokenClassification.ts";
import { balancedIds } from "./balanced.ts";
import { f1Influences, largest } from "./figures.ts";
import { sentencePieces } from "./pieces.ts";
import {
  areEntities,
  refuseMistypedTags,
  sentenceIn,
  tagNames,
  type WordPlaces,
  wordPlaces,
  wordWants,
} from "./words.ts";

interface Found {
  readonly places: WordPlaces;
  readonly names: readonly string[];
  readonly options: RecordOptions;
}

/** The label of a piece that goes on a word: within an entity, not another one's beginning. */
const goingOn = (tag: string, names: readonly string[]): string => {
  const inner = tag.replace(/^B-/, "I-");
  return names.includes(inner) ? inner : tag;
};

const exampleOf = (row: Row, { places, names, options }: Found, how: EncodeRowsOptions) => {
  const sentence = sentenceIn(row, places);
  const { ids, words, cut } = sentencePieces(sentence, how.tokenizer, how.context);
  if (cut && options.tooLong === "refuse") {
    throw new DataError(`has more than the ${how.context} tokens that the model takes`, {
      ...{ file: row.id, field: places.text },
      hint: "cut it, raise --context, or take --too-long truncate",
    });
  }
  const idOf = (tag: string): number => {
    const id = names.indexOf(tag);
    if (id >= 0) return id;
    throw new DataError(`the label ${JSON.stringify(tag)} is not known`, {
      ...{ file: row.id, field: places.labels },
      hint: `known: ${names.slice(0, 20).join(", ")}`,
    });
  };
  const tags = sentence.words.map(({ tag }) => idOf(tag));
  const labels = words.map((word, i) => {
    if (word < 0) return IGNORE;
    if (word !== words[i - 1]) return tags[word]!;
    return options.labelPieces === "all" ? idOf(goingOn(names[tags[word]!]!, names)) : IGNORE;
  });
  const example: Example = {
    length: ids.length,
    parts: {
      ...{ ids, labels, words, tags },
      starts: sentence.words.map(({ start }) => start),
      ends: sentence.words.map(({ end }) => end),
    },
    unit: streamOf(sentence.text),
  };
  return { example, cut };
};

const encode = (rows: readonly Row[], found: Found, how: EncodeRowsOptions): Encoded => {
  const all = taken(rows, (row) => exampleOf(row, found, how), how.onBad);
  return {
    rows: all.map(([row]) => row),
    examples: all.map(([, { example }]) => example),
    truncated: all.filter(([, { cut }]) => cut).length,
  };
};

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name) => b.includes(name));

const read = (rows: readonly Row[], given: ReadingOptions): Reading => {
  const { options, own, fixed = false, lenient = false } = given;
  const places = wordPlaces(columnsOf(rows), options);
  if (places === undefined) {
    throw new DataError("the records have no words with tags", {
      ...(rows[0] === undefined ? {} : { file: rows[0].id }),
      hint: `wanted: ${wordWants}; name them with --field and --label-field`,
    });
  }
  const sentences = taken(rows, (row) => sentenceIn(row, places), lenient ? () => {} : undefined);
  const told = options.labels.length > 0 ? options.labels : undefined;
  if (told === undefined && !fixed) refuseMistypedTags(sentences, places);
  const found = told ?? tagNames(sentences.flatMap(([, { words }]) => words.map(({ tag }) => tag)));
  if (!fixed && found.length < 2) {
    throw new DataError(`all words have the label ${JSON.stringify(found[0])}`, {
      ...{ file: rows[0]!.id, field: places.labels },
      hint: "give records of two labels or more",
    });
  }
  const known = own === undefined ? [] : Object.values(own.id2label);
  const kept = fixed || sameSet(known, found);
  const names = kept ? known : found;
  return {
    wanted: kept ? {} : { labels: names },
    notes: [
      `records: words of ${places.text} -> ${places.labels}; labels: ${names.slice(0, 12).join(", ")}` +
        `${names.length > 12 ? " ..." : ""}${kept ? ", the model's own" : ""}`,
    ],
    encode: (some, how) => encode(some, { places, names, options }, how),
    texts: (row) => [sentenceIn(row, places).text],
    show: (row) =>
      sentenceIn(row, places)
        .words.map(({ text, tag }) => (tag === "O" ? text : `${text}/${tag}`))
        .join(" "),
  };
};

const examplesOf = (material: Material): Examples => {
  if (material.kind === "examples") return material;
  throw new DataError("token-classification learns from records with words and tags", { hint: wordWants });
};

const namesOf = ({ model }: Pick<LessonOptions, "model">): readonly string[] =>
  Object.values((model.config as Labels).id2label);

const collateFor =
  (options: LessonOptions): Collate =>
  (examples, shape) => {
    const { batch, width } = shape;
    const labels = new Int32Array(batch * width).fill(IGNORE);
    for (const [b, { parts }] of examples.entries()) labels.set(Array.from(parts.labels!), b * width);
    return { ...textFeeds(examples, shape, options), labels: tensor("int32", [batch * width], labels) };
  };

/** The token that each word of an example begins with; undefined of one that was cut off. */
export const firstPieces = ({ parts }: Example): readonly (number | undefined)[] => {
  const first = new Array<number | undefined>(parts.tags!.length).fill(undefined);
  Array.from(parts.words!).forEach((word, t, all) => {
    if (word >= 0 && word !== all[t - 1]) first[word] = t;
  });
  return first;
};

/** The labels of an example's words by the logits of their first pieces; the first label where cut off. */
export const wordLabels = (example: Example, logitsAt: (token: number) => ArrayLike<number>): number[] =>
  firstPieces(example).map((token) => (token === undefined ? 0 : largest(logitsAt(token))));

type Logits = { readonly data: ArrayLike<unknown>; readonly shape: readonly number[] };

/** What was said of the words of each held-out example. */
const saidWords = (logits: readonly Logits[], { examples = [] }: HeldOut): number[][] => {
  let next = 0;
  return logits.flatMap(({ data, shape: [rows, width, count] }) => {
    const some = examples.slice(next, next + rows!);
    next += some.length;
    return some.map((example, b) =>
      wordLabels(example, (t) =>
        Array.from({ length: count! }, (_, k) => Number(data[(b * width! + t) * count! + k])),
      ),
    );
  });
};

const numbersOf = (said: readonly number[][], { examples = [] }: HeldOut, names: readonly string[]) => {
  if (!areEntities(names)) {
    const all = examples.flatMap(({ parts }, i) =>
      Array.from(parts.tags!, (tag, word) => Number(said[i]![word] === tag)),
    );
    return Float32Array.from(all);
  }
  const key = ({ type, start, end }: { type: string; start: number; end: number }) =>
    `${type} ${start} ${end}`;
  return f1Influences(
    examples.map(({ parts }, i) => {
      const entities = (ids: ArrayLike<number>) => entitiesOf(Array.from(ids, (id) => names[id]!)).map(key);
      const [predicted, actual] = [entities(said[i]!), new Set(entities(parts.tags!))];
      const matched = predicted.filter((each) => actual.has(each)).length;
      return { matched, predicted: predicted.length, actual: actual.size };
    }),
  );
};

const judgeFor = (names: readonly string[], heldOut: HeldOut): Judge => ({
  name: areEntities(names) ? "entity F1" : "accuracy",
  better: "more",
  says: ({ logits }) => ({ logits }),
  figure: (said) =>
    meanOf(
      numbersOf(
        saidWords(
          said.map(({ logits }) => logits!),
          heldOut,
        ),
        heldOut,
        names,
      ),
    ),
});

const objectiveOf = ({ train }: Examples, { model, records }: LessonOptions): Objective => {
  const { classWeights = "none", labelSmoothing = 0 } = records ?? {};
  const count = namesOf({ model }).length;
  const labelled = train.flatMap(({ parts }) =>
    Array.from(parts.labels!).filter((label) => label !== IGNORE),
  );
  return tokenClassification({
    ...{ tokenTypes: readsTokenTypes(model.config), labelSmoothing },
    ...(classWeights === "balanced" ? { classWeights: balancedIds(labelled, count) } : {}),
  });
};

/** The task, for labels that are tags of entities or others. */
const taskFor = (entities: boolean): Task => ({
  name: "token-classification",
  pipeline: "token-classification",
  heads: ["token-classification"],
  textTokens: 512,
  reads: ["examples"],
  records: {
    fits: (columns, options) => (wordPlaces(columns, options) === undefined ? 0 : 1),
    wants: wordWants,
    takes: ["labels", "labelPieces", "classWeights", "labelSmoothing", "tokenDropout"],
    read,
  },
  criterion: entities
    ? { name: "entity F1", unit: "of F1", example: "text", better: "more", of: meanOf }
    : { name: "accuracy", unit: "of accuracy", example: "word", better: "more", of: meanOf },
  lossUnit: "nats per word",
  variant: ({ config }) => taskFor(areEntities(Object.values((config as Labels).id2label))),
  lesson: (material, options) => {
    const examples = examplesOf(material);
    return exampleLesson(examples, options, {
      objective: objectiveOf(examples, options),
      collate: collateFor(options),
      judge: (heldOut) => judgeFor(namesOf(options), heldOut),
    });
  },
  heldOut: (material, options) => exampleHeldOut(examplesOf(material), options, collateFor(options)),
  teaching: ({ objective }, options, { config }) => {
    const { says, objective: taught } = tokenTeaching(objective, options);
    const vocab = Object.keys((config as Labels).id2label).length;
    return { says, objective: { ...taught, inputs: (shape) => taught.inputs({ ...shape, vocab }) } };
  },
  scorer: async (engine, heldOut, { config }) => {
    const names = Object.values((config as Labels).id2label);
    return async (model) => {
      const said = await saidOf(engine, model, heldOut.windows, ({ logits }) => ({ logits }));
      return numbersOf(
        saidWords(
          said.map(({ logits }) => logits!),
          heldOut,
        ),
        heldOut,
        names,
      );
    };
  },
});

/** Labelling words; judged by the F1 of entities where the labels are such. */
export const tokenClassifier: Task = taskFor(true);
