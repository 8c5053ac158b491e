/** How the smaller model learns from the larger one, as the options say. */
import type { Model } from "../../models/model.ts";
import { countParams, type Weight } from "../../nn/param.ts";
import { optimizers } from "../../optim/index.ts";
import { scheduleOf } from "../../optim/schedule.ts";
import { taskOf } from "../../tasks/index.ts";
import type { Lesson } from "../../tasks/task.ts";
import { defined } from "../../util/defined.ts";
import { entries } from "../../util/tree.ts";
import type { RunOptions } from "../config/options.ts";
import { recordOptions } from "../data/records.ts";
import type { UserData } from "../data/userData.ts";

/** Channels of a model's hidden states: what its first MLP reads. */
const channelsOf = ({ arch, config, weights }: Model): number => {
  const { path, layout } = arch.linears(config).find(({ role }) => role === "up") ?? {};
  const shape = new Map(entries<Weight>(weights)).get(path ?? "")?.shape;
  return Number(shape?.[layout === "kn" ? 0 : 1] ?? WIDTH);
};

/** Rate of a student 128 wide. Wider ones take less: 384 wide, MiniLM's half unlearnt at this what it had. */
const [RATE, WIDTH] = [2e-3, 128];

/**
 * Shares of the usual rate, of which sentence embeddings take the first that does not undo what a student
 * has in so many updates, where a run is so long that this is cheap. A real encoder's students with half of
 * the neurons bear a ninth.
 */
const [SHARES, TRIED, LONG] = [[1, 1 / 3, 1 / 9], 24, 200] as const;

/** A run at a rate. */
const pacedAt = (lrPeak: number, steps: number) => {
  const warmup = Math.min(20, steps);
  return {
    steps,
    schedule: scheduleOf({ kind: "cosine", lrPeak, lrMin: lrPeak / 10, warmup, steps }),
  };
};

/** How a student as wide as `model` is distilled, as the options say. */
export const teaching = (
  options: RunOptions,
  { context, heldOut, widths, judge }: Lesson,
  { model, signal }: { readonly model: Model; readonly signal?: AbortSignal | undefined },
) => {
  const { distill: d, train: t, seed } = options;
  const usual = Number(((RATE * WIDTH) / channelsOf(model)).toPrecision(2));
  const lrPeak = d.lrPeak > 0 ? d.lrPeak : usual;
  const evalEvery = Math.max(1, Math.floor(d.steps / 3));
  const isTried = d.lrPeak === 0 && d.steps >= LONG && taskOf(model).name === "embedding";
  const rates = SHARES.map((share) => ({
    tried: { ...pacedAt(share * lrPeak, TRIED), evalEvery: TRIED },
    whole: { ...pacedAt(share * lrPeak, d.steps), evalEvery },
  }));
  return {
    ...pacedAt(lrPeak, d.steps),
    batch: t.batch,
    context,
    optimizer: optimizers.adamw({ weightDecay: t.weightDecay }),
    seed,
    clipNorm: 1,
    evalEvery,
    ...(isTried ? { rates } : {}),
    alpha: d.alpha,
    temperature: d.temperature,
    validation: heldOut.windows,
    ...defined({ widths, judge }),
    ...(signal === undefined ? {} : { signal }),
  };
};

/** Held-out tokens that candidates are scored on, at least and at most. */
const [LEAST, MOST] = [4096, 32_768];
/** Tokens times numbers of a model that are scored in about ten seconds of one core. */
const WORK = 4e11;

/** Held-out tokens: as many as are read soon, since each candidate reads them all. */
const heldOutTokens = ({ weights }: Model): number =>
  Math.round(Math.min(MOST, Math.max(LEAST, WORK / countParams(weights))));

/** What the student learns from, and all are measured on. */
export const lessonOf = (model: Model, { material, tokenizer }: UserData, options: RunOptions) => {
  const { train: t, model: shape, seed } = options;
  return taskOf(model).lesson(material, {
    ...{ model, tokenizer, batch: t.batch, context: shape.n_positions, seed: seed + 1 },
    ...{ heldOutTokens: heldOutTokens(model), wholeWords: t.wholeWords, records: recordOptions(options) },
  });
};
