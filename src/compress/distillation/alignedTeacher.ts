/**
 * A teacher of another tokenizer: it reads the same text in its own tokens, and where a token of both
 * begins at one place, and the student's ends no later, its distribution is carried over: each of its
 * tokens counts for the first of the student's tokens that spell it.
 */
import type { Engine, Feeds } from "../../engine/engine.ts";
import { tensor } from "../../ir/tensor.ts";
import type { Model } from "../../models/model.ts";
import { alignedTeaching } from "../../tasks/teaching/aligned.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Aligned, alignedSpans, type Spelling } from "./alignedSpans.ts";
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

/** What the teacher says of a batch: its texts by both tokenizers, and what it makes of its own tokens. */
interface Heard {
  readonly rows: readonly Aligned[];
  /** Of each row. */
  readonly length: number;
  readonly logits: Float32Array;
  readonly nats: Float32Array;
}

const heardOf = async (
  asked: Teacher,
  { config, arch }: Pick<Model, "config" | "arch">,
  both: AlignedOptions,
  batch: Feeds,
): Promise<Heard> => {
  const whole = textsOf(batch).map((ids) => alignedSpans(ids, both));
  const longest = Math.max(...whole.map(({ ids }) => ids.length - 1), 1);
  const length = Math.min(arch.cache(config).positions, Math.ceil(longest / STEP) * STEP);
  const { logits, nats } = await asked.say(teacherBatch(whole, length, both.teacher.eos), 0);
  const rows = whole.map(({ ids, spans }) => ({
    ids,
    spans: spans.filter(({ teacher: [, to] }) => to <= length + 1),
  }));
  return { rows, length, logits: logits!.data as Float32Array, nats: nats!.data as Float32Array };
};

/** The student's token that each of the teacher's counts for; -1 of those that are no text. */
export const carriedTo = (vocab: number, { student, teacher }: AlignedOptions): Int32Array =>
  Int32Array.from({ length: vocab }, (_, id) => {
    if (id === teacher.eos) return student.eos;
    const bytes = teacher.bytesOf(id);
    if (bytes.length === 0) return -1;
    try {
      return (
        student.encode(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))[0] ?? -1
      );
    } catch {
      return -1;
    }
  });

/** Less than any probability that counts, whose logarithm is finite. */
const TINY = 1e-8;

/** Writes the logarithms of a teacher's distribution over the student's tokens, by its logits. */
const carry = (logits: Float32Array, to: Int32Array, out: Float32Array): void => {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  out.fill(0);
  let sum = 0;
  for (let id = 0; id < logits.length; id++) {
    const own = to[id]!;
    if (own < 0) continue;
    const mass = Math.exp(logits[id]! - most);
    out[own]! += mass;
    sum += mass;
  }
  for (let i = 0; i < out.length; i++) out[i] = Math.log(out[i]! / Math.max(sum, Number.MIN_VALUE) + TINY);
};

/** Throws ConfigError where tokenizers have nearly no text in common. */
const requireCommon = (rows: readonly Aligned[], tokens: number): void => {
  const said = rows
    .flatMap(({ spans }) => spans)
    .reduce((sum, { student: [from, to] }) => sum + to - from, 0);
  if (said >= tokens / 2) return;
  throw new ConfigError(
    `of ${tokens} tokens of the student ${said} are of text that its teacher's tokenizer keeps as it is`,
    { field: "distill.student", hint: "choose models whose tokenizers leave texts as they are" },
  );
};

/** The models, and how wide the student's logits are. */
export interface AlignedModels {
  readonly teacher: Pick<Model, "config" | "arch">;
  readonly student: Pick<Model, "config">;
}

/**
 * Says of a student's batch its `teacherLogits` and where they are `matched` (see `alignedObjective`), by
 * what `asked` says of the teacher's own batches. Throws ConfigError where tokenizers change most of the
 * text.
 */
export const alignedTeacher = (
  asked: Teacher,
  { teacher, student }: AlignedModels,
  both: AlignedOptions,
): Teacher => {
  const [theirs, mine] = [teacher.config.vocab_size as number, student.config.vocab_size as number];
  const to = carriedTo(theirs, both);
  const held = new Map<string, Float32Array<ArrayBuffer>>();
  let looked = false;
  const into = async (batch: Feeds, out: Float32Array<ArrayBuffer>): Promise<Feeds> => {
    const [b, t] = batch.inputIds!.shape as readonly [number, number];
    const { rows, length, logits } = await heardOf(asked, teacher, both, batch);
    if (!looked) requireCommon(rows, b * t);
    looked = true;
    const matched = new Float32Array(b * t);
    for (const [row, { spans }] of rows.entries()) {
      for (const { student: own, teacher: other } of spans) {
        // Where the student's token goes on behind the teacher's, the teacher has said its beginning alone.
        if (other[1] - other[0] > 1) continue;
        const [at, from] = [row * t + own[0] - 1, row * length + other[0] - 1];
        matched[at] = 1;
        const said = logits.subarray(from * theirs, (from + 1) * theirs);
        carry(said, to, out.subarray(at * mine, (at + 1) * mine));
      }
    }
    const shape = [b * t, mine];
    return { teacherLogits: tensor("float32", shape, out), matched: tensor("float32", [b * t], matched) };
  };
  const fresh = ({ inputIds }: Feeds) => new Float32Array(inputIds!.data.length * mine);
  return {
    told: (batch) => into(batch, fresh(batch)),
    say: (batch, slot) => {
      const key = `${slot} ${batch.inputIds!.shape}`;
      const out = held.get(key) ?? fresh(batch);
      held.set(key, out);
      return into(batch, out);
    },
    dispose: () => asked.dispose(),
  };
};

/** What held-out text costs a teacher, bits a byte of the spans that both tokenizers have. */
export const bitsOfSpans = async (
  engine: Engine,
  teacher: Model,
  windows: readonly Feeds[],
  both: AlignedOptions,
): Promise<number> => {
  const asked = teacherOf(engine, { teacher, teaching: alignedTeaching({ alpha: 1, temperature: 1 }) });
  let [nats, bytes] = [0, 0];
  try {
    for (const window of windows) {
      const { rows, length, nats: each } = await heardOf(asked, teacher, both, window);
      for (const [row, { spans }] of rows.entries()) {
        for (const { teacher: own, bytes: size } of spans) {
          const [from, to] = own.map((at) => row * length + at - 1);
          for (let at = from!; at < to!; at++) nats += each[at]!;
          bytes += size;
        }
      }
    }
  } finally {
    await asked.dispose();
  }
  return nats / Math.LN2 / bytes;
};
