/**
 * Points by dominance: all objectives are to be made small. Non-dominated sorting and crowding are NSGA-II's
 * (Deb et al. 2002, https://doi.org/10.1109/4235.996017).
 */

/** A value for each objective, all to be made small. */
export type Point = readonly number[];

/** Whether `a` is nowhere worse than `b` and somewhere better. */
export const beats = (a: Point, b: Point): boolean => {
  let better = false;
  for (let i = 0; i < a.length; i++) {
    if (a[i]! > b[i]!) return false;
    if (a[i]! < b[i]!) better = true;
  }
  return better;
};

/** Indices of points by front: the first is not dominated, the next only by the first, and so on. */
export const nonDominatedSort = (points: readonly Point[]): number[][] => {
  const fronts: number[][] = [];
  let rest = points.map((_, i) => i);
  while (rest.length > 0) {
    const front = rest.filter((i) => !rest.some((j) => beats(points[j]!, points[i]!)));
    const taken = new Set(front);
    rest = rest.filter((i) => !taken.has(i));
    fronts.push(front);
  }
  return fronts;
};

/** The points that no other dominates, equal ones once. */
export const frontOf = (points: readonly Point[]): Point[] =>
  points.filter(
    (p, i) => !points.some((q, j) => beats(q, p) || (j < i && q.every((value, axis) => value === p[axis]))),
  );

/**
 * How lonely each point of a front is: the sum over the objectives of the distance between its neighbours, as
 * a share of the range; infinite at the ends.
 */
export const crowding = (front: readonly Point[]): number[] => {
  const distance = front.map(() => 0);
  const axes = front[0]?.length ?? 0;
  for (let axis = 0; axis < axes; axis++) {
    const order = front.map((_, i) => i).sort((a, b) => front[a]![axis]! - front[b]![axis]!);
    const [first, last] = [order[0]!, order.at(-1)!];
    const range = front[last]![axis]! - front[first]![axis]!;
    distance[first] = distance[last] = Number.POSITIVE_INFINITY;
    if (range === 0) continue;
    for (let k = 1; k < order.length - 1; k++) {
      distance[order[k]!]! += (front[order[k + 1]!]![axis]! - front[order[k - 1]!]![axis]!) / range;
    }
  }
  return distance;
};
