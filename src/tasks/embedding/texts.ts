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
import type { Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { type HeldOut, type Lesson, type LessonOptions, type Task, textOf } from "../task.ts";
import type { DistillOptions, Teaching } from "../teaching/distillation.ts";
import { imitation } from "./imitation.ts";
import { poolingOf } from "./neighbours.ts";
import { type Piece, sentencesBy } from "./sentences.ts";

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

/** The longest piece of a document in a window. */
const longestPiece = (window: ArrayLike<number>, { eos }: Tokenizer): Piece => {
  const all = Array.from(window);
  const ends = [...all.keys()].filter((k) => all[k] === eos);
  const pieces = [-1, ...ends].map((end, k) => ({
    ...{ ids: all.slice(end + 1, ends[k] ?? all.length), begins: k > 0, ends: k < ends.length },
  }));
  return pieces.reduce((a, b) => (b.ids.length > a.ids.length ? b : a));
};

/** Makes texts out of windows of running text, drawn by a name: rows of `width` tokens. */
type Cutter = (windows: readonly ArrayLike<number>[], width: number, name: string) => Rows;

/**
 * Texts of many lengths out of windows of running text: a whole sentence, or what begins with one, up to the
 * end of a document or to a length that is drawn; what people look for is short, what they look through is
 * long. `share` of the texts are sentences.
 */
const cutterOf = ({ tokenizer, seed }: LessonOptions): ((share: number) => Cutter) => {
  const { cls = tokenizer.specials.bos, sep = tokenizer.eos, pad = tokenizer.eos } = tokenizer.specials;
  const before = cls === undefined ? [] : [cls];
  const sentences = sentencesBy(tokenizer);
  return (share) => (windows, width, name) => {
    const room = width - before.length - 1;
    const ids = new Int32Array(windows.length * width).fill(pad);
    const mask = new Int32Array(ids.length);
    const random = rng(seed, name);
    const textIn = (piece: Piece): readonly number[] => {
      const all = sentences(piece).filter(({ start, end }) => end - start >= SHORTEST);
      const one = all[random.int(Math.max(1, all.length))];
      if (one !== undefined && random.uniform() < share) return piece.ids.slice(one.start, one.end);
      const length = random.uniform() < 0.5 ? room : SHORTEST + random.int(Math.max(1, room - SHORTEST));
      const start = all[0]?.start ?? 0;
      return piece.ids.slice(start, start + length);
    };
    for (const [i, window] of windows.entries()) {
      const row = [...before, ...textIn(longestPiece(window, tokenizer)).slice(0, room), sep];
      ids.set(row, i * width);
      mask.fill(1, i * width, i * width + row.length);
    }
    return { ids, mask };
  };
};

const feedsOf = ({ ids, mask }: Rows, { model, batch }: Pick<LessonOptions, "model" | "batch">): Feeds => {
  const shape = [batch, ids.length / batch];
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
  const cut = cutterOf(options)(1 / 2);
  const groups = Array.from({ length: Math.floor(texts / each) }, (_, i) =>
    held.subarray(i * size, (i + 1) * size),
  );
  return {
    windows: groups.map((ids, i) =>
      feedsOf(cut(split(ids, width), options.context, `held/${i}`), { ...options, batch: each }),
    ),
  };
};

/** Tokens of a sentence that are read, with marks: few are longer. */
const SENTENCE = 32;

/** Of so many batches one is of longer texts, which take as long as those of sentences together. */
const TURNS = 3;

/** Texts to learn a teacher's vectors from: batches of sentences and of longer texts in turns. */
export const textLesson: Task["lesson"] = (material, options): Lesson => {
  const { train } = textOf(material, "embedding");
  const { model, batch, context, seed } = options;
  const width = windowOf(options);
  const at = batches({ tokens: train, batch, context: width, seed });
  const cutter = cutterOf(options);
  const [short, long] = [Math.min(SENTENCE, context), context];
  const [sentences, texts] = [cutter(1), cutter(0)];
  return {
    objective: imitation({ teacher: model }),
    context,
    widths: [...new Set([short, long])],
    source: (index) => {
      const windows = split(at(index).inputIds, width);
      const [cut, wide] = index % TURNS === 0 ? [texts, long] : [sentences, short];
      return feedsOf(cut(windows, wide, `texts/${index}`), options);
    },
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
