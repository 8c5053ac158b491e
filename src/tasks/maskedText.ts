/**
 * Running text as batches for encoders: rows between the marks of a text, some tokens of which are hidden or
 * replaced.
 */
import { batches, evalBatches } from "../data/batch/batches.ts";
import { type MaskingOptions, maskedCount, maskTokens } from "../data/batch/masking.ts";
import type { Feeds } from "../engine/engine.ts";
import { tensor } from "../ir/tensor.ts";
import { readsTokenTypes } from "../models/encoders/encoder.ts";
import type { ModelConfig } from "../models/model.ts";
import { IGNORE } from "../nn/loss.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import { ConfigError } from "../util/errors.ts";
import type { Objective } from "./objective.ts";
import { type HeldOut, type Lesson, type LessonOptions, type Material, textOf } from "./task.ts";

// B batch, T context

/** What an objective of such batches is told. */
export interface MaskedShape {
  readonly tokenTypes: boolean;
  /** Places of a row that are labelled. */
  readonly asked: number;
  /** Id of the mask. */
  readonly maskId: number;
}

/** What a task makes of text. */
export interface MaskedForm {
  /** "masked-lm" */
  readonly task: string;
  readonly fate: NonNullable<MaskingOptions["fate"]>;
  objective(shape: MaskedShape): Objective;
}

/** Ids that stand around a text and in it; throws ConfigError where the tokenizer lacks one. */
const marksOf = ({ specials }: Tokenizer, task: string) => {
  const needed = (name: string, id: number | undefined): number => {
    if (id !== undefined) return id;
    throw new ConfigError(`names no ${name} token, which ${task} needs`, {
      field: `${name}_token`,
      hint: "use the tokenizer that the encoder came with, or train one with --family bert",
    });
  };
  return {
    cls: needed("cls", specials.cls ?? specials.bos),
    sep: needed("sep", specials.sep ?? specials.eos),
    pad: needed("pad", specials.pad),
    mask: needed("mask", specials.mask),
  };
};

/** Whether a token goes on the word before it: what begins with no white space does. */
const continuing = (tokenizer: Tokenizer): ((id: number) => boolean) => {
  const known = new Map<number, boolean>();
  return (id) => {
    const found = known.get(id);
    if (found !== undefined) return found;
    const text = new TextDecoder().decode(tokenizer.bytesOf(id));
    const goesOn = /^[\p{L}\p{N}\p{M}]/u.test(text);
    known.set(id, goesOn);
    return goesOn;
  };
};

type Row = ArrayLike<number>;

/** Rows of text between the marks of a text, padded: [B, T] ids, with how many of each count. */
const framed = (rows: readonly Row[], context: number, { cls, sep, pad }: ReturnType<typeof marksOf>) => {
  const ids = new Int32Array(rows.length * context).fill(pad);
  const counts = rows.map((row, i) => {
    const at = i * context;
    if (row.length === 0) return 0;
    ids.set([cls, ...Array.from(row), sep], at);
    return row.length + 2;
  });
  return { ids, counts };
};

/** The seed and the number of a batch, by which its masks are drawn. */
interface Draw extends Pick<MaskingOptions, "seed" | "step"> {}

const joined = (rows: readonly Int32Array[]): Int32Array => Int32Array.from(rows.flatMap((row) => [...row]));

/** Where a row is labelled; in the places that are over, its first token, which never is. */
const placesOf = (labels: Int32Array, asked: number): Int32Array => {
  const places = new Int32Array(asked);
  places.set(Array.from(labels.keys()).filter((i) => labels[i] !== IGNORE));
  return places;
};

/** 1 where a token was replaced by another, 0 where it stayed, IGNORE in padding. */
const replacedOf = (ids: Int32Array, labels: Int32Array, count: number): Int32Array =>
  ids.map((id, i) => {
    if (i >= count) return IGNORE;
    return labels[i] === IGNORE || labels[i] === id ? 0 : 1;
  });

const collator = (
  { model, tokenizer, context, wholeWords }: LessonOptions,
  { task, fate }: Omit<MaskedForm, "objective">,
) => {
  const marks = marksOf(tokenizer, task);
  const config = model.config as ModelConfig;
  const { cls, sep, pad, mask } = marks;
  const { bos, eos, unk } = tokenizer.specials;
  const special = new Set([cls, sep, pad, mask, bos, eos, unk].filter((id) => id !== undefined));
  const vocab = Math.min(config.vocab_size, tokenizer.vocabSize);
  const asked = maskedCount(context - 2);
  const words = wholeWords === true ? { continues: continuing(tokenizer) } : {};
  return (rows: readonly Row[], draw: Draw): Feeds => {
    const { ids, counts } = framed(rows, context, marks);
    const masked = rows.map((_, b) => {
      const row = ids.subarray(b * context, (b + 1) * context);
      const step = draw.step * rows.length + b;
      return maskTokens(row, { vocab, maskId: mask, special, fate, ...words, seed: draw.seed, step });
    });
    const labels = masked.map((row) => row.labels);
    const replaced = masked.map((row, b) => replacedOf(row.ids, row.labels, counts[b]!));
    const shape = [rows.length, context];
    // A row of padding alone reads one token, of which nothing is asked.
    const attention = ids.map((_, i) =>
      i % context < Math.max(1, counts[Math.floor(i / context)]!) ? 1 : 0,
    );
    return {
      inputIds: tensor("int32", shape, joined(masked.map((row) => row.ids))),
      attentionMask: tensor("int32", shape, attention),
      ...(readsTokenTypes(config)
        ? {
            tokenTypeIds: tensor("int32", shape, new Int32Array(ids.length)),
          }
        : {}),
      labels: tensor("int32", [ids.length], joined(labels)),
      places: tensor("int32", [rows.length, asked], joined(labels.map((row) => placesOf(row, asked)))),
      ...(fate === "text" ? { replaced: tensor("int32", [ids.length], joined(replaced)) } : {}),
    };
  };
};

/** Masks of held-out text: drawn once, by a seed of their own, so that all measurements ask the same. */
const HELD_OUT_SEED = 20_181_011;

/** Rows of `width` tokens that a batch's ids are. */
const rowsOf = (ids: Int32Array, width: number, used = ids.length): Int32Array[] =>
  Array.from({ length: ids.length / width }, (_, i) =>
    ids.subarray(i * width, Math.max(i * width, Math.min((i + 1) * width, used))),
  );

/** Tokens of text in a row, between its two marks. Throws ConfigError where there is no room. */
const widthOf = ({ context }: LessonOptions): number => {
  if (context > 2) return context - 2;
  throw new ConfigError(`${context} tokens hold no text between two marks`, { field: "model.n_positions" });
};

/** Held-out batches: what is hidden in them is always the same. Throws as `maskedLesson`. */
export const maskedHeldOut = (
  material: Material,
  options: LessonOptions,
  form: Omit<MaskedForm, "objective">,
): HeldOut => {
  const { validation } = textOf(material, form.task);
  const { batch, heldOutTokens } = options;
  const width = widthOf(options);
  const collate = collator(options, form);
  const tokens = validation.subarray(0, Math.min(validation.length, heldOutTokens + 1));
  const held = evalBatches({ tokens, batch, context: width });
  return {
    windows: held.map(({ inputIds, labels }, step) => {
      const used = labels.reduce((n, label) => n + (label === -100 ? 0 : 1), 0);
      return collate(rowsOf(inputIds, width, used), { seed: HELD_OUT_SEED, step });
    }),
  };
};

/**
 * The lesson of text of which some tokens are hidden or replaced. Throws ConfigError for material of another
 * kind, a tokenizer without the marks of a text, or a context without room between them.
 */
export const maskedLesson = (material: Material, options: LessonOptions, form: MaskedForm): Lesson => {
  const { train, packed } = textOf(material, form.task);
  const { model, batch, context, seed } = options;
  if (packed !== undefined) {
    throw new ConfigError("windows of documents are for causal language models", {
      field: "data.packing",
      hint: "prepare the data with --packing concat",
    });
  }
  const width = widthOf(options);
  const collate = collator(options, form);
  const at = batches({ tokens: train, batch, context: width, seed });
  return {
    objective: form.objective({
      tokenTypes: readsTokenTypes(model.config as ModelConfig),
      asked: maskedCount(width),
      maskId: marksOf(options.tokenizer, form.task).mask,
    }),
    context,
    source: (index) => collate(rowsOf(at(index).inputIds, width), { seed, step: index }),
    heldOut: maskedHeldOut(material, options, form),
  };
};
