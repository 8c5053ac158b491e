/** Places for the labels of a chart's points, such that no label covers a point or another label. */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Anchor {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  /** Room that the point takes beyond the usual. */
  readonly radius?: number;
  readonly bold?: boolean;
}

export interface Placed extends Box {
  /** Right (1) or left (-1) of its point, or above or below it (0). */
  readonly side: number;
  /** Whether the label stands so far from its point that a line should join them. */
  readonly far: boolean;
}

/** Advance of an average character of the charts' face, and height of a line, pixels. */
const ADVANCE = 6.6;
const HEIGHT = 15;

/** The room that a text takes. */
export const textWidth = (text: string): number => text.length * ADVANCE + 2;

const apart = (a: Box, b: Box): boolean =>
  a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;

const within = (a: Box, b: Box): boolean =>
  a.x >= b.x && a.y >= b.y && a.x + a.width <= b.x + b.width && a.y + a.height <= b.y + b.height;

/** Directions tried, best first: right, left, above, below, then between. */
const DIRECTIONS = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [0.8, -0.8],
  [0.8, 0.8],
  [-0.8, -0.8],
  [-0.8, 0.8],
] as const;

const DISTANCES = [9, 16, 25, 36, 50, 66, 84];

const boxAt = ({ x, y, text, bold }: Anchor, [dx, dy]: readonly [number, number], distance: number): Box => {
  const width = textWidth(text) * (bold === true ? 1.12 : 1);
  const left = x + dx * distance - (dx > 0 ? 0 : dx < 0 ? width : width / 2);
  const middle = y + dy * (distance + (dx === 0 ? HEIGHT / 2 : 0));
  return { x: left, y: middle - HEIGHT / 2, width, height: HEIGHT };
};

export interface Obstacles {
  readonly area: Box;
  /** What no label may cover. */
  readonly taken: readonly Box[];
  /** What a label covers only where it would be far off otherwise. */
  readonly lines: readonly Box[];
}

/** What covering a line costs, as pixels of distance. */
const CROSSING = 24;

/** The free box nearest to the anchor, one on a line counted as farther off. */
const findRoom = (
  anchor: Anchor,
  { area, lines }: Obstacles,
  occupied: readonly Box[],
): Placed | undefined => {
  let best: Placed | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const distance of DISTANCES.map((d) => d + (anchor.radius ?? 0))) {
    for (const direction of DIRECTIONS) {
      const box = boxAt(anchor, direction, distance);
      if (!within(box, area) || !occupied.every((other) => apart(box, other))) continue;
      const cost = distance + (lines.every((other) => apart(box, other)) ? 0 : CROSSING);
      if (cost >= least) continue;
      least = cost;
      best = { ...box, side: Math.sign(direction[0]), far: distance > 18 };
    }
  }
  return best;
};

/** A box for each anchor in their order, inside the area, off what is taken; undefined where no room is. */
export const placeLabels = (anchors: readonly Anchor[], obstacles: Obstacles): (Placed | undefined)[] => {
  const points = anchors.map(({ x, y }) => ({ x: x - 7, y: y - 7, width: 14, height: 14 }));
  const occupied: Box[] = [...obstacles.taken, ...points];
  return anchors.map((anchor) => {
    const box = findRoom(anchor, obstacles, occupied);
    if (box !== undefined) occupied.push(box);
    return box;
  });
};
