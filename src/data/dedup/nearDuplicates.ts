/**
 * Clusters of near duplicates: documents that share a band key, directly or through others, are one cluster.
 * The cluster of a document is named by its least document number, so that the result is a function of the
 * keys alone, and not of the order in which they come.
 */
import { ConfigError, DataError } from "../../util/errors.ts";
import { type KeyTable, keyTable } from "./keyTable.ts";

const grown = (old: Uint32Array<ArrayBuffer>, length: number): Uint32Array<ArrayBuffer> => {
  if (length <= old.length) return old;
  const result = new Uint32Array(Math.max(length, 2 * old.length, 1024));
  result.set(old);
  return result;
};

/** Disjoint sets of the numbers from 0 on, each named by its least member; 4 to 8 bytes a number. */
export const disjointSets = () => {
  let parents = new Uint32Array(0);
  let size = 0;
  const reach = (n: number): void => {
    if (n < size) return;
    parents = grown(parents, n + 1);
    while (size <= n) parents[size] = size++;
  };
  const find = (n: number): number => {
    reach(n);
    let at = n;
    while (parents[at] !== at) {
      // Halving the path keeps later walks short.
      parents[at] = parents[parents[at]!]!;
      at = parents[at]!;
    }
    return at;
  };
  return {
    find,
    /** Makes the sets of `a` and `b` one. */
    union(a: number, b: number): void {
      const [x, y] = [find(a), find(b)];
      parents[Math.max(x, y)] = Math.min(x, y);
    },
    /** For each of the numbers below `count` the least member of its set, [count]. */
    roots: (count: number): Uint32Array => Uint32Array.from({ length: count }, (_, n) => find(n)),
    get bytes() {
      return parents.byteLength;
    },
  };
};

/** Bands of a document, and what else makes two documents duplicates. */
export interface ClustererOptions {
  /** Bands of a document; each has 2 words of key. */
  readonly bands: number;
  /**
   * Whether two candidates are duplicates indeed, such as by `jaccard(a, b) >= 0.8`. It is asked about all
   * pairs with a key in common that are not of one cluster already; without it, a common key suffices.
   */
  readonly confirm?: (a: number, b: number) => boolean;
  /** Documents to make room for; more may come. */
  readonly expected?: number;
}

/** Collects keys, and tells the clusters in the end. */
export interface Clusterer {
  /**
   * Takes document `document` (below 2^32 - 2, each once, in any order) with its keys [2 * bands]; one whose
   * keys are 0, as of a text too short for a shingle, is alone.
   */
  add(document: number, keys: Uint32Array): void;
  /**
   * The same for the key of one band alone, 2 words at `at` of `keys`. A caller whose keys lie on disk takes
   * band after band and calls `endBand` between, so that a single table is in memory.
   */
  addBand(band: number, document: number, keys: Uint32Array, at: number): void;
  /** Frees the table of a band of which all documents have been added. */
  endBand(band: number): void;
  /** For each document below `count` the first of its cluster, itself where it is alone, [count]. */
  clusters(count: number): Uint32Array;
  /** Bytes of all its arrays. */
  readonly bytes: number;
}

/** Earlier documents of the same key, linked: with `confirm` all are candidates, not only the first. */
const linkedDocuments = () => {
  // 0 where a document has not come, 1 where it is the first of its key, else the one before it plus 2.
  let before = new Uint32Array(0);
  return {
    link(document: number, earlier: number): void {
      before = grown(before, document + 1);
      if (before[document] !== 0) throw new DataError(`document ${document} was added twice`);
      before[document] = earlier + 2;
    },
    /** The one before, or less than 0. */
    before: (document: number): number => before[document]! - 2,
    get bytes() {
      return before.byteLength;
    },
  };
};

interface Band {
  readonly table: KeyTable;
  readonly links: ReturnType<typeof linkedDocuments>;
}

/** The tables of the bands that have come and not ended. */
const openBands = (bands: number, expected: number) => {
  const open = new Map<number, Band>();
  return {
    all: (): Iterable<Band> => open.values(),
    end: (band: number): void => void open.delete(band),
    of(band: number): Band {
      const known = open.get(band);
      if (known !== undefined) return known;
      if (!(Number.isInteger(band) && band >= 0 && band < bands))
        throw new ConfigError(`there is no band ${band} of ${bands}`, { field: "band" });
      const made = { table: keyTable(2, expected), links: linkedDocuments() };
      open.set(band, made);
      return made;
    },
  };
};

/** Joins a document with those of `latest` and before that have its key, as far as `confirm` says so. */
const confirming = (
  sets: ReturnType<typeof disjointSets>,
  confirm: NonNullable<ClustererOptions["confirm"]>,
) => {
  /** Those refused for the document `asked`: another band must not ask again. */
  const refused = new Set<number>();
  let asked = -1;
  return (document: number, latest: number, links: Band["links"]): void => {
    if (asked !== document) refused.clear();
    asked = document;
    for (let other = latest; other >= 0; other = links.before(other)) {
      if (refused.has(other) || sets.find(other) === sets.find(document)) continue;
      if (confirm(Math.min(other, document), Math.max(other, document))) sets.union(other, document);
      else refused.add(other);
    }
  };
};

/** A clusterer: at 14 bands 250 to 800 bytes a document with all bands at once, 20 to 60 band by band. */
export const clusterer = ({ bands, confirm, expected = 0 }: ClustererOptions): Clusterer => {
  if (!Number.isInteger(bands) || bands < 1)
    throw new ConfigError(`${bands} is no number of bands`, { field: "bands" });
  const sets = disjointSets();
  const open = openBands(bands, expected);
  const joinConfirmed = confirm === undefined ? undefined : confirming(sets, confirm);

  const addBand = (band: number, document: number, keys: Uint32Array, at: number): void => {
    if (at + 2 > keys.length)
      throw new DataError(`document ${document} has ${keys.length} words of keys, too few for band ${band}`);
    const { table, links } = open.of(band);
    if (keys[at] === 0 && keys[at + 1] === 0) return;
    if (joinConfirmed === undefined) {
      const first = table.put(keys, at, document);
      if (first >= 0) sets.union(first, document);
      return;
    }
    const latest = table.swap(keys, at, document);
    links.link(document, latest);
    joinConfirmed(document, latest, links);
  };

  return {
    add(document, keys) {
      if (keys.length !== 2 * bands)
        throw new DataError(`document ${document} has ${keys.length} words of keys, not ${2 * bands}`, {
          hint: "Sign all documents with the same preset.",
        });
      for (let band = 0; band < bands; band++) addBand(band, document, keys, 2 * band);
    },
    addBand,
    endBand: open.end,
    clusters: (count) => sets.roots(count),
    get bytes() {
      let sum = sets.bytes;
      for (const { table, links } of open.all()) sum += table.bytes + links.bytes;
      return sum;
    },
  };
};

/** Which document of a cluster stays. */
export type KeepRule = "first" | "longest" | "best";

/** Sizes of the clusters of two documents and more, by the number of their first, in the order of numbers. */
export const clusterSizes = (clusters: Uint32Array): Map<number, number> => {
  const counts = new Uint32Array(clusters.length);
  for (const first of clusters) counts[first]!++;
  const sizes = new Map<number, number>();
  for (const [first, count] of counts.entries()) if (count > 1) sizes.set(first, count);
  return sizes;
};
