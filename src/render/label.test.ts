import { expect, test } from "vitest";
import { axis } from "./axis.ts";
import { along, apart, type Box, leadEnd, placeLabels } from "./label.ts";
import { limitColumn, limitRow } from "./limit.ts";

const area: Box = { x: 0, y: 0, width: 400, height: 300 };
const clear = (box: Box, others: readonly Box[]): boolean => others.every((other) => apart(box, other));

test("a label stands off the curve that goes through its point, on both sides where they are free", () => {
  for (const [from, to] of [
    [
      [50, 150],
      [350, 150],
    ],
    [
      [200, 20],
      [200, 280],
    ],
    [
      [50, 250],
      [350, 50],
    ],
  ] as const) {
    const lines = along([from, to]);
    const [x, y] = [(from[0] + to[0]) / 2, (from[1] + to[1]) / 2];
    const [box] = placeLabels([{ x, y, text: "8-layer q4" }], { area, taken: [], lines });
    expect(clear(box!, lines)).toBe(true);
  }
});

test("lines from points to labels far off cross no other label and no other such line", () => {
  const anchors = [
    { x: 190, y: 10, text: "cut fp32" },
    { x: 214, y: 14, text: "2-layer taught q4" },
    { x: 190, y: 80, text: "2-layer taught q8" },
    { x: 212, y: 82, text: "2-layer taught fp32" },
  ];
  // Limits' names to both sides of the upper two.
  const taken = [
    { x: 0, y: 0, width: 170, height: 30 },
    { x: 240, y: 0, width: 160, height: 30 },
  ];
  const boxes = placeLabels(anchors, { area, taken, lines: [] }).map((box) => box!);
  const leads = boxes.map((box, i) =>
    box.far ? along([[anchors[i]!.x, anchors[i]!.y], leadEnd(anchors[i]!, box)]) : [],
  );
  expect(boxes.filter(({ far }) => far).length).toBeGreaterThan(0);
  for (const [i, lead] of leads.entries()) {
    for (const [j, box] of boxes.entries()) {
      if (i === j) continue;
      expect(
        lead.every((part) => apart(part, box)),
        `${i} over the label of ${j}`,
      ).toBe(true);
      expect(
        lead.every((part) => clear(part, leads[j]!)),
        `${i} over the line of ${j}`,
      ).toBe(true);
    }
  }
});

test("a limit's name is clear of points; a limit beyond the axis has an arrow and no line", () => {
  const x = axis("MB", [1, 5], 0);
  const at = (value: number): number => (value / x.max) * area.width;
  const occupied = [
    { x: at(2), y: 270, width: 80, height: 30 },
    { x: at(2) - 80, y: 270, width: 80, height: 30 },
  ];
  const near = limitColumn(2, { axis: x, at, plot: area, occupied });
  expect(near.lines).toHaveLength(1);
  expect(clear(near.boxes[0]!, occupied)).toBe(true);
  const far = limitColumn(90, { axis: x, at, plot: area, occupied: [] });
  expect(far.lines).toEqual([]);
  expect(JSON.stringify(far.shape)).toContain("limit 90 \u2192");
  const y = axis("loss", [2, 3]);
  const rows = {
    axis: y,
    at: (v: number) => 300 - ((v - y.min) / (y.max - y.min)) * 300,
    plot: area,
    occupied: [],
  };
  expect(JSON.stringify(limitRow(9, rows).shape)).toMatch(/height=\\"0\\".*limit 9\.\d* \u2191/);
  expect(JSON.stringify(limitRow(1, rows).shape)).toMatch(/height=\\"300\\".*limit 1\.\d* \u2193/);
  // Of a figure that is better the larger, what lies below the limit is ruled out.
  expect(JSON.stringify(limitRow(1, { ...rows, least: true }).shape)).toMatch(/height=\\"0\\"/);
  expect(JSON.stringify(limitRow(9, { ...rows, least: true }).shape)).toMatch(/height=\\"300\\"/);
});
