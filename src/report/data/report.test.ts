import { writeFileSync } from "node:fs";
import { parse } from "parse5";
import { describe, expect, test } from "vitest";
import { lengthHistogram } from "../../data/pipeline/histogram.ts";
import { dataCard } from "./card.ts";
import { fixture, poisoned, stage } from "./report.fixture.ts";
import { dataReportHtml, dataReportJson } from "./report.ts";

interface Element {
  readonly nodeName: string;
  readonly attrs?: readonly { readonly name: string; readonly value: string }[];
  readonly childNodes?: readonly Element[];
}

const elements = (page: string): Element[] => {
  const all = (node: Element): Element[] => [node, ...(node.childNodes ?? []).flatMap(all)];
  return all(parse(page) as Element);
};

if (process.env.DATA_REPORT !== undefined) writeFileSync(process.env.DATA_REPORT, dataReportHtml(fixture));

describe("report.html", () => {
  const page = dataReportHtml(fixture);

  test("is escaped in every field", () => {
    const [clean, evil] = [page, dataReportHtml(poisoned(fixture))].map(elements) as [Element[], Element[]];
    const names = (list: readonly Element[]): Set<string> => new Set(list.map(({ nodeName }) => nodeName));
    expect(names(clean)).toEqual(names(evil));
    expect(names(evil).has("script") || names(evil).has("img")).toBe(false);
    const attributes = new Set(evil.flatMap(({ attrs = [] }) => attrs.map(({ name }) => name)));
    expect(attributes.has("onerror")).toBe(false);
    const tags = (list: readonly Element[]): string[] =>
      list.map(({ nodeName }) => nodeName).filter((name) => name !== "#text");
    expect(tags(evil)).toEqual(tags(clean));
    expect(dataReportHtml(poisoned(fixture))).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u);
  });

  test("needs nothing but itself", () => {
    expect(page).not.toMatch(/\b(?:src|href)="(?!#)|@import|url\(/);
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });

  test("says the numbers of the first and the last stage, and links every section", () => {
    const text = page.replace(/<[^>]+>/g, "").replace(/\s+/g, " ");
    expect(text).toContain("Kept 20 000 of 51 204 documents, 71.2 MB of 212 MB: 17 803 232 tokens.");
    const ids = Array.from(page.matchAll(/<section id="([a-z]+)"/g), ([, id]) => id);
    expect(Array.from(page.matchAll(/href="#([a-z]+)"/g), ([, id]) => id)).toEqual(ids);
    expect(ids.length).toBe(11);
  });

  test("draws each stage as wide as what it lets through", () => {
    const widths = Array.from(page.matchAll(/class="flow"[^>]* width="([\d.]+)"/g), ([, w]) => Number(w));
    const sizes = [fixture.stages[0]!.bytesIn, ...fixture.stages.map((s) => s.bytesOut)];
    expect(widths).toHaveLength(sizes.length);
    for (const [i, width] of widths.entries()) {
      expect(Math.abs(width / widths[0]! - sizes[i]! / sizes[0]!)).toBeLessThan(0.001);
    }
  });

  test("of nothing", () => {
    const { selection: _, clusters: __, tokenizer: ___, ...rest } = fixture;
    const none = {
      ...rest,
      stages: [],
      histograms: [],
      languages: [],
      rules: [],
      contamination: [],
      mixture: [],
      splits: [],
      notes: [],
    };
    for (const text of [dataReportHtml(none), dataCard(none)]) {
      expect(text).not.toMatch(/NaN|undefined|Infinity|\[object/);
    }
    const empty = {
      ...fixture,
      stages: [stage("repair", [0, 0], [0, 0], [])],
      histograms: [lengthHistogram().report("a", "b")],
    };
    for (const text of [dataReportHtml(empty), dataCard(empty)])
      expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});

test("report.json is the same data", () => {
  expect(JSON.parse(dataReportJson(fixture))).toEqual(fixture);
});
