/** What the report of a fine-tuned model is made of: what it said of records that it did not learn from. */
import type { Figures } from "../../metrics/metric.ts";
import type { ReportCurve } from "../run/model.ts";

interface FromRecord {
  /** "file:line" */
  readonly id: string;
}

/** One label of several, and how probable each was found. */
export interface LabelledText extends FromRecord {
  readonly texts: readonly string[];
  readonly right: number;
  readonly probabilities: readonly number[];
}

/** Any of several labels. */
export interface SeverallyLabelledText extends FromRecord {
  readonly texts: readonly string[];
  readonly right: readonly boolean[];
  readonly probabilities: readonly number[];
}

/** A number for a text or a pair of texts. */
export interface RatedText extends FromRecord {
  readonly texts: readonly string[];
  readonly right: number;
  readonly said: number;
}

/** Words and their tags. */
export interface TaggedText extends FromRecord {
  readonly words: readonly string[];
  readonly right: readonly string[];
  readonly said: readonly string[];
  /** How probable each tag that was said was found. */
  readonly sure: readonly number[];
}

/** A text that looks for those that belong to it. */
export interface Search extends FromRecord {
  readonly text: string;
  readonly right: readonly string[];
  /** The nearest texts, nearest first. */
  readonly found: readonly string[];
  /** 1 over the rank of the first right one; 0 where none was found. */
  readonly score: number;
}

/** What a model wrote. */
export interface WrittenAnswer extends FromRecord {
  readonly prompt: string;
  readonly right: string;
  readonly said: string;
}

/** What the model gained for an answer, or for the preferred one over the other. */
export interface Preference extends FromRecord {
  readonly texts: readonly string[];
  /** Of a pair the margin; else the reward, less than 0 of an answer that lost. */
  readonly margin: number;
  /** Of single answers: whether it is a good one. */
  readonly good?: boolean;
}

/** What was said of records, by what kind of thing that is. */
export type Said =
  | { readonly kind: "labels"; readonly names: readonly string[]; readonly all: readonly LabelledText[] }
  | {
      readonly kind: "several";
      readonly names: readonly string[];
      readonly all: readonly SeverallyLabelledText[];
    }
  | { readonly kind: "numbers"; readonly what: string; readonly all: readonly RatedText[] }
  | { readonly kind: "tags"; readonly entities: boolean; readonly all: readonly TaggedText[] }
  | { readonly kind: "searches"; readonly all: readonly Search[] }
  | { readonly kind: "answers"; readonly all: readonly WrittenAnswer[] }
  | { readonly kind: "preferences"; readonly all: readonly Preference[] };

/** How a run went. */
export interface TunedCurve extends ReportCurve {
  /** What a loss is counted in: "nats per label". */
  readonly unit: string;
  /** What held-out records were judged by after each epoch. */
  readonly figure: readonly (readonly [step: number, value: number])[];
  /** "accuracy" */
  readonly figureName?: string;
}

/** Names with what they are, as a list shows them. */
export type Facts = readonly (readonly [name: string, value: string])[];

/** What the report of a fine-tuned or evaluated model says. */
export interface TunedReport {
  /** Name of the model. */
  readonly title: string;
  /** "sequence-classification" */
  readonly task: string;
  /** "40 held-out records" */
  readonly measuredOn: string;
  /** The task's own first. */
  readonly figures: Figures;
  readonly said?: Said;
  readonly curve?: TunedCurve;
  /** Steps, rates, which weights; nothing where nothing was trained. */
  readonly training: Facts;
  /** Records read, left out, cut; padding. */
  readonly records: Facts;
  /** What else the user should know. */
  readonly notes: readonly string[];
  /** The command line, the versions, the machine. */
  readonly provenance: Facts;
  readonly command: string;
}
