/** Choosing the next token from logits. */
import type { LogitsSettings } from "../../models/generation.ts";
import { ConfigError } from "../../util/errors.ts";
import type { Rng } from "../../util/rng.ts";
import { samplingChain } from "../logits/index.ts";
import { NONE, type Scores } from "../logits/processor.ts";

export { penalize } from "../logits/repetition.ts";

/** What changes the scores before a token is drawn. */
export type SampleOptions = LogitsSettings;

/** The index of the largest logit; the first of equals. */
export const argmax = (logits: Scores): number => {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
};

/** Draws an id with the probabilities that scores [V] stand for; of greedy choice, the likeliest one. */
export const choose = (scores: Scores, random: Rng | undefined): number => {
  const best = argmax(scores);
  const most = scores[best]!;
  if (most === NONE) {
    throw new ConfigError("the settings of generation leave no token to take", {
      hint: "forced tokens must not be suppressed or banned: change generation_config.json",
    });
  }
  if (random === undefined || most === Number.POSITIVE_INFINITY) return best;
  const weights = new Float64Array(scores.length);
  let mass = 0;
  for (let id = 0; id < scores.length; id++) {
    weights[id] = Math.exp(scores[id]! - most);
    mass += weights[id]!;
  }
  let last = best;
  let draw = random.uniform() * mass;
  for (let id = 0; id < weights.length; id++) {
    if (!(weights[id]! > 0)) continue;
    last = id;
    draw -= weights[id]!;
    if (draw < 0) return id;
  }
  return last;
};

/** Draws a token id from logits [V] by the settings of sampling. */
export const sample = (logits: Float32Array, options: SampleOptions, random: Rng): number => {
  if ((options.temperature ?? 1) <= 0) return argmax(logits);
  const scores = Float64Array.from(logits);
  samplingChain(options)(scores, []);
  return choose(scores, random);
};
