/** What a sweep is told besides the options of the runs that it tries. */
import type { SamplerName } from "../../search/samplers/index.ts";
import type { Space } from "../../search/space/space.ts";

/** What is made small (quality: as good as can be): the task's figure, bytes of the weights. */
export const goals = ["quality", "size"] as const;
/** One of them. */
export type Goal = (typeof goals)[number];

/** How hyperparameters are searched. */
export interface SweepOptions {
  /** Trials in all, those of an earlier process included; as many as `timeSec` allows unless told. */
  readonly trials?: number;
  /** Seconds after which no update is begun. */
  readonly timeSec?: number;
  /** By the number of trials unless told: bayes for few, tpe for many. */
  readonly sampler?: SamplerName;
  /** Parameters by the dotted field that each sets; those of training unless told. */
  readonly space?: Space;
  /** Quality alone unless told. */
  readonly goals?: readonly Goal[];
  /** Whether bad trials are stopped on their way, where ranks there are those of the end; true if untold. */
  readonly stops?: boolean;
  /** Seconds after which a trial has failed. */
  readonly trialSec?: number;
  /** Width of the trials, below that of the model that is wanted: what they find goes over to it. */
  readonly proxyWidth?: number;
  /**
   * A Redis by which processes share the trials, redis://USER:PASSWORD@HOST:PORT/DB#NAME (BullMQ); without
   * one they share the folder.
   */
  readonly queue?: string;
  /** The model that is fine-tuned; without one, text is trained on. */
  readonly ref?: string;
}

/** Trials that a sweep makes where neither their number nor a time is told. */
export const TRIALS = 20;
/** Up to so many trials a Gaussian process says what is tried. */
const FEW = 60;

/** The sampler of a sweep. */
export const samplerOf = ({ sampler, trials, timeSec }: SweepOptions): SamplerName =>
  sampler ?? ((trials ?? (timeSec === undefined ? TRIALS : FEW + 1)) <= FEW ? "bayes" : "tpe");
