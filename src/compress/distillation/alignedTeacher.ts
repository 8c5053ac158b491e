/** A teacher of another tokenizer: it reads the same text, and says what each span of it costs. */
import type { Engine, Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { alignedTeaching } from "../../tasks/teaching/aligned.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Aligned, alignedSpans, type Span, type Spelling } from "./alignedSpans.ts";
import { textsOf } from "./onPolicy.ts";
import { type Teacher, teacherOf } from "./teacher.ts";

// B rows, T tokens of a student's row

/** Both tokenizers. */
export interface AlignedOptions {
  readonly student: Spelling;
  readonly teacher: Spelling;
}

/** Rows of the teacher are as long as the longest one, in steps: it is compiled for a few lengths alone. */
const STEP = 32;

/** The teacher's rows as a batch, those behind `length` tokens cut off. */
const teacherBatch = (rows: readonly Aligned[], length: number, eos: number): Feeds => {
  const side = (from: number): Int32Array<ArrayBuffer> => {
    const ids = new Int32Array(rows.length * length).fill(eos);
    for (const [row, { ids: own }] of rows.entries()) {
      ids.set(own.slice(from, from + length), row * length);
    }
    return ids;
  };
  return {
    inputIds: tensor("int32", [rows.length, length], side(0)),
    labels: tensor("int32", [rows.length * length], side(1)),
  };
};

/** What of a text is said by both, and what it costs the teacher. */
export interface SpanNats {
  readonly span: Span;
  readonly nats: number;
}

/** What the teacher says of the texts of a batch, row by row: spans that it reads to their ends. */
export const spanNatsOf = async (
  asked: Teacher,
  { config, arch }: Pick<Model, "config" | "arch">,
  both: AlignedOptions,
  batch: Feeds,
): Promise<SpanNats[][]> => {
  const rows = textsOf(batch).map((ids) => alignedSpans(ids, both));
  const longest = Math.max(...rows.map(({ ids }) => ids.length - 1), 1);
  const length = Math.min(arch.cache(config).positions, Math.ceil(longest / STEP) * STEP);
  const { nats } = await asked.say(teacherBatch(rows, length, both.teacher.eos), 0);
  const each = nats!.data as Float32Array;
  return rows.map(({ spans }, row) =>
    spans.flatMap((span) => {
      const [from, to] = span.teacher;
      if (to > length + 1) return [];
      const own = each.subarray(row * length + from - 1, row * length + to - 1);
      return [{ span, nats: own.reduce((a, b) => a + b, 0) }];
    }),
  );
};

/** Throws ConfigError where tokenizers have nearly no text in common. */
const requireCommon = (rows: readonly (readonly SpanNats[])[], tokens: number): void => {
  const said = rows.flat().reduce((sum, { span: { student } }) => sum + student[1] - student[0], 0);
  if (said >= tokens / 2) return;
  throw new ConfigError(
    `of ${tokens} tokens of the student ${said} are of text that its teacher's tokenizer keeps as it is`,
    { field: "distill.student", hint: "choose models whose tokenizers leave texts as they are" },
  );
};

/**
 * Says of a student's batch its `spans` and `spanNats` (see `alignedObjective`), by what `asked` says of the
 * teacher's own batches: `nats`, of each token. Throws ConfigError where tokenizers change most of the text.
 */
export const alignedTeacher = (
  asked: Teacher,
  teacher: Pick<Model, "config" | "arch">,
  both: AlignedOptions,
): Teacher => {
  let looked = false;
  const told = async (batch: Feeds): Promise<Feeds> => {
    const [b, t] = batch.inputIds!.shape as readonly [number, number];
    const rows = await spanNatsOf(asked, teacher, both, batch);
    if (!looked) requireCommon(rows, b * t);
    looked = true;
    const [spans, nats] = [new Float32Array(b * t * t), new Float32Array(b * t)];
    for (const [row, own] of rows.entries()) {
      for (const [s, { span, nats: cost }] of own.entries()) {
        const [from, to] = span.student;
        const place = (row * t + s) * t;
        spans.fill(1, place + from - 1, place + to - 1);
        nats[row * t + s] = Math.max(cost, 1e-6);
      }
    }
    return { spans: tensor("float32", [b, t, t], spans), spanNats: tensor("float32", [b, t], nats) };
  };
  return { told, say: told, dispose: () => asked.dispose() };
};

/** What held-out text costs a teacher, bits a byte of the spans that both tokenizers have. */
export const bitsOfSpans = async (
  engine: Engine,
  teacher: Model,
  windows: readonly Feeds[],
  both: AlignedOptions,
): Promise<number> => {
  const asked = teacherOf(engine, { teacher, teaching: alignedTeaching(1) });
  let [nats, bytes] = [0, 0];
  try {
    for (const window of windows) {
      for (const { span, nats: own } of (await spanNatsOf(asked, teacher, both, window)).flat()) {
        nats += own;
        bytes += span.bytes;
      }
    }
  } finally {
    await asked.dispose();
  }
  return nats / Math.LN2 / bytes;
};
