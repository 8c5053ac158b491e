/** What rows have a model learn, as tokens and their labels. */
import { IGNORE } from "../../nn/loss.ts";
import type { ChatWriter } from "../../template/supervised.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { AnnealError, ConfigError, DataError } from "../../util/errors.ts";
import type { RecordOptions, Row } from "../records.ts";
import type { Lesson } from "./forms.ts";
import { completionTokens, type LearntTokens, learntTokens } from "./tokens.ts";

/** How lessons are written. */
export interface WriteOptions {
  readonly tokenizer: Tokenizer;
  /** Writes chats by the model's template. */
  readonly writer?: ChatWriter;
  /** Whether all of a text is learnt, whoever says it. */
  readonly whole?: boolean;
}

/** Thrown where a chat has no template. */
const noTemplate = (): ConfigError =>
  new ConfigError("the records are chats, and the model has no chat template", {
    field: "chat_template",
    hint: "give a model with one, or plain texts in prompt and completion",
  });

const chatsOf = (lessons: readonly Lesson[]) =>
  lessons.flatMap((lesson) => (lesson.kind === "chat" ? [lesson] : []));

const all = (tokens: LearntTokens): LearntTokens => ({ ids: tokens.ids, learnt: tokens.ids.map(() => 1) });

/**
 * The tokens of lessons, in their order; an error stands for a chat that the template refuses. Throws
 * ConfigError where there are chats and no template.
 */
export const writeLessons = async (
  lessons: readonly Lesson[],
  { tokenizer, writer, whole = false }: WriteOptions,
): Promise<readonly (LearntTokens | Error)[]> => {
  const chats = chatsOf(lessons);
  if (chats.length > 0 && writer === undefined) throw noTemplate();
  const texts = chats.length === 0 ? [] : await writer!(chats);
  let at = 0;
  return lessons.map((lesson) => {
    if (lesson.kind === "text") {
      const tokens = completionTokens(tokenizer, lesson.prompt, lesson.completion);
      return whole ? all(tokens) : tokens;
    }
    const made = texts[at++]!;
    if (made instanceof Error) return made;
    const { text, turns } = made;
    return learntTokens(tokenizer, text, whole ? [{ start: 0, end: text.length }] : turns);
  });
};

/** Inputs and the label of each: what is to be said next, or IGNORE. */
export interface Labelled {
  readonly ids: Int32Array;
  readonly labels: Int32Array;
  /** Whether the end was cut off. */
  readonly cut: boolean;
}

/** What examples must fit into, and what happens to those that do not. */
export interface CutOptions extends Pick<RecordOptions, "tooLong"> {
  readonly context: number;
}

/**
 * Tokens as inputs and labels; what stands behind the last label is left out. Throws DataError naming the
 * row where nothing is learnt of it.
 */
export const labelled = (
  made: LearntTokens | Error,
  row: Row,
  { context, tooLong }: CutOptions,
): Labelled => {
  if (made instanceof Error) {
    const own = made instanceof AnnealError ? made.details.hint : undefined;
    const hint = own ?? "mend the messages, or leave such rows out with --skip-bad-rows";
    throw new DataError(made.message, { file: row.id, hint, cause: made });
  }
  const { ids, learnt } = made;
  const length = Math.max(0, learnt.lastIndexOf(1));
  const cut = length > context;
  if (cut && tooLong === "refuse") {
    throw new DataError(`has ${length} tokens, and the model takes ${context}`, {
      file: row.id,
      hint: "cut it, raise --context, or take --too-long truncate",
    });
  }
  const kept = Math.min(length, context);
  const labels = Int32Array.from({ length: kept }, (_, t) => (learnt[t + 1] === 1 ? ids[t + 1]! : IGNORE));
  if (labels.some((label) => label !== IGNORE))
    return { ids: Int32Array.from(ids.slice(0, kept)), labels, cut };
  throw new DataError(
    cut
      ? `the first ${context} of its ${length} tokens hold nothing that is learnt`
      : "no token of it is learnt",
    {
      file: row.id,
      hint: cut
        ? "raise --context, shorten the prompt, or leave such rows out with --skip-bad-rows"
        : "give an answer that is not empty, or leave such rows out with --skip-bad-rows",
    },
  );
};

/**
 * The text of an example with what is learnt of it between brackets, line ends as they are written in
 * code.
 */
export const shownTokens = (
  { ids, labels }: Pick<Labelled, "ids" | "labels">,
  tokenizer: Tokenizer,
): string => {
  const last = labels.at(-1);
  const tokens = [...ids, ...(last === undefined || last === IGNORE ? [] : [last])];
  const runs: { ids: number[]; learnt: boolean }[] = [];
  tokens.forEach((id, t) => {
    const learnt = t > 0 && labels[t - 1] !== IGNORE;
    const run = runs.at(-1);
    if (run !== undefined && run.learnt === learnt) run.ids.push(id);
    else runs.push({ ids: [id], learnt });
  });
  const text = (some: readonly number[]) => tokenizer.decode(some, { keepSpecial: true });
  const shown = runs.map((run) => (run.learnt ? `[[${text(run.ids)}]]` : text(run.ids))).join("");
  return shown.replaceAll("\n", "\\n");
};
