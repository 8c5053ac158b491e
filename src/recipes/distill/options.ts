/** What is asked of a distillation, and what it gives. */
import type { Divergence } from "../../nn/divergence.ts";
import type { VectorLossName } from "../../tasks/teaching/distillation.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Family, families } from "../config/options.ts";

/** Which student learns, and how it is taught. */
export interface DistillModelOptions {
  /** A folder or a model of the Hub; else the student is cut out of the teacher, or fresh. */
  readonly student?: string;
  /** Layers of a student that is cut out of the teacher or fresh; half of the teacher's unless told. */
  readonly layers?: number;
  /** Whether the student begins with random weights. */
  readonly fresh?: boolean;
  /** Whether it is a table of token vectors, of so many `dims` (256 unless told). */
  readonly static?: boolean;
  readonly dims?: number;
  /** Bits that its matrices are rounded to while it learns, and are shipped in. */
  readonly bits?: 4 | 2;
  /** Of a fresh student: its family, channels and heads; the teacher's, and half of its channels. */
  readonly family?: string;
  readonly width?: number;
  readonly heads?: number;
  /** Share of the teacher in the loss, softening and divergence of the distributions. */
  readonly alpha?: number;
  readonly temperature?: number;
  readonly divergence?: Divergence;
  /** Weights of hidden states and of MiniLM's relations; 0 unless told. */
  readonly hidden?: number;
  readonly relations?: number;
  /** Of embeddings: what is learnt of vectors; "tokens" unless told, "relations" where widths differ. */
  readonly vectors?: VectorLossName;
  /** Share of the batches whose texts the student writes on itself, of language models; 0 unless told. */
  readonly onPolicy?: number;
  /** Bits of the teacher's matrices while it teaches. */
  readonly teacherBits?: 8 | 32;
  /** Likeliest tokens of each that the teacher says; they are kept on disk, and it is asked once a batch. */
  readonly teacherTopK?: number;
  /** The folder that they are kept in; anneal-out/teacher unless told. */
  readonly teacherCache?: string;
}

/** Size and score of a model. */
export interface StudentForm {
  readonly params: number;
  readonly layers: number;
  /** Mean of the held-out examples, in the report's `unit`. */
  readonly score: number;
}

/** What was learnt. */
export interface DistillReport {
  readonly teacher: StudentForm;
  readonly before: StudentForm;
  readonly after: StudentForm;
  readonly unit: string;
  readonly better: "less" | "more";
  /** Held-out examples that were scored. */
  readonly scored: number;
  /** Where the student came from: "4 of 6 layers of the teacher". */
  readonly from: string;
  readonly steps: number;
}

/** Channels of a static student unless told. */
export const STATIC_DIMS = 256;

const least = (field: string, value: number | undefined, from: number): void => {
  if (value === undefined || value >= from) return;
  throw new ConfigError(`${value} is not at least ${from}`, { field: `distill.${field}` });
};

/** Throws ConfigError where what a student writes would have to be known beforehand, or right. */
const checkOnPolicy = ({ onPolicy, alpha = 1, teacherTopK }: DistillModelOptions): void => {
  if (onPolicy === undefined) return;
  const refuse = (what: string, hint: string): never => {
    throw new ConfigError(what, { field: "distill.onPolicy", hint });
  };
  if (!(onPolicy >= 0 && onPolicy <= 1))
    refuse(`${onPolicy} is no share from 0 to 1`, "give --on-policy 0.5");
  if (alpha < 1) {
    refuse("learns from the teacher alone: what a student writes is no label", "leave --alpha out");
  }
  if (teacherTopK === undefined) return;
  refuse("asks the teacher of texts that are written anew each time", "leave --teacher-top-k out");
};

/** Throws ConfigError for options that do not go together. */
export const checkAsked = (asked: DistillModelOptions): void => {
  checkOnPolicy(asked);
  const { student, layers, fresh = false, family, width, heads } = asked;
  for (const [field, value] of Object.entries({ layers, width, heads })) least(field, value, 1);
  least("teacherTopK", asked.teacherTopK, 1);
  least("hidden", asked.hidden, 0);
  least("relations", asked.relations, 0);
  if (student !== undefined && (fresh || layers !== undefined)) {
    throw new ConfigError("stands beside --layers or --fresh: the student is one or the other", {
      field: "distill.student",
      hint: "leave --student out, or the others",
    });
  }
  const { static: isStatic = false, dims, bits, hidden = 0, relations = 0 } = asked;
  if (isStatic && (student !== undefined || fresh || layers !== undefined || bits !== undefined)) {
    throw new ConfigError("is a student of its own, of tokens' vectors without layers or matrices", {
      field: "distill.static",
      hint: "leave --static out, or the other student and --bits",
    });
  }
  if (isStatic && hidden + relations > 0) {
    throw new ConfigError("has no layers whose hidden states or relations could be learnt", {
      field: "distill.static",
      hint: "leave --hidden and --relations out",
    });
  }
  if (!isStatic && dims !== undefined) {
    throw new ConfigError("is of static students alone", { field: "distill.dims", hint: "add --static" });
  }
  if (bits !== undefined && bits !== 4 && bits !== 2) {
    throw new ConfigError(`${bits} bits have no form in ONNX Runtime`, {
      field: "distill.bits",
      hint: "give --bits 4 or 2",
    });
  }
  if (bits !== undefined && hidden + relations > 0) {
    throw new ConfigError("goes with what the teacher says alone", {
      field: "distill.bits",
      hint: "leave --hidden and --relations out",
    });
  }
  const sizes = Object.entries({ family, width, heads }).find(([, value]) => value !== undefined);
  if (!fresh && sizes !== undefined) {
    throw new ConfigError("is of a fresh student alone: one that is cut out has its teacher's sizes", {
      field: `distill.${sizes[0]}`,
      hint: "add --fresh, or leave it out",
    });
  }
  if (family === undefined || families.some((name) => name === family)) return;
  throw new ConfigError(`is "${family}", a family that is not known`, {
    field: "distill.family",
    hint: `known: ${families.join(", ")}`,
  });
};

/** Whether a name is that of a family that fresh models can be of. */
export const isFamily = (name: string): name is Family => families.some((family) => family === name);
