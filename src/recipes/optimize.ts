/**
 * The heart: from one trained model to the best that a budget allows. Candidates are the model itself, the
 * model with layers dropped, and that one distilled from the full one; each in every shipped dtype, each
 * measured, and each judged: one whose graph computes something else is shown and never chosen.
 */
import { distill, dropLayers } from "../compress/index.ts";
import type { Context } from "../compress/pass.ts";
import { type Quality, qualityOf } from "../evaluate/quality.ts";
import type { Model } from "../models/model.ts";
import { countParams } from "../nn/param.ts";
import type { Probe } from "../node/runtime/probe.ts";
import { type Budget, type Choice, choose, paretoFront } from "../search/index.ts";
import { dtypes, type ShipDtype } from "../ship/onnx/dtype.ts";
import type { DtypeParity } from "../ship/verify/verify.ts";
import type { BatchSource } from "../tasks/task.ts";
import type { TrainHooks, TrainOptions } from "../train/loop.ts";
import { heldOutTokens, type Windows } from "../train/validate.ts";
import { type Doubt, doubtsOf } from "./doubts.ts";

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
  /** Why its graph does not compute what its model does, on this machine. */
  readonly fault?: string;
  readonly note?: string;
}

/** A dense model and its forms in every dtype. */
export interface Base {
  readonly name: string;
  readonly dense: Model;
  readonly forms: Readonly<Record<ShipDtype, Model>>;
}

/** What each form of a dense model computes against it. */
export type BaseParity = Readonly<Record<ShipDtype, DtypeParity>>;

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
  readonly judge: (base: Base) => Promise<BaseParity>;
  readonly onCandidate?: (candidate: Candidate) => void;
}

export interface Optimized {
  readonly candidates: readonly Candidate[];
  readonly bases: ReadonlyMap<string, Base>;
  /** By the base's name. */
  readonly parity: ReadonlyMap<string, BaseParity>;
  readonly choice: Choice<Candidate>;
  /** What decided the choice and is smaller than the noise of the held-out text. */
  readonly doubts: readonly Doubt[];
}

type Measured = Omit<Candidate, "onFront">;

/** Mean of the tokens' losses. */
const meanOf = (losses: Float32Array) => ({
  loss: losses.reduce((sum, x) => sum + x, 0) / losses.length,
  tokens: losses.length,
});

const measure = async (
  base: Base,
  dtype: ShipDtype,
  { losses, parity }: { readonly losses: Float32Array; readonly parity: DtypeParity },
  { probe, heldOut }: OptimizeOptions,
): Promise<Measured> => {
  const model = base.forms[dtype];
  return {
    name: `${base.name} ${dtype}`,
    base: base.name,
    dtype,
    layers: model.arch.cache(model.config).layers,
    params: countParams(model.weights),
    ...qualityOf(meanOf(losses), heldOut.bytes),
    ...(await probe(model)),
    ...(parity.status === "failed" ? { fault: parity.reason ?? "it computes something else" } : {}),
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

/** Every base's forms, judged. */
const judgeAll = async (
  bases: readonly Base[],
  { judge }: OptimizeOptions,
  { signal }: Context,
): Promise<ReadonlyMap<string, BaseParity>> => {
  const parity = new Map<string, BaseParity>();
  for (const base of bases) {
    signal?.throwIfAborted();
    parity.set(base.name, await judge(base));
  }
  return parity;
};

/** Makes, judges and measures the candidates of `model` and chooses among them. */
export const optimize = async (
  model: Model,
  options: OptimizeOptions,
  context: Context,
): Promise<Optimized> => {
  const { heldOut, budget } = options;
  const { keep, pruned, distilled } = await shrink(model, options, context);
  const full = await formsOf("full", model, context);
  const small = await formsOf(`${keep}-layer pruned`, pruned, context);
  const student = await formsOf(`${keep}-layer distilled`, distilled, context);
  const all = [full, small, student];
  const parity = await judgeAll(all, options, context);
  const measured: Measured[] = [];
  const losses = new Map<string, Float32Array>();
  for (const [base, dtype] of plans(full, small, student)) {
    context.signal?.throwIfAborted();
    const judged = parity.get(base.name)![dtype];
    const own = await heldOutTokens(context.engine, base.forms[dtype], heldOut.windows);
    const candidate = await measure(base, dtype, { losses: own, parity: judged }, options);
    losses.set(candidate.name, own);
    measured.push(candidate);
    options.onCandidate?.({ ...candidate, onFront: false });
  }
  const sound = measured.filter(({ fault }) => fault === undefined);
  const front = new Set(paretoFront(sound, objectives));
  const candidates = measured.map((c) => ({ ...c, onFront: front.has(c) }));
  const choice = choose(candidates, candidates[0]!, budget);
  const doubts = doubtsOf({ candidates, losses, choice, budget });
  return { candidates, bases: new Map(all.map((base) => [base.name, base])), parity, choice, doubts };
};
