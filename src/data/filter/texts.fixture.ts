/** Texts of so many words and lines, for the tests of filters. */
export const words = (n: number): string =>
  Array.from(
    { length: n },
    (_, i) => `word${String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26))}`,
  ).join(" ");

export const lines = (...rows: string[]): string => rows.join("\n");

export const times = (n: number, make: (i: number) => string): string[] =>
  Array.from({ length: n }, (_, i) => make(i));
