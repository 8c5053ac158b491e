/** The nearest of known names to a mistyped one. */

/** Edits (insertions, deletions, changes) that make one word of another. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
};

/** Hint that names the nearest of `known`, and the others where they are few. */
export const nameHint = (given: string, known: readonly string[]): string => {
  const cost = (name: string): number =>
    Math.min(
      distance(given.toLowerCase(), name.toLowerCase()),
      distance(given.toLowerCase(), name.toLowerCase().replace(/^.*\./, "")),
    );
  const nearest = known.reduce((best, name) => (cost(name) < cost(best) ? name : best));
  const guess = cost(nearest) <= Math.max(2, given.length / 3) ? `did you mean "${nearest}"? ` : "";
  return known.length > 12 && guess !== "" ? guess.trim() : `${guess}known: ${known.join(", ")}`;
};
