/** JSON of unknown origin: its depth is looked at before anything walks it. */
import { DataError, type ErrorDetails } from "../util/errors.ts";

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

/** The value of a JSON text. Throws DataError for what is torn or nested deeper than `limit`. */
export const parseJson = (text: string, place: ErrorDetails, limit: number = MAX_DEPTH): unknown => {
  if (isDeeper(text, limit)) {
    throw new DataError(`is JSON nested deeper than ${limit}`, {
      ...place,
      hint: "--skip-bad-rows counts such records and goes on",
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = "a line must be one whole JSON object; --skip-bad-rows counts such lines and goes on";
    throw new DataError(`is not JSON (${(cause as Error).message})`, { ...place, hint, cause });
  }
};
