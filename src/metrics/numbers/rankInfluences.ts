/**
 * The influence of each pair on Spearman's rank correlation, which is no mean: its kernel's projection (Croux
 * and Dehon 2010, https://doi.org/10.1007/s10260-010-0142-z), the spread of the ranks taken as it is where
 * numbers are equal.
 */

/** Mid-ranks as shares of the numbers, from 0 to 1. O(n log n). */
const shares = (values: readonly number[]): number[] => {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Array<number>(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && values[order[end]!] === values[order[start]!]) end++;
    for (let i = start; i < end; i++) ranks[order[i]!] = (start + end) / 2 / values.length;
    start = end;
  }
  return ranks;
};

const meanOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Of each number the mean of `weights` of those above it, of equal ones half. O(n log n). */
const above = (values: readonly number[], weights: readonly number[]): number[] => {
  const order = values.map((_, i) => i).sort((a, b) => values[b]! - values[a]!);
  const sums = new Array<number>(values.length);
  let before = 0;
  for (let start = 0; start < order.length; ) {
    let [end, own] = [start, 0];
    for (; end < order.length && values[order[end]!] === values[order[start]!]; end++)
      own += weights[order[end]!]!;
    for (let i = start; i < end; i++) sums[order[i]!] = (before + own / 2) / values.length;
    before += own;
    start = end;
  }
  return sums;
};

/** A number for each pair whose mean is Spearman's correlation of both lists; 0 where one has no spread. */
export const rankInfluences = (a: readonly number[], b: readonly number[]): number[] => {
  const [f, g] = [shares(a), shares(b)];
  const [meanF, meanG] = [meanOf(f), meanOf(g)];
  const spread = Math.sqrt(meanOf(f.map((x) => (x - meanF) ** 2)) * meanOf(g.map((x) => (x - meanG) ** 2)));
  if (!(spread > 0)) return a.map(() => 0);
  const rho = meanOf(f.map((x, i) => (x - meanF) * (g[i]! - meanG))) / spread;
  const [aboveA, aboveB] = [above(a, g), above(b, f)];
  const raw = f.map((x, i) => (x * g[i]! + aboveA[i]! + aboveB[i]!) / spread);
  const middle = meanOf(raw);
  return raw.map((x) => rho + x - middle);
};
