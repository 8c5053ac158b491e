/** Pieces of earlier documents around repeated hashes, to compare later ones with, in bounded memory. */

interface Lengths {
  readonly minChars: number;
  readonly gram: number;
}

/** What a text from `start` to `end` has in common with the document of that number. */
export interface Match {
  readonly start: number;
  readonly end: number;
  readonly document: number;
}

/** Places of one hash that are held. */
const MOST_PLACES = 32;

/** A list of words that doubles as it grows. */
const growing = <A extends Uint16Array | Uint32Array>(first: A, make: (length: number) => A) => {
  let array = first;
  return {
    at: () => array,
    room(length: number): A {
      if (length > array.length) {
        const larger = make(Math.max(length, 2 * array.length));
        larger.set(array);
        array = larger;
      }
      return array;
    },
  };
};

const words = (length: number): Uint32Array<ArrayBuffer> => new Uint32Array(length);
const units = (length: number): Uint16Array<ArrayBuffer> => new Uint16Array(length);

/** `[next + 1, unit, region]`: a chain a hash, of places in the held text. */
const PLACE = 3;
/** [first unit, unit after the last, document]. */
const REGION = 3;

interface Region {
  /** Its first unit, and the one after its last. */
  readonly first: number;
  readonly end: number;
  readonly document: number;
}

/** How far two texts are the same to both sides of a common gram; `text` and the units of a region. */
const extended = (text: string, at: number, held: Uint16Array, from: number, { first, end }: Region) => {
  let left = 0;
  const mostLeft = Math.min(at, from - first);
  while (left < mostLeft && text.charCodeAt(at - left - 1) === held[from - left - 1]) left++;
  let right = 0;
  const mostRight = Math.min(text.length - at, end - from);
  while (right < mostRight && text.charCodeAt(at + right) === held[from + right]) right++;
  return { start: at - left, end: at + right };
};

/** Units of text by region, and the places in it of each slot below `capacity`. */
const store = (capacity: number) => {
  const heads = new Uint32Array(capacity);
  const sizes = new Uint8Array(capacity);
  const places = growing(words(PLACE * 256), words);
  const regions = growing(words(REGION * 64), words);
  const held = growing(units(4096), units);
  const count = { places: 0, regions: 0, units: 0 };
  return {
    units: held.at,
    // Each list may have just doubled, with its old half still there.
    bytes: (more: number): number =>
      capacity * 5 + 3 * (4 * PLACE * count.places + 4 * REGION * count.regions + 2 * (count.units + more)),
    /** Holds a piece of text; the number of its first unit. */
    addRegion(text: string, start: number, end: number, document: number): number {
      const from = count.units;
      const block = held.room(from + end - start);
      for (let i = start; i < end; i++) block[from + i - start] = text.charCodeAt(i);
      const table = regions.room(REGION * (count.regions + 1));
      table.set([from, from + end - start, document], REGION * count.regions++);
      count.units += end - start;
      return from;
    },
    /** Notes a place in the last region; false where the slot has too many. */
    addPlace(slot: number, unit: number): boolean {
      if (sizes[slot]! >= MOST_PLACES) return false;
      const table = places.room(PLACE * (count.places + 1));
      table.set([heads[slot]!, unit, count.regions - 1], PLACE * count.places);
      heads[slot] = ++count.places;
      sizes[slot]!++;
      return true;
    },
    *placesOf(slot: number): Generator<{ unit: number; region: Region }> {
      for (let next = heads[slot]!; next > 0; ) {
        const place = PLACE * (next - 1);
        const row = REGION * places.at()[place + 2]!;
        const [first, end, document] = [0, 1, 2].map((i) => regions.at()[row + i]!) as [
          number,
          number,
          number,
        ];
        yield { unit: places.at()[place + 1]!, region: { first, end, document } };
        next = places.at()[place]!;
      }
    },
  };
};

interface Pending {
  readonly slot: number;
  readonly at: number;
}

/** Held pieces by slots below `capacity`, in at most `maxBytes`. */
export const snippets = (capacity: number, maxBytes: number, { minChars, gram }: Lengths) => {
  const held = store(capacity);
  let pending: Pending[] = [];
  let untracked = 0;
  const hold = (
    group: readonly Pending[],
    start: number,
    end: number,
    text: string,
    document: number,
  ): void => {
    if (held.bytes(end - start) > maxBytes) {
      untracked += group.length;
      return;
    }
    const from = held.addRegion(text, start, end, document);
    for (const { slot, at } of group) if (!held.addPlace(slot, from + at - start)) untracked++;
  };
  return {
    /** Longest common texts of at least `minChars` around the gram at `at`, with each place of its hash. */
    matches(slot: number, text: string, at: number): Match[] {
      const found: Match[] = [];
      for (const { unit, region } of held.placesOf(slot)) {
        const { start, end } = extended(text, at, held.units(), unit, region);
        if (end - start >= minChars && end >= at + gram)
          found.push({ start, end, document: region.document });
      }
      return found;
    },
    /** Asks for the place of a hash in the text at hand to be held. */
    propose(slot: number, at: number): void {
      pending.push({ slot, at });
    },
    /**
     * Holds what was proposed, with all that a match can reach until the next hash: `minChars` to both sides.
     */
    store(text: string, document: number): void {
      for (let i = 0; i < pending.length; ) {
        const start = Math.max(0, pending[i]!.at - minChars);
        let [end, last] = [start, i];
        while (last < pending.length && (last === i || pending[last]!.at - minChars <= end)) {
          end = Math.min(text.length, pending[last++]!.at + gram + minChars);
        }
        hold(pending.slice(i, last), start, end, text, document);
        i = last;
      }
      pending = [];
    },
    /** Places that were not held for want of room, or of hashes that have too many. */
    untracked: () => untracked,
  };
};
