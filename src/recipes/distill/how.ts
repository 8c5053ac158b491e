/** How a student is taught: the losses that are asked for, as a teaching and in words. */
import type { Json, Model } from "../../models/model.ts";
import { widthOf } from "../../tasks/embedding/imitation.ts";
import type { Lesson, Pupil, Task } from "../../tasks/task.ts";
import { alignedTeaching } from "../../tasks/teaching/aligned.ts";
import type { DistillOptions, Teaching } from "../../tasks/teaching/distillation.ts";
import { teachingWithin } from "../../tasks/teaching/within.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { DistillModelOptions } from "./options.ts";

/** Teacher and student, and what they are for. */
export interface Taught {
  readonly task: Task;
  readonly teacher: Model;
  readonly student: Model;
  readonly lesson: Lesson;
  /** Whether the two have tokenizers of their own. */
  readonly across: boolean;
}

/** A way to teach. */
export interface How {
  readonly teaching: Teaching;
  pupil(seed: number): Pupil;
  /** Whether the texts of a batch are compared with each other. */
  readonly compares: boolean;
  /** For the history. */
  readonly options: { readonly [name: string]: Json };
  readonly words: string;
}

/** What vectors are learnt by. Throws ConfigError for one that needs equal widths where they are not. */
const vectorsOf = ({ teacher, student }: Taught, asked: DistillModelOptions["vectors"]) => {
  const [k, c] = [widthOf(teacher), widthOf(student)];
  const usual = k === c ? "tokens" : "relations";
  const vectors = asked ?? usual;
  if (k === c || vectors === "relations") return vectors;
  throw new ConfigError(`"${vectors}" compares ${c} channels with the teacher's ${k}`, {
    field: "distill.vectors",
    hint: "leave --vectors out, or choose relations, which learn how texts lie to each other",
  });
};

const distributionWords = ({
  alpha = 0.9,
  temperature = 1,
  divergence = "forward",
}: DistillOptions): string => {
  const names = {
    forward: "KL(teacher || student)",
    reverse: "KL(student || teacher)",
    js: "Jensen-Shannon",
  };
  const rest = alpha < 1 ? `, ${Number((1 - alpha).toFixed(4))} the labels` : "";
  return `${alpha} ${names[divergence]} at temperature ${temperature}${rest}`;
};

const vectorWords = {
  tokens: "the cosines of its vectors and of all tokens with the teacher's",
  cosine: "the cosines of its vectors with the teacher's",
  mse: "squared differences from the teacher's vectors",
  relations: "how the teacher's vectors of a batch lie to each other",
} as const;

/** Tasks whose teachers say a distribution over tokens. */
const OF_TOKENS: readonly string[] = ["causal-lm", "masked-lm"];

/** Throws ConfigError where a teacher says more than distributions over tokens, or something else. */
const requireLogits = ({ name }: Task, within: boolean): void => {
  if (OF_TOKENS.includes(name) && !within) return;
  const what = within
    ? "hidden states and relations, which are not kept"
    : `what ${name} says, which is short`;
  throw new ConfigError(`keeps distributions over tokens, and not ${what}`, {
    field: "distill.teacherTopK",
    hint: `leave --teacher-top-k out${within ? ", or --hidden and --relations" : ""}`,
  });
};

/** Throws ConfigError for students that write no texts. */
const requireWriter = ({ name }: Task): void => {
  if (name === "causal-lm") return;
  throw new ConfigError(`means nothing to ${name}, whose models write no texts`, {
    field: "distill.onPolicy",
    hint: "leave --on-policy out",
  });
};

/** Throws ConfigError for what a teacher of another tokenizer does not say. */
const requireCarried = (asked: DistillModelOptions): void => {
  const { hidden, relations, teacherTopK, vectors } = asked;
  const given = Object.entries({ hidden, relations, teacherTopK, vectors });
  const field = given.find(([, value]) => value !== undefined)?.[0];
  if (field === undefined) return;
  throw new ConfigError("means nothing to a student of another tokenizer, which learns distributions alone", {
    field: `distill.${field}`,
    hint: "leave it out, or choose models of one tokenizer",
  });
};

/** Share of the teacher, whose distribution is carried over and not its very own. */
const ACROSS = 0.6;

/** The way of a student that has a tokenizer of its own. Throws as `howOf`. */
const howAcross = ({ student }: Taught, asked: DistillModelOptions, { distill: d }: RunOptions): How => {
  requireCarried(asked);
  const { onPolicy, temperature = d.temperature, divergence = "forward" } = asked;
  const { alpha = onPolicy === undefined ? ACROSS : 1 } = asked;
  const options = { alpha, temperature, divergence };
  const written = onPolicy === undefined ? "" : `, ${onPolicy} of the texts written on by the student`;
  return {
    teaching: alignedTeaching(options),
    pupil: () => ({ model: student, finish: (trained: Model) => trained }),
    compares: false,
    options: { ...options, across: "first tokens", ...defined({ onPolicy }) } as How["options"],
    words: `${distributionWords(options)}, carried over to the student's tokens${written}`,
  };
};

/** The way that is asked for. Throws ConfigError where teacher and student do not suit it. */
export const howOf = (taught: Taught, asked: DistillModelOptions, run: RunOptions): How => {
  if (taught.across) return howAcross(taught, asked, run);
  const { task, teacher, student, lesson } = taught;
  const { distill: d } = run;
  const { onPolicy } = asked;
  // What a student writes is no label.
  const {
    alpha = onPolicy === undefined ? d.alpha : 1,
    temperature = d.temperature,
    divergence = "forward",
  } = asked;
  const { hidden = 0, relations = 0 } = asked;
  const isVectors = task.name === "embedding";
  const options: DistillOptions = isVectors
    ? { vectors: vectorsOf(taught, asked.vectors) }
    : { alpha, temperature, divergence };
  if (!isVectors && asked.vectors !== undefined) {
    throw new ConfigError(`means nothing to ${task.name}, which makes no vectors of texts`, {
      field: "distill.vectors",
      hint: "leave --vectors out",
    });
  }
  const base = task.teaching(lesson, options, teacher);
  const within = hidden > 0 || relations > 0;
  if (asked.teacherTopK !== undefined) requireLogits(task, within);
  if (onPolicy !== undefined) requireWriter(task);
  const made = within
    ? teachingWithin(base, { teacher, student }, { hidden, relations })
    : { teaching: base, pupil: () => ({ model: student, finish: (trained: Model) => trained }) };
  const words = [
    options.vectors === undefined ? distributionWords(options) : vectorWords[options.vectors],
    ...(hidden > 0 ? [`${hidden} of hidden states`] : []),
    ...(relations > 0 ? [`${relations} of relations of queries, keys and values`] : []),
    ...(onPolicy === undefined ? [] : [`${onPolicy} of the texts written on by the student`]),
  ];
  return {
    ...made,
    compares: options.vectors === "relations",
    options: {
      ...options,
      ...(within ? { hidden, relations } : {}),
      ...defined({ onPolicy }),
    } as How["options"],
    words: words.join(", "),
  };
};
