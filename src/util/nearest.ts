/** Suggestions for mistyped names. */

/** Edits (insert, delete, replace) from one word to the other (Levenshtein 1966). */
export const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
};

/** The name nearest to `word`, unless all are farther than a third of its length. */
export const nearest = (word: string, names: Iterable<string>): string | undefined => {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    if (Math.abs(name.length - word.length) >= least) continue;
    const distance = editDistance(word.toLowerCase(), name.toLowerCase());
    if (distance < least) [best, least] = [name, distance];
  }
  return best;
};

/** Hint that names the nearest of `known`, and the others where they are few. */
export const nameHint = (given: string, known: readonly string[]): string => {
  const cost = (name: string): number =>
    Math.min(
      editDistance(given.toLowerCase(), name.toLowerCase()),
      editDistance(given.toLowerCase(), name.toLowerCase().replace(/^.*\./, "")),
    );
  const best = known.reduce((a, b) => (cost(b) < cost(a) ? b : a));
  const guess = cost(best) <= Math.max(2, given.length / 3) ? `did you mean "${best}"? ` : "";
  return known.length > 12 && guess !== "" ? guess.trim() : `${guess}known: ${known.join(", ")}`;
};
