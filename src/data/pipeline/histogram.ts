/**
 * Lengths counted in log-spaced bins as they stream by, in constant memory: 32 bins an octave, so that a
 * quantile is off by at most 1/64 of its value. Integer arithmetic only: the same counts on every machine.
 */
import { DataError } from "../../util/errors.ts";

/** Values below this have a bin each. */
const EXACT = 64;
const PER_OCTAVE = 32;
/** Up to 2^53. */
const BINS = EXACT + (53 - 6) * PER_OCTAVE;

/** What several shards count apart and add up. `counts` has [bin, count] of each bin that is not empty. */
export interface HistogramState {
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly counts: readonly (readonly [bin: number, count: number])[];
}

/** A histogram to show: bins from `from` up to but not including `to`, two an octave, without gaps. */
export interface LengthHistogram {
  readonly name: string;
  readonly unit: string;
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly quantiles: readonly { readonly q: number; readonly value: number }[];
  readonly bins: readonly { readonly from: number; readonly to: number; readonly count: number }[];
}

/** floor(log2(value)) of an integer from 1 to 2^53. */
const log2 = (value: number): number =>
  value < 2 ** 32 ? 31 - Math.clz32(value) : 63 - Math.clz32(Math.floor(value / 2 ** 32));

const binOf = (value: number): number => {
  if (value < EXACT) return value;
  const octave = log2(value);
  return EXACT + (octave - 6) * PER_OCTAVE + Math.floor(value / 2 ** (octave - 5)) - PER_OCTAVE;
};

const lowest = (bin: number): number => {
  if (bin < EXACT) return bin;
  const octave = 6 + Math.floor((bin - EXACT) / PER_OCTAVE);
  return (PER_OCTAVE + ((bin - EXACT) % PER_OCTAVE)) * 2 ** (octave - 5);
};

/** The next border of the bins that are shown, half an octave further: 0, 1, 2, 3, 4, 6, 8, 11, 16, 23 ... */
const nextBorder = (border: number): number => {
  if (border < 4) return border + 1;
  const power = 2 ** log2(border);
  return border === power ? Math.round((45 / 32) * power) : 2 * power;
};

const QUANTILES = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99] as const;

/** The value below which the share `q` lies, to the middle of its bin, within what was seen. */
const quantile = (counts: Float64Array, state: Omit<HistogramState, "counts">, q: number): number => {
  const rank = Math.max(1, Math.ceil(q * state.count));
  let before = 0;
  for (let bin = 0; bin < BINS; bin++) {
    before += counts[bin]!;
    if (before < rank) continue;
    const last = (bin + 1 < BINS ? lowest(bin + 1) : 2 ** 53) - 1;
    return Math.min(state.max, Math.max(state.min, Math.floor((lowest(bin) + last) / 2)));
  }
  return state.max;
};

const shownBins = (counts: Float64Array, min: number, max: number): LengthHistogram["bins"] => {
  const bins: { from: number; to: number; count: number }[] = [];
  let bin = 0;
  for (let from = 0; from <= max; from = nextBorder(from)) {
    const to = nextBorder(from);
    let count = 0;
    while (bin < BINS && lowest(bin) < to) count += counts[bin++]!;
    if (to > min) bins.push({ from, to, count });
  }
  return bins;
};

/**
 * Counts lengths, which are whole numbers from 0; `add` and `merge` may be mixed, in any order. Throws
 * DataError for what is no length.
 */
export const lengthHistogram = () => {
  const counts = new Float64Array(BINS);
  const total = { count: 0, sum: 0, min: 0, max: 0 };
  const note = (count: number, sum: number, min: number, max: number): void => {
    total.min = total.count === 0 ? min : Math.min(total.min, min);
    total.max = Math.max(total.max, max);
    total.count += count;
    total.sum += sum;
  };
  return {
    add(value: number): void {
      if (!Number.isSafeInteger(value) || value < 0) throw new DataError(`${value} is not a length`);
      counts[binOf(value)]!++;
      note(1, value, value, value);
    },
    merge(other: HistogramState): void {
      if (other.count === 0) return;
      for (const [bin, count] of other.counts) {
        if (!(bin >= 0 && bin < BINS)) throw new DataError(`a histogram has no bin ${bin}`);
        counts[bin]! += count;
      }
      note(other.count, other.sum, other.min, other.max);
    },
    state: (): HistogramState => ({
      ...total,
      counts: Array.from(counts, (count, bin) => [bin, count] as const).filter(([, count]) => count > 0),
    }),
    report: (name: string, unit: string): LengthHistogram => ({
      name,
      unit,
      ...total,
      mean: total.count === 0 ? 0 : total.sum / total.count,
      quantiles: total.count === 0 ? [] : QUANTILES.map((q) => ({ q, value: quantile(counts, total, q) })),
      bins: total.count === 0 ? [] : shownBins(counts, total.min, total.max),
    }),
  };
};
