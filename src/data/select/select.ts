/**
 * Selection of the documents of a pool that are like a target: importance resampling over hashed n-grams, in
 * the manner of DSIR (Xie et al. 2023, https://arxiv.org/abs/2302.03169). Two differences. The target's
 * distribution is smoothed towards the pool's, not by a constant, so that n-grams which a small target
 * sample happens to lack cost little. The Gumbel noise of a document depends on (seed, id) alone, so that
 * neither order nor shards change what is chosen.
 */
import { ConfigError, DataError } from "../../util/errors.ts";
import { rng } from "../../util/rng.ts";
import { byteCount, type Document, type StageRecorder } from "../records/document.ts";
import { countText, eachNgram, type FeatureCounts, featureCounts } from "./features.ts";

/** How much likelier each bucket is in the target than in the pool. */
export interface SelectionFit {
  readonly target: FeatureCounts;
  readonly pool: FeatureCounts;
  /** `[buckets]`: log of target share / pool share. */
  readonly logRatio: Float64Array;
}

/** How the target's distribution is smoothed. */
export interface FitOptions {
  /**
   * Occurrences of the pool's distribution that are added to the target's (as many as `buckets`). The less of
   * the target is given, the more they count, so that long documents are not judged by what it lacks.
   */
  readonly smoothing?: number;
}

/** Occurrences that each of the pool's buckets has at least: pools are sometimes counted on a sample. */
const FLOOR = 0.5;

/**
 * Fits the importance weights from texts of the target and the pool's counts: the same buckets and n-grams.
 * Throws DataError where either has no words.
 */
export const fitSelection = (
  targetTexts: Iterable<string>,
  pool: FeatureCounts,
  { smoothing = pool.counts.length }: FitOptions = {},
): SelectionFit => {
  if (!(smoothing > 0)) throw new ConfigError(`must be above 0, not ${smoothing}`, { field: "smoothing" });
  const buckets = pool.counts.length;
  const target = featureCounts({ buckets, ngrams: pool.ngrams });
  for (const text of targetTexts) countText(target, text);
  if (target.total === 0) {
    throw new DataError("the target has no words", { hint: "give text that the data should be like" });
  }
  if (pool.total === 0) throw new DataError("the pool has no words");
  const whole = pool.total + FLOOR * buckets;
  const logRatio = pool.counts.map((count, i) => {
    const share = (count + FLOOR) / whole;
    return Math.log((target.counts[i]! + smoothing * share) / (target.total + smoothing)) - Math.log(share);
  });
  return { target, pool, logRatio };
};

/** How a document's weight depends on its length. */
export interface WeighOptions {
  /**
   * "sum" is the importance weight of the document as a whole, as in the paper: the long are surer of their
   * place or of none. "mean" is the weight that it would have at the pool's mean length.
   */
  readonly length?: "sum" | "mean";
  /** Documents of fewer words are never chosen; the paper's own filter asks for 40 (0). */
  readonly minWords?: number;
  /** Documents of more words are never chosen; the paper's own filter allows 500 (no limit). */
  readonly maxWords?: number;
}

/** Log importance weight of a text; -Infinity where it has too few or too many words. */
export const weigh = (
  { logRatio, pool }: SelectionFit,
  text: string,
  { length = "sum", minWords = 0, maxWords = Number.POSITIVE_INFINITY }: WeighOptions = {},
): number => {
  let sum = 0;
  let count = 0;
  const words = eachNgram(text, pool.ngrams, (hash) => {
    sum += logRatio[hash % logRatio.length]!;
    count++;
  });
  if (words === 0 || words < minWords || words > maxWords) return Number.NEGATIVE_INFINITY;
  return length === "sum" ? sum : (sum / count) * (pool.total / pool.documents);
};

/** Standard Gumbel noise of a document: the greatest of log weight + noise are a draw without replacement. */
export const gumbel = (seed: number, id: string): number => {
  const random = rng(seed, `select/${id}`);
  const u = (random.word() + (random.word() + 0.5) / 2 ** 32) / 2 ** 32;
  return -Math.log(-Math.log(u));
};

/** What is to be chosen, in one unit. */
export interface Budget {
  readonly unit: "documents" | "bytes" | "tokens";
  readonly amount: number;
}

const checkBudget = ({ unit, amount }: Budget): void => {
  if (!(amount > 0)) throw new ConfigError(`must be above 0 ${unit}, not ${amount}`, { field: "budget" });
};

/** Keys and sizes of the documents of one part of the pool, in its order. */
export interface Ranking {
  readonly keys: Float64Array;
  readonly sizes: Float64Array;
}

/** Collects keys and sizes in typed arrays that grow: 16 bytes a document. */
export const ranking = () => {
  let keys = new Float64Array(1024);
  let sizes = new Float64Array(1024);
  let count = 0;
  const grown = (old: Float64Array) => {
    const next = new Float64Array(old.length * 2);
    next.set(old);
    return next;
  };
  return {
    add(key: number, size: number): void {
      if (count === keys.length) [keys, sizes] = [grown(keys), grown(sizes)];
      keys[count] = key;
      sizes[count++] = size;
    },
    take: (): Ranking => ({ keys: keys.slice(0, count), sizes: sizes.slice(0, count) }),
  };
};

/**
 * Marks the documents with the greatest keys that together stay within `amount`: one mark a document, for
 * each part. Documents that alone are over it, and keys of -Infinity, are passed over.
 */
export const chooseTop = (parts: readonly Ranking[], amount: number): Uint8Array[] => {
  const marks = parts.map(({ keys }) => new Uint8Array(keys.length));
  const count = marks.reduce((n, { length }) => n + length, 0);
  const keys = new Float64Array(count);
  const sizes = new Float64Array(count);
  const flat = new Uint8Array(count);
  let offset = 0;
  for (const part of parts) {
    keys.set(part.keys, offset);
    sizes.set(part.sizes, offset);
    offset += part.keys.length;
  }
  const order = Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) =>
    keys[a]! === keys[b]! ? a - b : keys[b]! > keys[a]! ? 1 : -1,
  );
  let left = amount;
  for (const i of order) {
    if (keys[i] === Number.NEGATIVE_INFINITY || left <= 0) break;
    if (sizes[i]! > amount) continue;
    if (sizes[i]! > left) break;
    left -= sizes[i]!;
    flat[i] = 1;
  }
  offset = 0;
  for (const mark of marks) {
    mark.set(flat.subarray(offset, offset + mark.length));
    offset += mark.length;
  }
  return marks;
};

/**
 * KL divergence of the target's distribution from another's, nats per n-gram; the other has half an
 * occurrence more in each bucket, so that it is finite.
 */
export const divergence = (target: FeatureCounts, other: FeatureCounts): number => {
  const buckets = target.counts.length;
  const whole = other.total + buckets / 2;
  let sum = 0;
  for (let i = 0; i < buckets; i++) {
    const p = target.counts[i]! / target.total;
    if (p > 0) sum += p * Math.log((p * whole) / (other.counts[i]! + 0.5));
  }
  return sum;
};

/** What was selected, and how much nearer it is to the target. */
export interface SelectionReport {
  readonly budget: Budget;
  readonly seed: number;
  readonly targetDocuments: number;
  readonly poolDocuments: number;
  readonly selectedDocuments: number;
  /** KL of the target from the pool, from the selection, and by how much it fell: nats per n-gram. */
  readonly klPool: number;
  readonly klSelected: number;
  readonly klReduction: number;
}

/** The report, from the counts of what was chosen. */
export const selectionReport = (
  { target, pool }: SelectionFit,
  selected: FeatureCounts,
  { budget, seed }: { readonly budget: Budget; readonly seed: number },
): SelectionReport => {
  const klPool = divergence(target, pool);
  const klSelected = divergence(target, selected);
  return {
    budget,
    seed,
    targetDocuments: target.documents,
    poolDocuments: pool.documents,
    selectedDocuments: selected.documents,
    klPool,
    klSelected,
    klReduction: klPool - klSelected,
  };
};

/** The target, the budget, and how documents are weighed. */
export interface SelectOptions extends FitOptions, WeighOptions {
  /** Texts that the selection is to be like. */
  readonly target: Iterable<string>;
  readonly budget: Budget;
  readonly seed?: number;
  readonly buckets?: number;
  readonly ngrams?: number;
  /** Tokens of a text, for a budget in tokens. */
  readonly tokens?: (text: string) => number;
  readonly onReport?: (report: SelectionReport) => void;
}

/** The pool, which is read several times. */
export type Reopen = () => AsyncIterable<Document> | Iterable<Document>;

const sizeOf = ({ budget, tokens }: SelectOptions): ((text: string) => number) => {
  if (budget.unit === "documents") return () => 1;
  if (budget.unit === "bytes") return byteCount;
  if (tokens === undefined) {
    throw new ConfigError("a budget in tokens needs a tokenizer", { field: "budget" });
  }
  return tokens;
};

/**
 * Selects from a pool in three passes over it: counts, weights, and output in the pool's own order. Memory is
 * 17 bytes a document besides the buckets. Throws ConfigError and DataError.
 */
export async function* select(
  open: Reopen,
  record: StageRecorder,
  options: SelectOptions,
): AsyncGenerator<Document> {
  const { seed = 1, budget } = options;
  checkBudget(budget);
  const size = sizeOf(options);
  const pool = featureCounts(options);
  for await (const { text } of open()) countText(pool, text);
  const fit = fitSelection(options.target, pool, options);
  const ranks = ranking();
  for await (const { id, text } of open()) {
    ranks.add(weigh(fit, text, options) + gumbel(seed, id), size(text));
  }
  const ranked = ranks.take();
  const marks = chooseTop([ranked], budget.amount)[0]!;
  const selected = featureCounts(options);
  let at = 0;
  for await (const doc of open()) {
    record.in(doc);
    const i = at++;
    if (marks[i] === 1) {
      countText(selected, doc.text);
      record.out(doc);
      yield doc;
    } else if (ranked.keys[i] === Number.NEGATIVE_INFINITY) record.drop("no words, or too few or many", doc);
    else record.drop("less like the target", doc);
  }
  if (at !== marks.length) throw new DataError(`the pool had ${marks.length} documents, and then ${at}`);
  options.onReport?.(selectionReport(fit, selected, { budget, seed }));
}
