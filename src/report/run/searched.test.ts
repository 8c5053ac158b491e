/** The report of a search: what only a search tells. */
import { describe, expect, test } from "vitest";
import { historyLines } from "../lineage.ts";
import { modelCard } from "./card.ts";
import { funnelOf } from "./funnel.ts";
import { fixture } from "./report.fixture.ts";
import { reportHtml } from "./report.ts";
import { searched } from "./searched.fixture.ts";

const page = reportHtml(searched);
const sectionOf = (id: string, of = page): string =>
  of.match(new RegExp(`<section id="${id}">[\\s\\S]*?</section>`))?.[0] ?? "";
const words = (html: string): string =>
  html
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ")
    .trim();

describe("the report of a search", () => {
  test("has what a run of few candidates lacks, and nothing of it there", () => {
    const plain = reportHtml(fixture);
    for (const id of ["lineage", "search", "parameters", "importance", "beside"]) {
      expect(sectionOf(id), id).not.toBe("");
      expect(sectionOf(id, plain), id).toBe("");
    }
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object|<script/);
    const { search: _, beside: __, ...less } = searched;
    expect(sectionOf("search", reportHtml(less))).toBe("");
  });

  test("names of many candidates those on the line of a picture, by their numbers", () => {
    const labels = Array.from(
      sectionOf("pareto").matchAll(/class="label[^"]*"[^>]*>([^<]*)/g),
      ([, t]) => t!,
    );
    expect(labels.filter((text) => text === "13 3-layer distilled q8")).toHaveLength(3);
    const numbers = labels.map((text) => Number(/^\d+/.exec(text)![0]));
    const ends = searched.candidates.filter(({ onFront }) => !onFront).map(({ number }) => number!);
    expect(numbers.filter((number) => ends.includes(number))).toEqual([]);
    expect(labels.length).toBeGreaterThan(8);
    for (const { number, name } of searched.candidates)
      expect(sectionOf("candidates")).toContain(`<span class="soft">${number}</span> ${name}`);
  });

  test("draws intervals, and the third figure as an area", () => {
    const [size] = sectionOf("pareto").match(/<svg[\s\S]*?<\/svg>/)!;
    const radii = Array.from(size.matchAll(/class="point[^"]*"[^>]* r="([\d.]+)"/g), ([, r]) => Number(r));
    expect(Math.max(...radii)).toBe(9);
    expect(Math.min(...radii)).toBeLessThan(7);
    expect(size.match(/class="ends"/g)!.length).toBeGreaterThan(10);
  });

  test("tells of the front how each was made, the shipped one first and open, with its command", () => {
    const text = sectionOf("lineage");
    const made = text.match(/<details[\s\S]*?<\/details>/g)!;
    expect(made).toHaveLength(searched.candidates.filter(({ onFront }) => onFront).length);
    expect(made[0]).toMatch(/^<details open>/);
    expect(words(made[0]!)).toBe(
      "13 3-layer distilled q8 shipped drop layers (keep 3) distill (alpha 0.9, temperature 1, steps 300) " +
        "quantize (bits 8, block 32) npx anneal export out/trial-13 --out point",
    );
    expect(words(text)).toContain("that others beat are not shown");
    expect(modelCard(searched)).toMatch(
      /1\. drop layers \(keep 3\)\n2\. distill \(alpha 0\.9, temperature 1, steps 300\)\n3\. quantize/,
    );
  });

  test("tells where configurations ended and why, and what that spared", () => {
    const text = words(sectionOf("search"));
    expect(text).toContain("the share of all 69 configurations");
    expect(text).toMatch(/size, foretold 69 asked 31 ended here/);
    expect(text).toContain("3-layer distilled fp32 and 30 like it: size foretold as 1.10 MB, of 1.00");
    expect(text).toMatch(/measured whole 27 asked all came through/);
    expect(text).toMatch(/spared about 20\.9 min \(58\.\d %\)/);
  });

  test("shows what the two say where they differ", () => {
    const text = words(sectionOf("beside"));
    expect(text).toContain("different things of 14 of 872 records (1.6 %): full fp32 alone is right on 8");
    expect(sectionOf("beside")).toContain('<dd class="bad">negative</dd>');
  });
});

describe("funnelOf", () => {
  const stages = { size: "size", failed: "failed", measured: "measured" };

  test("counts those that come to each stage; of none it spares nothing", () => {
    const all = [
      { name: "a", stage: "size", seconds: 0, why: "5 MB, of 3" },
      { name: "b", stage: "measured", seconds: 10 },
      { name: "c", stage: "size", seconds: 1, why: "7 MB, of 3" },
      { name: "d", stage: "failed", seconds: 30 },
    ] as const;
    const { stages: found, spentSec, savedSec } = funnelOf(all, stages);
    expect(found.map(({ entered, ended }) => [entered, ended])).toEqual([
      [4, 2],
      [2, 1],
      [1, 0],
    ]);
    expect(found[0]!.reasons).toEqual([{ why: "5 MB, of 3", count: 2, name: "a" }]);
    expect(found[1]!.reasons).toEqual([{ why: "no reason told", count: 1, name: "d" }]);
    expect([spentSec, savedSec]).toEqual([41, 19]);
    expect(funnelOf([], stages)).toMatchObject({ spentSec: 0, savedSec: 0 });
  });
});

test("a history in words: a line a pass, what is not done left out, passes of one apart", () => {
  expect(
    historyLines([
      { name: "dropLayers", options: { keep: 2, by: "", taught: false } },
      {
        name: "a | b",
        options: [{ name: "sparsify", options: { method: "wanda", share: 0.5 } }, { name: "merge" }],
      },
      {
        name: "train",
        options: Object.fromEntries(Array.from({ length: 14 }, (_, i) => [`x${i}`, i + 0.5])),
      },
      { name: "smoothQuant", options: { tied: true, of: { bits: 4 }, layers: [1, 2], note: "x".repeat(90) } },
    ]),
  ).toEqual([
    "drop layers (keep 2)",
    "sparsify (method wanda, share 0.5)",
    "merge",
    `train (${Array.from({ length: 10 }, (_, i) => `x${i} ${i + 0.5}`).join(", ")}, and 4 more)`,
    `smooth quant (tied, of bits 4, layers 1, 2, note ${"x".repeat(39)}\u2026)`,
  ]);
});
