/** Choosing the largest of many without sorting all of them. */

/** Whether a (id, value) stands behind b in falling order; of equals the smaller id is first. */
const behind = (values: Float32Array | Float64Array, a: number, b: number): boolean => {
  const [x, y] = [values[a]!, values[b]!];
  return x < y || (x === y && a > b);
};

/** Sifts the element at `at` down: the root stands behind all others. */
const sift = (heap: Uint32Array, values: Float32Array | Float64Array, size: number, at: number): void => {
  for (let parent = at; ; ) {
    let child = 2 * parent + 1;
    if (child >= size) return;
    if (child + 1 < size && behind(values, heap[child + 1]!, heap[child]!)) child++;
    if (!behind(values, heap[child]!, heap[parent]!)) return;
    [heap[parent], heap[child]] = [heap[child]!, heap[parent]!];
    parent = child;
  }
};

/** Indices of the k largest values, in falling order; the smaller index is first among equals. */
export const top = (values: Float32Array | Float64Array, k: number): Uint32Array => {
  const size = Math.min(k, values.length);
  const heap = Uint32Array.from({ length: size }, (_, i) => i);
  for (let i = (size >> 1) - 1; i >= 0; i--) sift(heap, values, size, i);
  if (size === 0) return heap;
  // Of equals the smaller index stays: what comes later has to be larger than the least that is held.
  let least = values[heap[0]!]!;
  for (let i = size; i < values.length; i++) {
    if (values[i]! <= least) continue;
    if (!behind(values, heap[0]!, i)) continue;
    heap[0] = i;
    sift(heap, values, size, 0);
    least = values[heap[0]!]!;
  }
  return heap.sort((a, b) => values[b]! - values[a]! || a - b);
};
