/** Sets of code points, and tables of them, asked for one code point at a time. */

/** Whether a code point is of a set. */
export type CodeTest = (code: number) => boolean;

/** For each code point 32 bits, of which bit i says whether it is of set i; remembered 256 at a time. */
export interface CodeTable {
  readonly pages: (Int32Array | undefined)[];
  readonly tests: readonly CodeTest[];
}

/** The table of the sets that `tests`, at most 31, hold of. */
export const codeTable = (tests: readonly CodeTest[]): CodeTable => ({ pages: [], tests });

const fill = ({ pages, tests }: CodeTable, index: number): Int32Array => {
  const page = new Int32Array(256);
  tests.forEach((test, bit) => {
    for (let i = 0; i < 256; i++) if (test(index * 256 + i)) page[i]! |= 1 << bit;
  });
  pages[index] = page;
  return page;
};

/** Which of the sets `code` is of, as bits. */
export const setsOf = (table: CodeTable, code: number): number =>
  (table.pages[code >>> 8] ?? fill(table, code >>> 8))[code & 255]!;
