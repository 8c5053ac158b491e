/**
 * Embedding models: whether texts that people find near have near vectors, on scored pairs; on any other
 * text, whether vectors and their neighbours are those of a reference model.
 */
import { cosineOf, sentenceVector, unit } from "../../evaluate/vectors.ts";
import { bootstrapMean } from "../../metrics/bootstrap.ts";
import type { Figures } from "../../metrics/metric.ts";
import { pearson } from "../../metrics/numbers/pearson.ts";
import { rankInfluences } from "../../metrics/numbers/rankInfluences.ts";
import { spearman } from "../../metrics/numbers/spearman.ts";
import { proportion } from "../../metrics/proportion.ts";
import { loadAsIs } from "../../node/runtime/graph.ts";
import { rankAgreements } from "../../tasks/embedding/neighbours.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import type { Asked, EvalOptions, Evaluator, Prediction, Quality } from "./evaluation.ts";
import { type Grouped, groupsIn } from "./groups.ts";
import { ints, readTokens, rowsOf, textMaterial } from "./heldOut.ts";
import { search } from "./retrieval.ts";
import { ofMean } from "./scored.ts";
import { named, type Subject, withGraphs } from "./subject.ts";

/** Texts that are compared are paragraphs rather than pages, tokens. */
const PARAGRAPH = 128;
/** Short held-out text is cut into so many texts. */
const TEXTS = 32;

/** The vector of each text, cut to the model's positions. */
const vectorsOf = async (
  { engine, hooks }: Asked,
  { tokenizer, pooling, graphs, arch, config }: Subject,
  texts: readonly string[],
): Promise<Float32Array[]> => {
  const { positions } = arch.cache(config);
  const cut = Number.isFinite(positions) ? { maxLength: positions } : {};
  const session = await loadAsIs(engine, graphs.model!);
  const progress = hooks.ui.task("embedding", texts.length);
  const vectors: Float32Array[] = [];
  try {
    for (const text of texts) {
      hooks.signal?.throwIfAborted();
      const ids = Array.from(tokenizer.encodeInputs(text, cut).ids);
      vectors.push(await sentenceVector(session, ids, pooling));
      progress.update(vectors.length);
    }
  } finally {
    await session.dispose();
  }
  progress.done(`embedded ${texts.length} texts`);
  return vectors;
};

/** Throws ConfigError where one of the options was given. */
const refuse = (given: EvalOptions, fields: readonly (keyof EvalOptions)[], why: string): void => {
  const field = fields.find((name) => given[name] !== undefined);
  if (field !== undefined) throw new ConfigError(`has no effect ${why}`, { field, hint: "leave it out" });
};

/** Vectors cut to a width, of length 1. */
const cutTo = (vectors: readonly Float32Array[], width: number): Float32Array[] =>
  vectors.map((vector) => unit(vector.slice(0, width)));

/** The figures of the whole vectors, and of these cut to each width that is asked for, as "spearman@64d". */
const atWidths = (
  { options }: Asked,
  vectors: readonly Float32Array[],
  figuresOf: (vectors: readonly Float32Array[]) => Figures,
): Figures => {
  const whole = vectors[0]!.length;
  const { dims } = options.task;
  const wider = dims.find((width) => width < 1 || width > whole);
  if (wider !== undefined) {
    throw new ConfigError(`${wider} is no width of vectors that are ${whole} wide`, {
      field: "task.dims",
      hint: `give widths from 1 to ${whole}`,
    });
  }
  const cut = dims.flatMap((width) =>
    Object.entries(figuresOf(cutTo(vectors, width))).map(
      ([name, found]) => [`${name}@${width}d`, found] as const,
    ),
  );
  return { ...figuresOf(vectors), ...Object.fromEntries(cut) };
};

/** A figure of records of which more is better. */
const recordsMore = (name: string) => ({ name, better: "more", example: "record" }) as const;

const onScored = async (asked: Asked, pairs: readonly Grouped[]): Promise<Quality> => {
  refuse(asked.given, ["reference"], "on scored pairs, which say themselves what is near");
  if (pairs.length < 2) {
    throw new DataError(`${pairs.length} scored pairs are too few: nothing can correlate`, {
      hint: "give more of them",
    });
  }
  const vectors = await vectorsOf(
    asked,
    asked.subject,
    pairs.flatMap(({ texts }) => texts),
  );
  const near = (some: readonly Float32Array[]) =>
    pairs.map((_, i) => cosineOf(some[2 * i]!, some[2 * i + 1]!));
  const cosines = near(vectors);
  const scores = pairs.map(({ score }) => score!);
  return {
    measuredOn: `${pairs.length} scored pairs`,
    figures: atWidths(asked, vectors, (some) => ({
      spearman: spearman.measure(near(some), scores),
      pearson: pearson.measure(near(some), scores),
    })),
    scored: {
      ...{ name: "spearman", better: "more", example: "pair", keys: pairs.map(({ id }) => id) },
      numbers: (places) =>
        Float32Array.from(
          rankInfluences(
            places.map((i) => cosines[i]!),
            places.map((i) => scores[i]!),
          ),
        ),
    },
    predictions: pairs.map(
      ({ id, texts, score }, i): Prediction => ({
        id,
        input: texts,
        reference: score!,
        prediction: cosines[i]!,
      }),
    ),
    said: {
      ...{ kind: "numbers", what: "cosine" },
      all: pairs.map(({ id, texts, score }, i) => ({ id, texts, right: score!, said: cosines[i]! })),
    },
  };
};

/** The place of the nearest other vector. */
const nearestOther = (vectors: readonly Float32Array[], own: number): number => {
  let [best, most] = [-1, Number.NEGATIVE_INFINITY];
  for (const [i, vector] of vectors.entries()) {
    const near = i === own ? Number.NEGATIVE_INFINITY : cosineOf(vectors[own]!, vector);
    if (near > most) [best, most] = [i, near];
  }
  return best;
};

/** Texts of classes: how often the nearest other text is of the same. */
const onClasses = async (asked: Asked, all: readonly Grouped[]): Promise<Quality> => {
  if (all.length < 2)
    throw new DataError("one text has no other that is near", { hint: "give more of them" });
  const texts = all.map((each) => each.texts[0]!);
  const vectors = await vectorsOf(asked, asked.subject, texts);
  const hits = (some: readonly Float32Array[]) =>
    all.map((each, i) => {
      const other = nearestOther(some, i);
      return { other, hit: all[other]!.class === each.class };
    });
  const found = hits(vectors);
  return {
    measuredOn: `${all.length} texts of classes`,
    figures: atWidths(asked, vectors, (some) => ({
      nearestOfClass: proportion(hits(some).filter(({ hit }) => hit).length, all.length),
    })),
    scored: ofMean(
      found.map(({ hit }) => Number(hit)),
      { ...recordsMore("nearest of class"), keys: all.map(({ id }) => id) },
    ),
    said: {
      kind: "searches",
      all: all.map(({ id }, i) => ({
        ...{ id, text: texts[i]!, score: Number(found[i]!.hit) },
        right: ["a text of its class"],
        found: [texts[found[i]!.other]!],
      })),
    },
  };
};

/** Texts with a teacher's vectors: the cosine with those. */
const onVectors = async (asked: Asked, all: readonly Grouped[]): Promise<Quality> => {
  const vectors = await vectorsOf(
    asked,
    asked.subject,
    all.map(({ texts }) => texts[0]!),
  );
  const wide = all[0]!.given!.length;
  if (wide !== vectors[0]!.length) {
    throw new DataError(`is a vector of ${wide} numbers, and the model's have ${vectors[0]!.length}`, {
      file: all[0]!.id,
    });
  }
  const given = all.map((each) => unit(Float32Array.from(Array.from(each.given!))));
  const near = vectors.map((v, i) => cosineOf(v, given[i]!));
  return {
    measuredOn: `${all.length} texts with vectors`,
    scored: ofMean(near, { ...recordsMore("cosine"), keys: all.map(({ id }) => id) }),
    figures: atWidths(asked, vectors, (some) => ({
      cosine: bootstrapMean(some.map((v, i) => cosineOf(v, unit(given[i]!.slice(0, v.length))))),
    })),
  };
};

/** Pairs and triplets: each anchor looks for its text among those of all. */
const onGroups = async (asked: Asked, groups: readonly Grouped[]): Promise<Quality> => {
  const { subject, given } = asked;
  refuse(given, ["reference"], "on pairs, which say themselves what is near");
  const texts = [...new Set(groups.flatMap((group) => group.texts))];
  const vectors = await vectorsOf(asked, subject, texts);
  const place = new Map(texts.map((text, i) => [text, i]));
  const found = (some: readonly Float32Array[]) => search(groups, (text) => some[place.get(text)!]!);
  const { predictions } = found(vectors);
  return {
    measuredOn: `${groups.length} pairs, each looked for among all texts`,
    figures: atWidths(asked, vectors, (some) => found(some).figures),
    predictions,
    scored: ofMean(
      predictions.map(({ score = 0 }) => score),
      { ...recordsMore("mrr"), keys: predictions.map(({ id = "" }) => id) },
    ),
    said: {
      kind: "searches",
      all: predictions.map(({ id = "", input, reference, prediction, score = 0 }) => ({
        ...{ id, text: String(input), score },
        right: [reference].flat().map(String),
        found: [prediction].flat().map(String),
      })),
    },
  };
};

/** Texts of many lengths out of the held-out text. */
const heldOutTexts = async (asked: Asked): Promise<string[]> => {
  const { arch, config, tokenizer } = asked.subject;
  const material = await textMaterial(asked);
  const share = Math.floor(material.validation.length / TEXTS);
  const context = Math.min(arch.cache(config).positions, PARAGRAPH, Math.max(8, share));
  return rowsOf(asked, material, { context })
    .map((row) => tokenizer.decode(ints(row, "inputIds").slice(0, readTokens(row))).trim())
    .filter((text) => text !== "");
};

/** Vectors of the reference: of another model, or of the folder's own weights in float32. */
const referenceVectors = async (asked: Asked, texts: readonly string[]): Promise<Float32Array[]> => {
  const { engine, subject, given, hooks } = asked;
  const hub = hooks.hub === undefined ? {} : { hub: hooks.hub };
  const other = await named(given.reference ?? subject.dir, { ...hub, dtype: "fp32" });
  if (other.task.name !== "embedding") {
    throw new ConfigError(`is ${other.config.architectures[0]}, no embedding model`, {
      file: other.dir,
      hint: "name an embedding model with --reference",
    });
  }
  const made = given.reference === undefined;
  return withGraphs(engine, other, (reference) => vectorsOf(asked, reference, texts), { made });
};

const onText = async (asked: Asked): Promise<Quality> => {
  const { given, subject, options } = asked;
  refuse(given, ["limit", "predictions"], "on text without scored pairs");
  if (options.task.dims.length > 0) {
    throw new ConfigError("has no effect on text, where whole vectors are compared", {
      field: "task.dims",
      hint: "leave it out, or give pairs",
    });
  }
  const texts = await heldOutTexts(asked);
  const known = await referenceVectors(asked, texts);
  const vectors = await vectorsOf(asked, subject, texts);
  const reference = given.reference ?? "its own weights in float32";
  const same = vectors[0]!.length === known[0]!.length;
  const agreements = Array.from(rankAgreements(known)(vectors));
  return {
    measuredOn: `${texts.length} held-out texts, against ${reference}`,
    scored: ofMean(agreements, {
      ...{ name: "rank agreement", better: "more", example: "text", ofReference: true },
      keys: texts.map((text, i) => `${i} ${text}`),
    }),
    figures: {
      // Vectors of different widths have no cosine; their neighbours can be compared all the same.
      ...(same ? { cosine: bootstrapMean(vectors.map((v, i) => cosineOf(v, known[i]!))) } : {}),
      rankAgreement: bootstrapMean(agreements),
    },
  };
};

/** Correlation of cosines with scores; of pairs a search; else agreement with a reference. */
export const embedding: Evaluator = {
  takes: ["limit", "predictions", "reference"],
  measure: async (asked) => {
    const groups = await groupsIn(asked);
    if (groups === undefined) return onText(asked);
    const { kind, all } = groups;
    if (kind === "scored") return onScored(asked, all);
    if (kind === "classes") return onClasses(asked, all);
    return kind === "vectors" ? onVectors(asked, all) : onGroups(asked, all);
  },
};
