/**
 * Beam search with the rules of transformers' generate (its defaults are what checkpoints were tuned with):
 * finished texts are scored by log-probability / length^lengthPenalty and compared with what running ones may
 * still reach. https://github.com/huggingface/transformers/blob/main/src/transformers/generation/utils.py
 */
import { ConfigError } from "../util/errors.ts";
import { top } from "./top.ts";

/** Rows of a batch that decode together, each with its own cache. */
export interface Rows {
  /** Appends one id to each row and gives the logits of the next, [rows, V]. */
  step(ids: ArrayLike<number>): Promise<Float32Array>;
  /** Row i goes on from what row from[i] has seen. */
  reorder(from: readonly number[]): void;
}

export interface BeamOptions {
  /** Texts that run side by side for each source. */
  readonly beams: number;
  /** Sources in the batch; source s has the rows s * beams to (s + 1) * beams. */
  readonly sources?: number;
  /** The decoder's first id. */
  readonly start: number;
  /** What stands before it (a prompt): its n-grams are not repeated either. */
  readonly context?: readonly number[];
  readonly eos: readonly number[];
  /** Most tokens of a text, its end included. */
  readonly maxTokens: number;
  /** Fewest tokens before the end. */
  readonly minTokens?: number;
  /** Above 0 longer texts win, below 0 shorter ones. */
  readonly lengthPenalty?: number;
  /**
   * true: stop when as many texts as beams are finished; false: when a running one can hardly be better;
   * "never": when it cannot.
   */
  readonly earlyStopping?: boolean | "never";
  /** Sequences of this many tokens appear once at most; 0 allows all. */
  readonly noRepeatNgram?: number;
  /** Ids that are never taken. */
  readonly badIds?: readonly number[];
  /** The id at the very last place, where it is reached. */
  readonly forcedEos?: number;
  readonly signal?: AbortSignal;
}

export interface BeamText {
  /** Ids after the start, the end's included. */
  readonly ids: readonly number[];
  /** Log-probability / length^lengthPenalty. */
  readonly score: number;
}

interface Source {
  running: BeamText[];
  finished: BeamText[];
  /** Whether a running text may still be better than a finished one. */
  open: boolean;
}

/** As good as impossible; finite, so that sums of it stay ordered. */
const NEVER = -1e9;

/** Ids that would repeat an n-gram of `ids`. */
const repeats = (ids: readonly number[], n: number): number[] => {
  const banned: number[] = [];
  const tail = ids.slice(ids.length - n + 1);
  for (let i = 0; i + n <= ids.length; i++) {
    if (tail.every((id, j) => ids[i + j] === id)) banned.push(ids[i + n - 1]!);
  }
  return banned;
};

/** Log-probabilities of one row with what the options forbid taken out. */
const logProbs = (logits: Float32Array, ids: readonly number[], options: BeamOptions): Float64Array => {
  const { minTokens = 0, noRepeatNgram = 0, badIds = [], forcedEos, maxTokens, eos } = options;
  let most = Number.NEGATIVE_INFINITY;
  for (let v = 0; v < logits.length; v++) if (logits[v]! > most) most = logits[v]!;
  let sum = 0;
  for (let v = 0; v < logits.length; v++) sum += Math.exp(logits[v]! - most);
  const shift = most + Math.log(sum);
  const out = new Float64Array(logits.length);
  for (let v = 0; v < logits.length; v++) out[v] = logits[v]! - shift;
  for (const id of badIds) out[id] = Number.NEGATIVE_INFINITY;
  if (noRepeatNgram > 0) {
    const text = [...(options.context ?? []), options.start, ...ids];
    for (const id of repeats(text, noRepeatNgram)) out[id] = Number.NEGATIVE_INFINITY;
  }
  if (ids.length < minTokens) for (const id of eos) out[id] = Number.NEGATIVE_INFINITY;
  if (forcedEos !== undefined && ids.length + 1 === maxTokens) {
    out.fill(Number.NEGATIVE_INFINITY);
    out[forcedEos] = 0;
  }
  return out;
};

interface Candidate extends BeamText {
  readonly from: number;
  readonly ended: boolean;
}

/** The best continuations of a source's running texts: so many that as many as beams go on. */
const continuations = (source: Source, rows: readonly Float32Array[], options: BeamOptions): Candidate[] => {
  const { beams, eos, maxTokens } = options;
  const keep = beams * Math.max(2, 1 + eos.length);
  const all = source.running.flatMap(({ ids, score }, from) => {
    const scores = logProbs(rows[from]!, ids, options);
    return Array.from(top(scores, keep), (id) => {
      const ended = eos.includes(id) || ids.length + 1 >= maxTokens;
      return { ids: [...ids, id], score: score + scores[id]!, from, ended };
    });
  });
  // A stable sort: of equals the one from the better text is first.
  return all.sort((a, b) => b.score - a.score).slice(0, keep);
};

const closed = ({ finished }: Source, { beams, earlyStopping = false }: BeamOptions): boolean =>
  earlyStopping === true && finished.length === beams;

const mayImprove = (source: Source, length: number, options: BeamOptions): boolean => {
  const { beams, lengthPenalty = 1, earlyStopping = false, maxTokens } = options;
  if (source.finished.length < beams) return true;
  const reach = earlyStopping === "never" && lengthPenalty > 0 ? maxTokens : length;
  return source.running[0]!.score / reach ** lengthPenalty > source.finished.at(-1)!.score;
};

/** Takes one step of a source; returns where each running text came from, and whether all have ended. */
const advance = (source: Source, candidates: readonly Candidate[], options: BeamOptions) => {
  const { beams, lengthPenalty = 1 } = options;
  const length = candidates[0]!.ids.length;
  if (source.open && !closed(source, options)) {
    const ended = candidates
      .slice(0, beams)
      .filter((c) => c.ended && c.score > NEVER)
      .map(({ ids, score }) => ({ ids, score: score / length ** lengthPenalty }));
    source.finished = [...source.finished, ...ended].sort((a, b) => b.score - a.score).slice(0, beams);
  }
  const order = [...candidates.filter((c) => !c.ended), ...candidates.filter((c) => c.ended)];
  const next = order.slice(0, beams);
  source.running = next.map(({ ids, score, ended }) => ({ ids, score: ended ? score + NEVER : score }));
  source.open = source.open && mayImprove(source, length, options);
  return { from: next.map((c) => c.from), stuck: candidates.every((c) => c.ended) };
};

const check = ({ beams, maxTokens }: BeamOptions): void => {
  if (!Number.isInteger(beams) || beams < 1) {
    throw new ConfigError(`must be a whole number of at least 1, not ${beams}`, { field: "beams" });
  }
  if (!(maxTokens >= 1)) throw new ConfigError("must be at least 1", { field: "maxTokens" });
};

/** The best texts of each source, best first. */
export const beamSearch = async (rows: Rows, options: BeamOptions): Promise<readonly BeamText[][]> => {
  check(options);
  const { beams, sources: count = 1, start, signal } = options;
  const sources = Array.from({ length: count }, (): Source => {
    const running = Array.from({ length: beams }, (_, i) => ({ ids: [], score: i === 0 ? 0 : NEVER }));
    return { running, finished: [], open: true };
  });
  for (let going = true; going && !signal?.aborted; ) {
    const ids = sources.flatMap(({ running }) => running.map((text) => text.ids.at(-1) ?? start));
    const logits = await rows.step(ids);
    const vocab = logits.length / ids.length;
    const steps = sources.map((source, s) => {
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
