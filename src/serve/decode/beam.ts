/**
 * Beam search with the rules of transformers' generate (its defaults are what checkpoints were tuned with):
 * finished texts are scored by log-probability / length^lengthPenalty and compared with what running ones may
 * still reach. https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py
 */
import type { LogitsSettings } from "../../models/generation.ts";
import { ConfigError } from "../../util/errors.ts";
import { type Rng, rng } from "../../util/rng.ts";
import { logitsChain, unchanged } from "../logits/index.ts";
import { type Change, logSumExp } from "../logits/processor.ts";
import { top } from "./top.ts";

/** Rows of a batch that decode together, each with its own cache. */
export interface Rows {
  /** Appends one id to each row and gives the logits of the next, [rows, V]. */
  step(ids: ArrayLike<number>): Promise<Float32Array>;
  /** Row i goes on from what row from[i] has seen. */
  reorder(from: readonly number[]): void;
}

/** How wide and how long beams search, and how finished texts are scored. */
export interface BeamOptions extends LogitsSettings {
  /** Texts that run side by side for each source. */
  readonly beams: number;
  /** Sources in the batch; source s has the rows s * beams to (s + 1) * beams. */
  readonly sources?: number;
  /** What each source says; what stands before the new tokens unless told. */
  readonly sourceIds?: readonly ArrayLike<number>[];
  /** The decoder's first id. */
  readonly start: number;
  /** What stands before it (a prompt): its n-grams are not repeated either. */
  readonly context?: readonly number[];
  readonly eos: readonly number[];
  /** Most tokens of a text, its end included. */
  readonly maxTokens: number;
  /** Above 0 the next tokens are drawn, which is not so unless told. */
  readonly temperature?: number;
  readonly seed?: number;
  /** Above 0 longer texts win, below 0 shorter ones. */
  readonly lengthPenalty?: number;
  /**
   * true: stop when as many texts as beams are finished; false: when a running one can hardly be better;
   * "never": when it cannot.
   */
  readonly earlyStopping?: boolean | "never";
  readonly signal?: AbortSignal;
}

/** A finished text and its score. */
export interface BeamText {
  /** Ids after the start, the end's included. */
  readonly ids: readonly number[];
  /** Log-probability / length^lengthPenalty. */
  readonly score: number;
}

interface Source {
  /** What the settings make of a row's scores. */
  readonly change: Change;
  /** What draws, where tokens are drawn. */
  readonly random: Rng | undefined;
  running: BeamText[];
  finished: BeamText[];
  /** Whether a running text may still be better than a finished one. */
  open: boolean;
}

/** As good as impossible; finite, so that sums of it stay ordered. */
const NEVER = -1e9;

/** Log-probabilities of one row as the settings change them. */
const logProbs = (logits: Float32Array, before: readonly number[], change: Change): Float64Array => {
  const out = Float64Array.from(logits);
  const shift = logSumExp(out);
  for (let v = 0; v < out.length; v++) out[v]! -= shift;
  change(out, before);
  return out;
};

/** The ids of the most probable next tokens, or of some that are drawn by their probabilities, once each. */
const likely = (scores: Float64Array, count: number, random: Rng | undefined): Uint32Array => {
  if (random === undefined) return top(scores, count);
  // The largest of scores with Gumbel noise are draws without replacement (https://arxiv.org/abs/1903.06059).
  const noisy = scores.map((score) => score - Math.log(-Math.log(random.uniform() || Number.MIN_VALUE)));
  return top(noisy, count);
};

interface Candidate extends BeamText {
  readonly from: number;
  readonly ended: boolean;
}

/** A continuation by its beam and its next id. */
type Next = readonly [from: number, id: number, score: number];

/** The likeliest `keep` of each row alone, where settings change nothing: no other can be among the best. */
const bestOfRows = ({ running }: Source, rows: readonly Float32Array[], keep: number): Next[] =>
  running
    .flatMap(({ score }, from) => {
      const logits = rows[from]!;
      const shift = logSumExp(logits);
      return Array.from(top(logits, keep), (id): Next => [from, id, score + (logits[id]! - shift)]);
    })
    .sort((a, b) => b[2] - a[2] || a[0] - b[0] || a[1] - b[1])
    .slice(0, keep);

/** The same of all scores, as the settings change them, or drawn. */
const bestOfAll = (
  source: Source,
  rows: readonly Float32Array[],
  keep: number,
  options: BeamOptions,
): Next[] => {
  const { start, context = [] } = options;
  const vocab = rows[0]!.length;
  const scores = new Float64Array(source.running.length * vocab);
  for (const [from, { ids, score }] of source.running.entries()) {
    const own = logProbs(rows[from]!, [...context, start, ...ids], source.change);
    for (let v = 0; v < vocab; v++) scores[from * vocab + v] = score + own[v]!;
  }
  return Array.from(likely(scores, keep, source.random), (at): Next => {
    return [Math.floor(at / vocab), at % vocab, scores[at]!];
  });
};

/** The best continuations of a source's running texts: so many that as many as beams go on. */
const continuations = (source: Source, rows: readonly Float32Array[], options: BeamOptions): Candidate[] => {
  const { beams, eos, maxTokens } = options;
  const keep = beams * Math.max(2, 1 + eos.length);
  const plain = source.random === undefined && source.change === unchanged;
  const best = plain ? bestOfRows(source, rows, keep) : bestOfAll(source, rows, keep, options);
  const taken = best.map(([from, id, score]): Candidate => {
    const { ids } = source.running[from]!;
    const ended = eos.includes(id) || ids.length + 1 >= maxTokens;
    return { ids: [...ids, id], score, from, ended };
  });
  // A stable sort: of equals the one from the better text is first.
  return taken.sort((a, b) => b.score - a.score || 0);
};

const closed = ({ finished }: Source, { beams, earlyStopping = false }: BeamOptions): boolean =>
  earlyStopping === true && finished.length === beams;

const mayImprove = (source: Source, length: number, options: BeamOptions): boolean => {
  const { beams, lengthPenalty = 1, earlyStopping = false, maxTokens } = options;
  const worst = source.finished.length < beams ? NEVER : source.finished.at(-1)!.score;
  const reach = earlyStopping === "never" && lengthPenalty > 0 ? maxTokens : length;
  return source.running[0]!.score / reach ** lengthPenalty > worst;
};

/** Takes a step of an open source; returns where each running text came from, and whether all have ended. */
const advance = (source: Source, candidates: readonly Candidate[], options: BeamOptions) => {
  const { beams, lengthPenalty = 1 } = options;
  const length = candidates[0]!.ids.length;
  const ended = candidates
    .slice(0, beams)
    .filter((c) => c.ended && c.score > NEVER)
    .map(({ ids, score }) => ({ ids, score: score / length ** lengthPenalty }));
  source.finished = [...source.finished, ...ended].sort((a, b) => b.score - a.score).slice(0, beams);
  const order = [...candidates.filter((c) => !c.ended), ...candidates.filter((c) => c.ended)];
  const next = order.slice(0, beams);
  source.running = next.map(({ ids, score, ended }) => ({ ids, score: ended ? score + NEVER : score }));
  source.open = mayImprove(source, length, options);
  return { from: next.map((c) => c.from), stuck: candidates.every((c) => c.ended) };
};

const check = ({ beams, maxTokens }: BeamOptions): void => {
  if (!Number.isInteger(beams) || beams < 1) {
    throw new ConfigError(`must be a whole number of at least 1, not ${beams}`, { field: "beams" });
  }
  if (!(maxTokens >= 1)) throw new ConfigError("must be at least 1", { field: "maxTokens" });
};

/** Sources before the first step, each with its own chain and draws. */
const opened = (options: BeamOptions): Source[] => {
  const { beams, sources = 1, sourceIds = [], start, context = [], eos, maxTokens } = options;
  const { temperature = 0, seed = 1 } = options;
  const promptTokens = context.length + 1;
  return Array.from({ length: sources }, (_, s): Source => {
    const change = logitsChain(
      options,
      {
        ...{ promptTokens, maxLength: promptTokens + maxTokens, eos },
        source: sourceIds[s] ?? [...context, start],
        leastKept: Math.max(2, 1 + eos.length),
      },
      temperature > 0,
    );
    const random = temperature > 0 ? rng(seed + s, "sample") : undefined;
    const running = Array.from({ length: beams }, (_, i) => ({ ids: [], score: i === 0 ? 0 : NEVER }));
    return { change, random, running, finished: [], open: true };
  });
};

/** The best texts of each source, best first. */
export const beamSearch = async (rows: Rows, options: BeamOptions): Promise<readonly BeamText[][]> => {
  check(options);
  const { beams, start, signal } = options;
  const sources = opened(options);
  for (let going = true; going && !signal?.aborted; ) {
    const ids = sources.flatMap(({ running }) => running.map((text) => text.ids.at(-1) ?? start));
    const logits = await rows.step(ids);
    const vocab = logits.length / ids.length;
    const steps = sources.map((source, s) => {
      if (!source.open || closed(source, options))
        return { from: source.running.map((_, i) => i), stuck: true };
      const own = source.running.map((_, i) =>
        logits.subarray((s * beams + i) * vocab, (s * beams + i + 1) * vocab),
      );
      return advance(source, continuations(source, own, options), options);
    });
    rows.reorder(steps.flatMap(({ from }, s) => from.map((i) => s * beams + i)));
    going =
      sources.some(({ open }) => open) &&
      !sources.every((source) => closed(source, options)) &&
      !steps.every(({ stuck }) => stuck);
  }
  return sources.map(({ finished, running }) => (finished.length > 0 ? finished : running));
};
