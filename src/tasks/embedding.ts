/**
 * Sentence embeddings: a text becomes a vector whose neighbours are the texts that mean the like. A smaller
 * model learns from a larger one's vectors on any text, without labels (Reimers and Gurevych 2020,
 * https://arxiv.org/abs/2004.09813), here from the hidden states of each token as well; it is judged by
 * whether it ranks the neighbours of held-out texts as the larger one does.
 */
import { batches } from "../data/batch/batches.ts";
import { compile } from "../engine/compile.ts";
import type { Engine, Feeds } from "../engine/engine.ts";
import type { Value } from "../ir/op.ts";
import { trace } from "../ir/program.ts";
import { tensor } from "../ir/tensor.ts";
import { rankCorrelation } from "../metrics/numbers/rankCorrelation.ts";
import { readsTokenTypes } from "../models/encoders/encoder.ts";
import type { Model, ModelConfig } from "../models/model.ts";
import { sentenceEmbedding, unitRows, usualPooling } from "../models/pooling.ts";
import { asConstants } from "../nn/param.ts";
import { add, cast, div, maximum, mul, sub } from "../ops/elementwise.ts";
import { sum } from "../ops/structure.ts";
import { ConfigError, DataError } from "../util/errors.ts";
import { rng } from "../util/rng.ts";
import type { Teaching } from "./distillation.ts";
import { encoderInputs } from "./encoderInputs.ts";
import { batchOutputs, type Objective } from "./objective.ts";
import { batchFeeds, meanOf, typesOf } from "./scores.ts";
import { type HeldOut, type Lesson, type LessonOptions, type Task, textOf } from "./task.ts";

// B batch, T context, C channels

type Shape = LessonOptions["model"];

const poolingOf = ({ pooling }: Shape) => pooling ?? usualPooling;

const widthOf = ({ arch, config }: Shape): number => {
  const { kvHeads, headWidth } = arch.cache(config);
  return kvHeads * headWidth;
};

/** 1 - cosine of each row [..., C] -> [..., 1]. */
const apart = (a: Value, b: Value): Value => sub(1, sum(mul(unitRows(a), unitRows(b)), [-1], true));

/**
 * 1 - cosine of a text's vector and its teacher's, and the mean of that over the text's tokens:
 * teacherVectors [B, C], teacherHidden [B, T, C]. Each text counts once.
 */
const imitation = (model: Shape): Objective => ({
  name: "imitate",
  inputs: (shape) => ({
    ...encoderInputs(shape, { tokenTypes: readsTokenTypes(model.config as ModelConfig) }),
    teacherVectors: { dtype: "float32", shape: [shape.batch, widthOf(model)] },
    teacherHidden: { dtype: "float32", shape: [shape.batch, shape.context, widthOf(model)] },
  }),
  totals: ({ hidden }, { attentionMask, teacherVectors, teacherHidden }) => {
    const vectors = sentenceEmbedding(hidden, attentionMask!, poolingOf(model));
    const mask = cast(attentionMask!, "float32"); // [B, T]
    const counts = maximum(sum(mask, [1]), 1); // [B]
    const tokens = mul(sum(apart(hidden, teacherHidden!), [-1]), mask); // [B, T]
    const texts = sum(apart(vectors, teacherVectors!), [-1]); // [B]
    return {
      total: sum(add(texts, div(sum(tokens, [1]), counts))),
      count: sum(div(sum(mask, [1]), counts)), // texts that have a token
    };
  },
});

/** A text's tokens between the marks that the tokenizer puts around one, as a row of [T]. */
interface Rows {
  readonly ids: Int32Array;
  readonly mask: Int32Array;
}

/** Fewer texts have no neighbours to rank. */
const LEAST = 4;

/** The shortest text that is taken, tokens. */
const SHORTEST = 4;

/**
 * Texts of many lengths out of windows of running text: each up to the end of a document, and cut at a length
 * that is drawn; what people look for is short, what they look through is long.
 */
const rowsOf = (windows: readonly ArrayLike<number>[], options: LessonOptions, name: string): Rows => {
  const { tokenizer, context, seed } = options;
  const { cls = tokenizer.specials.bos, sep = tokenizer.eos, pad = tokenizer.eos } = tokenizer.specials;
  const before = cls === undefined ? [] : [cls];
  const room = context - before.length - 1;
  const ids = new Int32Array(windows.length * context).fill(pad);
  const mask = new Int32Array(ids.length);
  const random = rng(seed, name);
  for (const [i, window] of windows.entries()) {
    const all = Array.from(window);
    const ends = [...all.keys()].filter((k) => all[k] === tokenizer.eos);
    const pieces = [-1, ...ends].map((end, k) => all.slice(end + 1, ends[k] ?? all.length));
    const longest = pieces.reduce((a, b) => (b.length > a.length ? b : a));
    const length = random.uniform() < 0.5 ? room : SHORTEST + random.int(Math.max(1, room - SHORTEST));
    const row = [...before, ...longest.slice(0, Math.min(room, length)), sep];
    ids.set(row, i * context);
    mask.fill(1, i * context, i * context + row.length);
  }
  return { ids, mask };
};

const feedsOf = ({ ids, mask }: Rows, { model, batch, context }: LessonOptions): Feeds => {
  const shape = [batch, context];
  return {
    inputIds: tensor("int32", shape, ids),
    attentionMask: tensor("int32", shape, mask),
    ...(readsTokenTypes(model.config as ModelConfig)
      ? { tokenTypeIds: tensor("int32", shape, new Int32Array(ids.length)) }
      : {}),
  };
};

const split = (ids: Int32Array, width: number): Int32Array[] =>
  Array.from({ length: ids.length / width }, (_, i) => ids.subarray(i * width, (i + 1) * width));

/** Tokens of running text that a row is cut from. Throws ConfigError where no text fits. */
const windowOf = ({ context }: LessonOptions): number => {
  if (context - 2 >= SHORTEST) return context - 2;
  throw new ConfigError(`${context} tokens hold no text of ${SHORTEST} between two marks`, {
    field: "model.n_positions",
  });
};

const heldOut: Task["heldOut"] = (material, options): HeldOut => {
  const { validation } = textOf(material, "embedding");
  const { batch, heldOutTokens } = options;
  const width = windowOf(options);
  const held = Int32Array.from(validation.subarray(0, Math.min(validation.length, heldOutTokens)));
  const texts = Math.floor(held.length / width);
  if (texts < LEAST) {
    throw new DataError(
      `the held-out text has ${held.length} tokens, and ${LEAST} texts need ${LEAST * width}`,
      {
        hint: "give more text, hold more of it out (--validation-share), or take a shorter --context",
      },
    );
  }
  const each = Math.min(batch, texts);
  const size = each * width;
  const groups = Array.from({ length: Math.floor(texts / each) }, (_, i) =>
    held.subarray(i * size, (i + 1) * size),
  );
  return {
    windows: groups.map((ids, i) =>
      feedsOf(rowsOf(split(ids, width), options, `held/${i}`), { ...options, batch: each }),
    ),
  };
};

const lesson: Task["lesson"] = (material, options): Lesson => {
  const { train } = textOf(material, "embedding");
  const { model, batch, context, seed } = options;
  const width = windowOf(options);
  const at = batches({ tokens: train, batch, context: width, seed });
  return {
    objective: imitation(model),
    context,
    source: (index) => feedsOf(rowsOf(split(at(index).inputIds, width), options, `texts/${index}`), options),
    heldOut: heldOut(material, options),
  };
};

/** The vectors of all texts of the windows, scaled to length 1. */
const vectorsOf = async (
  engine: Engine,
  model: Model,
  { windows }: HeldOut,
): Promise<readonly Float32Array[]> => {
  const program = trace({ batch: typesOf(windows) }, ({ batch }) => {
    const { hidden } = batchOutputs(model, asConstants(model.weights), batch);
    const pooling = { ...poolingOf(model), normalize: true };
    return { vectors: sentenceEmbedding(hidden, batch.attentionMask!, pooling) };
  });
  const session = await compile(engine, program);
  try {
    const all: Float32Array[] = [];
    for (const window of windows) {
      const { vectors } = await session.run(batchFeeds(window));
      const [rows, width] = vectors!.shape as readonly [number, number];
      const data = vectors!.data as Float32Array;
      for (let i = 0; i < rows; i++) all.push(data.slice(i * width, (i + 1) * width));
    }
    return all;
  } finally {
    await session.dispose();
  }
};

/** Cosines of a vector with each of the others. */
const similarities = (vectors: readonly Float32Array[], i: number): number[] => {
  const own = vectors[i]!;
  const others = vectors.filter((_, k) => k !== i);
  return others.map((other) => other.reduce((dot, x, c) => dot + x * own[c]!, 0));
};

/**
 * Rank agreement with vectors that are `known` of the same texts, all of length 1: for each text, how nearly
 * its cosines with the others are in their order.
 */
export const rankAgreements = (
  known: readonly Float32Array[],
): ((vectors: readonly Float32Array[]) => Float32Array) => {
  const ranked = known.map((_, i) => similarities(known, i));
  return (vectors) =>
    Float32Array.from(vectors, (_, i) => rankCorrelation(similarities(vectors, i), ranked[i]!));
};

const scorer: Task["scorer"] = async (engine, held, reference) => {
  const agreements = rankAgreements(await vectorsOf(engine, reference, held));
  return async (model) => agreements(await vectorsOf(engine, model, held));
};

const teaching = ({ objective }: Lesson, _: unknown, model: Model): Teaching => ({
  objective,
  says: ({ hidden }, { attentionMask }) => ({
    teacherHidden: hidden,
    teacherVectors: sentenceEmbedding(hidden, attentionMask!, poolingOf(model)),
  }),
});

/** Making vectors of texts as a larger model makes them; judged by how alike the two rank texts. */
export const embedding: Task = {
  name: "embedding",
  pipeline: "feature-extraction",
  heads: ["features"],
  textTokens: 128,
  reads: ["text"],
  taught: true,
  criterion: {
    name: "rank agreement",
    unit: "of rank agreement",
    example: "text",
    better: "more",
    of: meanOf,
  },
  lesson,
  heldOut,
  teaching,
  scorer,
};
