/**
 * Sentence embeddings without labels: a smaller model learns from a larger one's vectors on any text (Reimers
 * and Gurevych 2020, https://arxiv.org/abs/2004.09813), here from the hidden states of each token as well.
 */
import { batches } from "../../data/batch/batches.ts";
import type { Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import { readsTokenTypes } from "../../models/encoders/encoder.ts";
import type { Model, ModelConfig } from "../../models/model.ts";
import { sentenceEmbedding } from "../../models/pooling.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { type HeldOut, type Lesson, type LessonOptions, type Task, textOf } from "../task.ts";
import type { DistillOptions, Teaching } from "../teaching/distillation.ts";
import { imitation } from "./imitation.ts";
import { poolingOf } from "./neighbours.ts";

// B batch, T context, C channels

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

/** Held-out texts as batches. */
export const heldOutTexts: Task["heldOut"] = (material, options): HeldOut => {
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

/** Texts to learn a teacher's vectors from. */
export const textLesson: Task["lesson"] = (material, options): Lesson => {
  const { train } = textOf(material, "embedding");
  const { model, batch, context, seed } = options;
  const width = windowOf(options);
  const at = batches({ tokens: train, batch, context: width, seed });
  return {
    objective: imitation({ teacher: model }),
    context,
    source: (index) => feedsOf(rowsOf(split(at(index).inputIds, width), options, `texts/${index}`), options),
    heldOut: heldOutTexts(material, options),
  };
};

/** What a teacher says of a batch: its vectors, and hidden states where those are learnt. */
export const vectorTeaching = (
  { objective }: Lesson,
  { vectors: by = "tokens" }: DistillOptions,
  teacher: Model,
): Teaching => ({
  // Of records, whatever they say of their texts is left to the teacher.
  objective:
    objective.byVectors === undefined
      ? imitation({ teacher, by })
      : imitation({ teacher, by }, { inputs: objective.inputs, texts: objective.texts ?? 1 }),
  says: ({ hidden }, { attentionMask }) => ({
    ...(by === "tokens" ? { teacherHidden: hidden } : {}),
    teacherVectors: sentenceEmbedding(hidden, attentionMask!, poolingOf(teacher)),
  }),
});
