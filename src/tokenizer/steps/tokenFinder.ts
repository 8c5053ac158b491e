/** Finds tokens in a text: at each place the longest. */

/** More tokens than these are looked for by their lengths: an expression has a largest size. */
const MAX_EXPRESSION = 256;

/** Calls `emit` with each token that a text has, in order, and where it starts. */
type Finder = (text: string, emit: (start: number, token: string) => void) => void;

const byLength = (tokens: readonly string[]): Finder => {
  const known = new Set(tokens);
  const lengths = new Map<number, number[]>();
  for (const token of known) {
    const list = lengths.get(token.charCodeAt(0)) ?? [];
    if (!list.includes(token.length)) list.push(token.length);
    lengths.set(token.charCodeAt(0), list);
  }
  for (const list of lengths.values()) list.sort((a, b) => b - a);
  return (text, emit) => {
    for (let at = 0; at < text.length; ) {
      const fits = (length: number): boolean => known.has(text.slice(at, at + length));
      const length = lengths.get(text.charCodeAt(at))?.find(fits);
      if (length !== undefined) emit(at, text.slice(at, at + length));
      at += length ?? 1;
    }
  };
};

/** The finder of `tokens`, none of which is empty. */
export const tokenFinder = (tokens: readonly string[]): Finder => {
  if (tokens.length > MAX_EXPRESSION || tokens.some((token) => token.length > 1024)) return byLength(tokens);
  const longestFirst = [...tokens].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((token) => token.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"));
  const pattern = new RegExp(escaped.join("|") || "(?!)", "gu");
  return (text, emit) => {
    for (const { index, 0: token } of text.matchAll(pattern)) emit(index, token);
  };
};
