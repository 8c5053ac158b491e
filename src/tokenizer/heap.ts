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

const before = ({ a, b }: Store, i: number, j: number): boolean =>
  a[i]! < a[j]! || (a[i] === a[j] && b[i]! < b[j]!);

const swap = ({ a, b }: Store, i: number, j: number): void => {
  [a[i], a[j]] = [a[j]!, a[i]!];
  [b[i], b[j]] = [b[j]!, b[i]!];
};

const grow = (from: Float64Array): Float64Array => {
  const wider = new Float64Array(from.length * 2);
  wider.set(from);
  return wider;
};

const rise = (store: Store, from: number): void => {
  for (let i = from; i > 0 && before(store, i, (i - 1) >> 1); i = (i - 1) >> 1) swap(store, i, (i - 1) >> 1);
};

const sink = (store: Store): void => {
  for (let i = 0; ; ) {
    const left = 2 * i + 1;
    let top = i;
    if (left < store.size && before(store, left, top)) top = left;
    if (left + 1 < store.size && before(store, left + 1, top)) top = left + 1;
    if (top === i) return;
    swap(store, i, top);
    i = top;
  }
};

/** An empty heap with room for `capacity` entries; it grows. */
export const heap = (capacity = 16): Heap => {
  const store: Store = { a: new Float64Array(capacity), b: new Float64Array(capacity), size: 0 };
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
      store.a[store.size] = p;
      store.b[store.size] = s;
      rise(store, store.size++);
    },
    pop() {
      if (store.size === 0) return false;
      first = store.a[0]!;
      second = store.b[0]!;
      store.size--;
      store.a[0] = store.a[store.size]!;
      store.b[0] = store.b[store.size]!;
      sink(store);
      return true;
    },
  };
};
