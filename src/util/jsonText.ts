/**
 * JSON of unknown origin: its depth is looked at before anything walks it. JSON.parse itself takes any depth;
 * JSON.stringify and whatever else recurs over the value ends with the stack.
 */

/** Deepest nesting that is read. */
export const MAX_DEPTH = 64;

const openings = (text: string, enough: number): number => {
  let count = 0;
  for (const bracket of ["[", "{"]) {
    for (let at = text.indexOf(bracket); at >= 0 && count <= enough; at = text.indexOf(bracket, at + 1))
      count++;
  }
  return count;
};

/** Whether brackets outside of strings nest deeper than `limit`. */
export const isDeeper = (text: string, limit: number = MAX_DEPTH): boolean => {
  // Most records have few brackets: these need no scan.
  if (openings(text, limit) <= limit) return false;
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (quoted) {
      if (c === 92) i++;
      else if (c === 34) quoted = false;
    } else if (c === 34) quoted = true;
    else if (c === 91 || c === 123) {
      if (++depth > limit) return true;
    } else if (c === 93 || c === 125) depth--;
  }
  return false;
};

/** JSON.parse, but that a text nested deeper than `MAX_DEPTH` is a SyntaxError too. */
export const parseText = (text: string): unknown => {
  if (isDeeper(text)) throw new SyntaxError(`it is nested deeper than ${MAX_DEPTH}`);
  return JSON.parse(text);
};
