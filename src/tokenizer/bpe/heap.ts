/**
 * A binary heap of pairs of numbers in typed arrays: no object an entry, so millions of entries stay cheap.
 */
export interface Heap {
  readonly size: number;
  push(first: number, second: number): void;
  /** Takes the smallest pair out: lowest `first`, then lowest `second`. False where the heap is empty. */
  pop(): boolean;
  /** The pair that `pop` took out. */
  readonly first: number;
  readonly second: number;
}

interface Store {
  a: Float64Array;
  b: Float64Array;
  size: number;
}

const grow = (from: Float64Array): Float64Array => {
  const wider = new Float64Array(from.length * 2);
  wider.set(from);
  return wider;
};

/** Moves what is larger than (p, s) down on the way from `from` to the top, and puts (p, s) there. */
const rise = ({ a, b }: Store, from: number, p: number, s: number): void => {
  let i = from;
  while (i > 0) {
    const up = (i - 1) >> 1;
    if (a[up]! < p || (a[up] === p && b[up]! <= s)) break;
    a[i] = a[up]!;
    b[i] = b[up]!;
    i = up;
  }
  a[i] = p;
  b[i] = s;
};

/** Moves what is smaller than (p, s) up on the way from the top, and puts (p, s) there. */
const sink = ({ a, b, size }: Store, p: number, s: number): void => {
  let i = 0;
  for (let child = 1; child < size; child = 2 * i + 1) {
    const right = child + 1;
    if (right < size && (a[right]! < a[child]! || (a[right] === a[child] && b[right]! < b[child]!)))
      child = right;
    if (p < a[child]! || (p === a[child] && s <= b[child]!)) break;
    a[i] = a[child]!;
    b[i] = b[child]!;
    i = child;
  }
  a[i] = p;
  b[i] = s;
};

/** An empty heap with room for `capacity` entries; it grows. */
export const heap = (capacity = 16): Heap => {
  const room = Math.max(capacity, 1);
  const store: Store = { a: new Float64Array(room), b: new Float64Array(room), size: 0 };
  let first = 0;
  let second = 0;
  return {
    get size() {
      return store.size;
    },
    get first() {
      return first;
    },
    get second() {
      return second;
    },
    push(p, s) {
      if (store.size === store.a.length) [store.a, store.b] = [grow(store.a), grow(store.b)];
      rise(store, store.size++, p, s);
    },
    pop() {
      if (store.size === 0) return false;
      first = store.a[0]!;
      second = store.b[0]!;
      store.size--;
      if (store.size > 0) sink(store, store.a[store.size]!, store.b[store.size]!);
      return true;
    },
  };
};
