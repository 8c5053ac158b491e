/**
 * The volume that points dominate below a reference point: by a sweep in two objectives and in three, and by
 * WFG's exclusive volumes (While et al. 2012, https://doi.org/10.1109/TEVC.2010.2077298) in more.
 */
import { frontOf, type Point } from "./sort.ts";

const inside = (point: Point, reference: Point): boolean => point.every((x, i) => x < reference[i]!);

/** Sorted by the first objective, each point adds a slab below the one before. */
const area = (points: readonly Point[], [rx, ry]: Point): number => {
  let [sum, ceiling] = [0, ry!];
  for (const [x, y] of points.toSorted((a, b) => a[0]! - b[0]! || a[1]! - b[1]!)) {
    if (y! >= ceiling) continue;
    sum += (rx! - x!) * (ceiling - y!);
    ceiling = y!;
  }
  return sum;
};

/** Slices along the third objective: in each, the area of all points that reach below it. */
const volume = (points: readonly Point[], reference: Point): number => {
  const order = points.toSorted((a, b) => a[2]! - b[2]!);
  return order.reduce((sum, [, , z], i) => {
    const top = order[i + 1]?.[2] ?? reference[2]!;
    if (top === z) return sum;
    const slice = order.slice(0, i + 1);
    return sum + (top - z!) * area(slice, reference);
  }, 0);
};

const boxOf = (point: Point, reference: Point): number =>
  point.reduce((product, x, i) => product * (reference[i]! - x), 1);

/** Each point's own volume less what the points after it share with it. */
const wfg = (points: readonly Point[], reference: Point): number =>
  points.reduce((sum, point, i) => {
    const shared = points.slice(i + 1).map((other) => other.map((x, axis) => Math.max(x, point[axis]!)));
    return sum + boxOf(point, reference) - (shared.length === 0 ? 0 : volumeOf(frontOf(shared), reference));
  }, 0);

const volumeOf = (front: readonly Point[], reference: Point): number => {
  if (front.length === 0) return 0;
  if (reference.length === 1) return reference[0]! - Math.min(...front.map(([x]) => x!));
  if (reference.length === 2) return area(front, reference);
  return reference.length === 3 ? volume(front, reference) : wfg(front, reference);
};

/** The volume between `points` and `reference`, all to be made small; points beyond it add none. */
export const hypervolume = (points: readonly Point[], reference: Point): number =>
  volumeOf(frontOf(points.filter((p) => inside(p, reference))), reference);

/**
 * Optuna's reference point for points that are to be told apart: a tenth beyond the worst of each objective.
 */
export const referenceOf = (points: readonly Point[]): number[] => {
  const axes = points[0]?.length ?? 0;
  return Array.from({ length: axes }, (_, axis) => {
    const worst = points.reduce((most, p) => Math.max(most, p[axis]!), Number.NEGATIVE_INFINITY);
    return Math.max(1.1 * worst, 0.9 * worst) || 1e-12;
  });
};

/**
 * Indices of the `size` points that together dominate most, chosen one after the other (Guerreiro et al.
 * 2016, https://doi.org/10.1162/EVCO_a_00159).
 */
export const subsetOf = (points: readonly Point[], size: number, reference: Point): number[] => {
  const chosen: number[] = [];
  const rest = new Set(points.map((_, i) => i));
  while (chosen.length < size && rest.size > 0) {
    let [best, most] = [-1, Number.NEGATIVE_INFINITY];
    for (const i of rest) {
      const total = hypervolume(
        [...chosen, i].map((k) => points[k]!),
        reference,
      );
      if (total > most) [best, most] = [i, total];
    }
    chosen.push(best);
    rest.delete(best);
  }
  return chosen;
};
