/** What a program found from each of its slots at each place of a text. */

/** Nothing is known yet. */
export const UNKNOWN = 0;
/** There is no match from there. */
export const FAILED = -1;

/** Places of a page, as a power of two. */
const PAGE_BITS = 6;

/** Most numbers that are kept at once. */
const MAX_KEPT = 1 << 24;

/** Results by slot and place. */
export interface Memory {
  /** UNKNOWN, FAILED, or one more than where the match ends. */
  get(slot: number, at: number): number;
  /** Returns false where there is no room. */
  set(slot: number, at: number, found: number): boolean;
  /** Forgets what lies before `at`. */
  forget(at: number): void;
}

/** A memory of `slots` results for each place. */
export const memoryOf = (slots: number): Memory => {
  const pages: (Int32Array | undefined)[] = [];
  const size = slots << PAGE_BITS;
  let kept = 0;
  let forgotten = 0;
  return {
    get: (slot, at) => {
      const page = pages[at >> PAGE_BITS];
      return page === undefined ? UNKNOWN : page[(slot << PAGE_BITS) | (at & 63)]!;
    },
    set: (slot, at, found) => {
      const index = at >> PAGE_BITS;
      let page = pages[index];
      if (page === undefined) {
        kept += size;
        if (kept > MAX_KEPT) return false;
        page = new Int32Array(size);
        pages[index] = page;
      }
      page[(slot << PAGE_BITS) | (at & 63)] = found;
      return true;
    },
    forget: (at) => {
      for (; forgotten < at >> PAGE_BITS; forgotten++) {
        if (pages[forgotten] !== undefined) kept -= size;
        pages[forgotten] = undefined;
      }
    },
  };
};
