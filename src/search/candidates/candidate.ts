/** What a search makes and measures: dense models, their forms, and what became of each configuration. */
import type { Context } from "../../compress/pass.ts";
import type { Figures } from "../../metrics/metric.ts";
import type { HistoryStep, Model } from "../../models/model.ts";
import type { ShipDtype } from "../../ship/onnx/dtype.ts";
import type { DtypeParity } from "../../ship/verify/verify.ts";
import type { Choosable } from "../budget.ts";
import type { Values } from "../space/space.ts";
import type { Trial } from "../trial.ts";
import type { Form, FormDtype, FormFormat } from "./formats/format.ts";
import { onnxFormat } from "./formats/onnx.ts";

/** One measured form of a model. */
export interface Candidate extends Choosable {
  /** That of its trial. */
  readonly number: number;
  /** "full q8" */
  readonly name: string;
  /** Which dense model it is a form of. */
  readonly base: string;
  readonly dtype: FormDtype;
  /** Its place in the space. */
  readonly values: Values;
  readonly layers: number;
  readonly params: number;
  /** Mean score of the held-out examples, in the criterion's unit. */
  readonly score: number;
  /** All that was measured, by the names of `figuresOf`. */
  readonly figures: Figures;
  /** Not dominated in what is lost, size, median time and what else the budget limits. */
  readonly onFront: boolean;
  /** The passes that made it of the start. */
  readonly lineage: readonly HistoryStep[];
  readonly note?: string;
}

/** A candidate before the front is known. */
export type MeasuredCandidate = Omit<Candidate, "onFront">;

/** A dense model and its forms: those that were made. */
export interface Base {
  readonly name: string;
  readonly dense: Model;
  readonly forms: Forms;
}

/** A model in some dtypes. */
export type Forms = Readonly<Partial<Record<FormDtype, Form>>>;

/** What each form of a dense model computes against it. */
export type BaseParity = Readonly<Partial<Record<FormDtype, DtypeParity>>>;

/**
 * How far a configuration came: its size alone was foretold, its speed too, the time was too short for it, it
 * was stopped while it learnt, a form of more bits had lost too much, it failed, or it was measured.
 */
export type Stage = "size" | "speed" | "time" | "rung" | "quality" | "failed" | "measured";

/** What became of a configuration. */
export interface TrialRecord extends Trial {
  readonly name: string;
  readonly stage: Stage;
  /** Why it came no further. */
  readonly why?: string;
  /** Seconds that it took: what forms of one dense model share is counted once. */
  readonly seconds: number;
  readonly candidate?: MeasuredCandidate;
  /** What its graph computes against its dense model. */
  readonly parity?: DtypeParity;
  /** What was foretold of it before it was made, by the figures' names. */
  readonly foretold?: Readonly<Record<string, number>>;
}

/** Scores of the held-out examples, by the trial's number. */
export type ScoresByTrial = ReadonlyMap<number, Float32Array>;

/** A model in every dtype that recipes ship. */
export type AllForms = Readonly<Record<ShipDtype, Model>>;

/** A dense model in every shipped dtype. */
export const formsOf = async (dense: Model, context: Context): Promise<AllForms> => {
  const how = { context, format: onnxFormat };
  const { forms } = await withForms({ name: "", dense, forms: {} }, onnxFormat.dtypes, how);
  return forms as AllForms;
};

/** What forms are made by. */
export interface FormOptions {
  readonly context: Context;
  readonly format: FormFormat;
}

/** Makes the forms that are missing. */
export const withForms = async (
  base: Base,
  wanted: readonly FormDtype[],
  { context, format }: FormOptions,
): Promise<Base> => {
  const forms: Partial<Record<FormDtype, Form>> = { ...base.forms };
  for (const dtype of wanted) {
    context.signal?.throwIfAborted();
    forms[dtype] ??= await format.make(base.dense, dtype, context);
  }
  return { ...base, forms };
};
