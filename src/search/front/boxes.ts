/**
 * The region that a front does not dominate, below a reference point, as boxes that do not overlap: cut into
 * slabs at the front's values of the last objective, each slab into those of the one before.
 */
import { frontOf, type Point } from "./sort.ts";

/** A box from `low` (which may be minus infinity) to `high`. */
export interface Box {
  readonly low: readonly number[];
  readonly high: readonly number[];
}

const cut = (front: readonly Point[], reference: Point): Box[] => {
  const axis = reference.length - 1;
  const worst = reference[axis]!;
  if (axis === 0) {
    const best = Math.min(worst, ...front.map(([x]) => x!));
    return [{ low: [Number.NEGATIVE_INFINITY], high: [best] }];
  }
  const edges = [...new Set(front.map((p) => p[axis]!))].sort((a, b) => a - b);
  const bounds = [Number.NEGATIVE_INFINITY, ...edges, worst];
  return bounds.slice(1).flatMap((top, i) => {
    const floor = bounds[i]!;
    // What the points below this slab leave of it in the other objectives.
    const below = front.filter((p) => p[axis]! <= floor).map((p) => p.slice(0, axis));
    return cut(frontOf(below), reference.slice(0, axis)).map(({ low, high }) => ({
      low: [...low, floor],
      high: [...high, top],
    }));
  });
};

/** The boxes of what `points` do not dominate below `reference`. */
export const undominated = (points: readonly Point[], reference: Point): Box[] =>
  cut(frontOf(points.filter((p) => p.every((x, i) => x < reference[i]!))), reference);
