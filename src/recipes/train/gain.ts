/**
 * What is left of a tuning's gain once its adapters are merged and the weights quantized: rounding can undo
 * what a light adapter has learnt, so it is measured and said.
 */
import type { Engine } from "../../engine/engine.ts";
import type { Model } from "../../models/model.ts";
import type { Objective } from "../../tasks/objective.ts";
import type { HeldOut } from "../../tasks/task.ts";
import { heldOutLoss } from "../../train/validate.ts";

/** Held-out losses of one tuning, nats. */
export interface Gain {
  /** Of the model before. */
  readonly before: number;
  /** Of the tuned model, its adapters apart. */
  readonly tuned: number;
  /** Of the merged model by dtype, and the share of the gain that is left there: 1 is all of it. */
  readonly merged: Readonly<Record<string, { readonly loss: number; readonly share: number }>>;
}

/** What is measured. */
export interface GainSubject {
  readonly base: Model;
  readonly tuned: Model;
  /** The merged model by dtype. */
  readonly forms: Readonly<Record<string, Model>>;
  readonly windows: HeldOut["windows"];
  readonly objective: Objective;
}

/** Measures how much of a tuning's gain each form keeps: (before - merged) / (before - tuned). */
export const gainOf = async (engine: Engine, subject: GainSubject): Promise<Gain> => {
  const { base, tuned, forms, windows, objective } = subject;
  const lossOf = async (model: Model) => (await heldOutLoss(engine, model, windows, objective)).loss;
  const before = await lossOf(base);
  const apart = await lossOf(tuned);
  const merged: Record<string, { loss: number; share: number }> = {};
  for (const [dtype, form] of Object.entries(forms)) {
    const loss = await lossOf(form);
    merged[dtype] = { loss, share: (before - loss) / (before - apart) };
  }
  return { before, tuned: apart, merged };
};

/** A share that is left, in words; rounding that happens to suit the held-out data leaves more than all. */
const shareText = (share: number): string => {
  const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
  if (share < 0) return "nothing (the model before is better)";
  return share < 1.0005 ? percent(share) : `all (and by chance ${percent(share - 1)} more)`;
};

/** The gain in words: "4.105 -> 3.871 nats; merged fp32 keeps 100 % of the gain, q8 99 %, q4 92 %". */
export const gainText = ({ before, tuned, merged }: Gain): string => {
  const shares = Object.entries(merged).map(([dtype, { share }], i) => {
    return `${dtype}${i === 0 ? " keeps" : ""} ${shareText(share)}${i === 0 ? " of the gain" : ""}`;
  });
  const gained = `held-out loss ${before.toFixed(4)} -> ${tuned.toFixed(4)}`;
  return tuned < before ? `${gained}; merged ${shares.join(", ")}` : `${gained}: the tuning gained nothing`;
};
