/** How a model is meant to generate: settings that change its scores, lengths, beams and special ids. */

/** What changes the scores of the next token; absent means: nothing. Names follow transformers' fields. */
export interface LogitsSettings {
  /** Sequences of ids, and what is added to the score of the last where the others stand before it. */
  readonly sequenceBias?: readonly (readonly [ids: readonly number[], bias: number])[];
  /** Above 1: more of what the source says. */
  readonly encoderRepetitionPenalty?: number;
  /**
   * Logits of tokens that were there already are divided by this where positive and multiplied where negative
   * (Keskar et al. 2019, https://arxiv.org/abs/1909.05858); 1 changes nothing.
   */
  readonly repetitionPenalty?: number;
  /** Sequences of this many tokens appear once at most; 0 allows all. */
  readonly noRepeatNgram?: number;
  /** No sequence of this many tokens is taken from the source. */
  readonly encoderNoRepeatNgram?: number;
  /** Ids, and sequences of them, that are never generated. */
  readonly badIds?: readonly (readonly number[])[];
  /** Fewest tokens before the end, those of the prompt among them. */
  readonly minLength?: number;
  /** Fewest new tokens before the end. */
  readonly minTokens?: number;
  /** The id behind a start of one id. */
  readonly forcedBos?: number;
  /** Ids of which the very last place has one, where it is reached. */
  readonly forcedEos?: readonly number[];
  /** NaN becomes 0 and what is infinite the largest float. */
  readonly removeInvalid?: boolean;
  /** Behind so many new tokens the end's score grows by this factor a token. */
  readonly decayLength?: readonly [start: number, factor: number];
  /** Ids that are never taken. */
  readonly suppress?: readonly number[];
  /** Ids that are not taken first. */
  readonly beginSuppress?: readonly number[];
  /** 0 is greedy; 1 leaves the distribution as it is. What follows counts where this is above 0. */
  readonly temperature?: number;
  /** Share of the entropy that the kept tokens have (https://arxiv.org/abs/2509.02510). */
  readonly topH?: number;
  /** Only the k likeliest tokens; 0 means all. */
  readonly topK?: number;
  /**
   * Only the likeliest tokens that together reach this probability (Holtzman et al. 2019,
   * https://arxiv.org/abs/1904.09751).
   */
  readonly topP?: number;
  /**
   * Only tokens at least this share as likely as the likeliest (Nguyen et al. 2024,
   * https://arxiv.org/abs/2407.01082).
   */
  readonly minP?: number;
  /** Only the most typical tokens, up to this probability (https://arxiv.org/abs/2202.00666). */
  readonly typicalP?: number;
  /** Only tokens of at least this probability (https://arxiv.org/abs/2210.15191). */
  readonly epsilonCutoff?: number;
  /** As `epsilonCutoff`, less where the distribution is flat. */
  readonly etaCutoff?: number;
  /** Scores are made log-probabilities again at the end. */
  readonly renormalize?: boolean;
}

/** How a model is meant to generate. */
export interface Generation extends LogitsSettings {
  /** Ids that end a text. */
  readonly stopIds: readonly number[];
  /** The file says in so many words that nothing ends a text. */
  readonly endless?: boolean;
  /** Texts that end a text. */
  readonly stopTexts?: readonly string[];
  readonly bosId?: number;
  readonly padId?: number;
  /** Sequence-to-sequence: the decoder's first id. */
  readonly startId?: number;
  readonly badIds: readonly (readonly number[])[];
  /** Most new tokens. */
  readonly maxTokens?: number;
  /** Most tokens with the prompt. */
  readonly maxLength?: number;
  /** Most seconds. */
  readonly maxTime?: number;
  /** 0 unless the file asks for sampling. */
  readonly temperature: number;
  readonly beams?: number;
  readonly lengthPenalty?: number;
  readonly earlyStopping?: boolean | "never";
  /** What the file asks for and does not get, with the reason: a line each. */
  readonly notes?: readonly string[];
}
