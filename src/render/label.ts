/** Places for the labels of a chart's points, such that no label covers a point or another label. */

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A point and what is written beside it. */
export interface Anchor {
  readonly x: number;
  readonly y: number;
  readonly text: string;
  /** Room that the point takes beyond the usual. */
  readonly radius?: number;
  readonly bold?: boolean;
}

/** Where a label stands. */
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

/** Whether no pixel is in both. */
export const apart = (a: Box, b: Box): boolean =>
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

/** What labels keep clear of. */
export interface Obstacles {
  readonly area: Box;
  /** What no label may cover. */
  readonly taken: readonly Box[];
  /** What a label covers only where it would be far off otherwise. */
  readonly lines: readonly Box[];
}

/** What covering a line costs, as pixels of distance: more than any, for a label far off is joined. */
const CROSSING = 100;

/** Small boxes along the way through `points`. */
export const along = (points: readonly (readonly [x: number, y: number])[]): Box[] =>
  points.slice(1).flatMap(([x1, y1], i) => {
    const [x0, y0] = points[i]!;
    const parts = Math.ceil(Math.hypot(x1 - x0, y1 - y0) / 5);
    return Array.from({ length: parts }, (_, k) => {
      const [x, y] = [x0 + ((x1 - x0) * k) / parts, y0 + ((y1 - y0) * k) / parts];
      return { x: x - 1, y: y - 1, width: 2, height: 2 };
    });
  });

/** Where the line from a point to its label ends. */
export const leadEnd = ({ x, y }: Pick<Anchor, "x" | "y">, box: Box): readonly [x: number, y: number] => [
  Math.min(Math.max(x, box.x), box.x + box.width),
  box.y + box.height / 2 > y ? box.y + 2 : box.y + box.height - 2,
];

/** The way of the line that joins a point to a label far off, from outside the point. */
const leadBoxes = (anchor: Anchor, box: Box): Box[] =>
  along([[anchor.x, anchor.y], leadEnd(anchor, box)]).filter(
    ({ x, y }) => Math.hypot(x - anchor.x, y - anchor.y) > 8,
  );

const clears = (boxes: readonly Box[], others: readonly Box[]): boolean =>
  boxes.every((box) => others.every((other) => apart(box, other)));

interface Room extends Obstacles {
  /** The lines that join labels to their points. */
  readonly leads: readonly Box[];
}

/** The free box nearest to the anchor, one on a line, or whose own line crosses something, as farther off. */
const findRoom = (
  anchor: Anchor,
  { area, lines, leads }: Room,
  occupied: readonly Box[],
): Placed | undefined => {
  const own = { x: anchor.x - 7, y: anchor.y - 7, width: 14, height: 14 };
  const others = [...leads, ...occupied.filter((box) => box.x !== own.x || box.y !== own.y)];
  let best: Placed | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const distance of DISTANCES.map((d) => d + (anchor.radius ?? 0))) {
    for (const direction of DIRECTIONS) {
      const box = boxAt(anchor, direction, distance);
      if (!within(box, area) || !clears([box], occupied)) continue;
      const far = distance > 18;
      const joined = !far || clears(leadBoxes(anchor, box), others);
      const cost = distance + (clears([box], [...lines, ...leads]) ? 0 : CROSSING) + (joined ? 0 : CROSSING);
      if (cost >= least) continue;
      least = cost;
      best = { ...box, side: Math.sign(direction[0]), far };
    }
  }
  return best;
};

/** A box for each anchor in their order, inside the area, off what is taken; undefined where no room is. */
export const placeLabels = (anchors: readonly Anchor[], obstacles: Obstacles): (Placed | undefined)[] => {
  const points = anchors.map(({ x, y }) => ({ x: x - 7, y: y - 7, width: 14, height: 14 }));
  const occupied: Box[] = [...obstacles.taken, ...points];
  const leads: Box[] = [];
  return anchors.map((anchor) => {
    const box = findRoom(anchor, { ...obstacles, leads }, occupied);
    if (box === undefined) return undefined;
    occupied.push(box);
    if (box.far) leads.push(...leadBoxes(anchor, box));
    return box;
  });
};
