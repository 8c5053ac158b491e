/** The processors in transformers' order, and the chain that settings make of them. */
import type { LogitsSettings } from "../../models/generation.ts";
import { forcedBos, forcedEos } from "./forced.ts";
import { decayLength, minLength } from "./length.ts";
import { epsilonCutoff, etaCutoff, minP, topH, topK, topP } from "./likeliest.ts";
import { encoderNoRepeatNgram, noRepeatNgram } from "./ngrams.ts";
import type { Change, LogitsProcessor, TextStart } from "./processor.ts";
import { encoderRepetitionPenalty, repetitionPenalty } from "./repetition.ts";
import { badIds, sequenceBias } from "./sequences.ts";
import { beginSuppress, suppress } from "./suppress.ts";
import { temperature } from "./temperature.ts";
import { typicalP } from "./typical.ts";
import { removeInvalid, renormalize } from "./values.ts";

/** Hold in every kind of decoding. */
const always: readonly LogitsProcessor[] = [
  sequenceBias,
  encoderRepetitionPenalty,
  repetitionPenalty,
  noRepeatNgram,
  encoderNoRepeatNgram,
  badIds,
  minLength,
  forcedBos,
  forcedEos,
  removeInvalid,
  decayLength,
  suppress,
  beginSuppress,
];

/** Hold where tokens are drawn. */
const sampled: readonly LogitsProcessor[] = [
  temperature,
  topH,
  topK,
  topP,
  minP,
  typicalP,
  epsilonCutoff,
  etaCutoff,
];

/** What nothing is asked for. */
export const unchanged: Change = () => {};

/** The changes that settings ask for, one after the other; those of sampling where `draws`. */
export const logitsChain = (settings: LogitsSettings, start: TextStart, draws: boolean): Change => {
  const processors = [...always, ...(draws ? sampled : []), renormalize];
  const changes = processors.flatMap((processor) => processor.change(settings, start) ?? []);
  if (changes.length === 0) return unchanged;
  return (scores, ids) => {
    for (const change of changes) change(scores, ids);
  };
};

/** The changes of sampling alone. */
export const samplingChain = (settings: LogitsSettings): Change => {
  const start = { promptTokens: 0, maxLength: 0, eos: [], source: [], leastKept: 1 };
  const changes = sampled.flatMap((processor) => processor.change(settings, start) ?? []);
  return (scores, ids) => {
    for (const change of changes) change(scores, ids);
  };
};
