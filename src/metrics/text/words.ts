/** Words as Python's str.split() finds them; JavaScript's `\s` has other characters. */
const SPACE =
  "[\\t-\\r\\u001c-\\u001f \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const SPACES = new RegExp(`${SPACE}+`);
const FIRST_SPACES = new RegExp(`^${SPACE}+`);
const LAST_SPACES = new RegExp(`${SPACE}+$`);

/** The runs of characters between white space. */
export const words = (text: string): string[] => text.split(SPACES).filter((word) => word !== "");

/** Text without the white space at its end. */
export const trimEnd = (text: string): string => text.replace(LAST_SPACES, "");

/** Text without the white space at both ends. */
export const trim = (text: string): string => trimEnd(text).replace(FIRST_SPACES, "");

/** How often each run of `order` neighbours occurs, by the run joined with `between`. */
export const grams = (items: readonly string[], order: number, between: string): Map<string, number> => {
  const counts = new Map<string, number>();
  for (let i = 0; i + order <= items.length; i++) {
    const gram = items.slice(i, i + order).join(between);
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
};

/** Number of runs counted. */
export const total = (counts: ReadonlyMap<string, number>): number => {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
};

/** Number of runs that both have, each as often as the one that has it less often. */
export const matches = (a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number => {
  let sum = 0;
  for (const [gram, count] of a) sum += Math.min(count, b.get(gram) ?? 0);
  return sum;
};
