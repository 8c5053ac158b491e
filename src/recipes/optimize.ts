/**
 * The heart: from one trained model to the best that a budget allows. Candidates are the model itself, the
 * model with layers dropped, and that one distilled from the full one; each in every shipped dtype, each
 * measured.
 */
import { distill, dropLayers } from "../compress/index.ts";
import type { Context } from "../compress/pass.ts";
import { type Quality, qualityOf } from "../evaluate/quality.ts";
import type { Model } from "../models/model.ts";
import { countParams } from "../nn/param.ts";
import type { Probe } from "../node/probe.ts";
import { type Budget, type Choice, choose, paretoFront } from "../search/index.ts";
import { dtypes, type ShipDtype } from "../ship/dtype.ts";
import type { BatchSource, TrainHooks, TrainOptions } from "../train/loop.ts";
import { heldOutLoss, type Windows } from "../train/validate.ts";

export interface Candidate extends Quality, Probe {
  /** "full q8" */
  readonly name: string;
  /** Which dense model it is a form of. */
  readonly base: string;
  readonly dtype: ShipDtype;
  readonly layers: number;
  readonly params: number;
  /** Of the decoding graph's file. */
  readonly sizeBytes: number;
  readonly onFront: boolean;
  readonly note?: string;
}

/** A dense model and its forms in every dtype. */
export interface Base {
  readonly name: string;
  readonly dense: Model;
  readonly forms: Readonly<Record<ShipDtype, Model>>;
}

export interface HeldOutText {
  readonly windows: Windows;
  /** Bytes of the text that the windows cover. */
  readonly bytes: number;
}

/** Writes a model's decoding graph somewhere, measures it there, and says how large it was. */
export type ProbeModel = (model: Model) => Promise<Probe & { readonly sizeBytes: number }>;

/** A dense model in every shipped dtype. */
export const formsOf = async (name: string, dense: Model, context: Context): Promise<Base> => {
  const forms: Partial<Record<ShipDtype, Model>> = {};
  for (const [dtype, { pass }] of Object.entries(dtypes)) {
    forms[dtype as ShipDtype] = await pass.run(dense, context);
  }
  return { name, dense, forms: forms as Base["forms"] };
};

export interface OptimizeOptions {
  readonly heldOut: HeldOutText;
  readonly source: BatchSource;
  readonly budget: Budget;
  /** Layers that the smaller model keeps; half unless told. */
  readonly keep?: number;
  /** How the smaller model is distilled. */
  readonly distill: Omit<TrainOptions, "objective" | "record"> &
    TrainHooks & { readonly alpha?: number; readonly temperature?: number };
  readonly probe: ProbeModel;
  readonly onCandidate?: (candidate: Candidate) => void;
}

export interface Optimized {
  readonly candidates: readonly Candidate[];
  readonly bases: ReadonlyMap<string, Base>;
  readonly choice: Choice<Candidate>;
}

type Measured = Omit<Candidate, "onFront">;

const measure = async (
  base: Base,
  dtype: ShipDtype,
  options: OptimizeOptions,
  context: Context,
): Promise<Measured> => {
  const model = base.forms[dtype];
  const { windows, bytes } = options.heldOut;
  const quality = qualityOf(await heldOutLoss(context.engine, model, windows), bytes);
  const figures = await options.probe(model);
  return {
    name: `${base.name} ${dtype}`,
    base: base.name,
    dtype,
    layers: model.arch.cache(model.config).layers,
    params: countParams(model.weights),
    ...quality,
    ...figures,
  };
};

/** Quality, time and size: what a front is made of. */
const objectives = [
  (c: Measured) => c.bitsPerByte,
  (c: Measured) => c.p50Ms,
  (c: Measured) => c.sizeBytes,
] as const;

/** Measures the untrained cut in float32 only: it is there to show what teaching gains. */
const plans = (full: Base, pruned: Base, distilled: Base): [Base, ShipDtype][] => {
  const all = Object.keys(dtypes) as ShipDtype[];
  return [
    ...all.map((dtype) => [full, dtype] as [Base, ShipDtype]),
    [pruned, "fp32"],
    ...all.map((dtype) => [distilled, dtype] as [Base, ShipDtype]),
  ];
};

/** Makes the smaller model: layers dropped, then distilled from the full one. */
const shrink = async (model: Model, options: OptimizeOptions, context: Context) => {
  const { layers } = model.arch.cache(model.config);
  const keep = options.keep ?? Math.max(1, layers >> 1);
  const { alpha = 0.9, temperature = 1, ...train } = options.distill;
  const pruned = await dropLayers({ keep }).run(model, context);
  context.log(`student: ${keep} of ${layers} layers`);
  const teach = distill({ teacher: model, source: options.source, train, alpha, temperature });
  return { keep, pruned, distilled: await teach.run(pruned, context) };
};

/** Makes and measures the candidates of `model` and chooses among them. */
export const optimize = async (
  model: Model,
  options: OptimizeOptions,
  context: Context,
): Promise<Optimized> => {
  const { keep, pruned, distilled } = await shrink(model, options, context);
  const full = await formsOf("full", model, context);
  const small = await formsOf(`${keep}-layer pruned`, pruned, context);
  const student = await formsOf(`${keep}-layer distilled`, distilled, context);
  const measured: Measured[] = [];
  for (const [base, dtype] of plans(full, small, student)) {
    context.signal?.throwIfAborted();
    const candidate = await measure(base, dtype, options, context);
    measured.push(candidate);
    options.onCandidate?.({ ...candidate, onFront: false });
  }
  const front = new Set(paretoFront(measured, objectives));
  const candidates = measured.map((c) => ({ ...c, onFront: front.has(c) }));
  const bases = new Map([full, small, student].map((base) => [base.name, base]));
  return { candidates, bases, choice: choose(candidates, candidates[0]!, options.budget) };
};
