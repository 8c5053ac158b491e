import { describe, expect, test } from "vitest";
import { evil } from "../run/report.fixture.ts";
import { saidOfEachKind, tunedFixture } from "./report.fixture.ts";
import { tunedReportHtml } from "./report.ts";

/** Every element closed in order. */
const unclosed = (page: string): string[] => {
  const open: string[] = [];
  const empty = new Set(["meta", "line", "circle", "rect", "polyline", "path", "br"]);
  for (const [, close, name] of page.matchAll(/<(\/?)([a-z][a-z0-9]*)[^>]*>/g)) {
    if (empty.has(name!)) continue;
    if (close === "") open.push(name!);
    else if (open.pop() !== name) return [`</${name}>`];
  }
  return open;
};

const text = (page: string): string =>
  page
    .replace(/<style>.*<\/style>/s, "")
    .replace(/<[^>]+>/g, " ")
    .replace(/\s+/g, " ");

describe.each(Object.entries(saidOfEachKind))("a report of %s", (kind, said) => {
  const page = tunedReportHtml({ ...tunedFixture, said });

  test("is one closed document whose contents name its sections", () => {
    expect(unclosed(page)).toEqual([]);
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
    const ids = Array.from(page.matchAll(/<section id="([a-z]+)"/g), ([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(page).toContain(`href="#${id}"`);
    expect(ids).toContain(kind === "answers" ? "samples" : "errors");
  });

  test("shows records as text", () => {
    const all = said.all.map((each) => ({ ...each, id: evil }));
    const bad = tunedReportHtml({ ...tunedFixture, said: { ...said, all } as typeof said });
    expect(bad).not.toContain("<script");
    expect(unclosed(bad)).toEqual([]);
  });
});

test("labels: the surest error first, the confusion counted, the baseline told", () => {
  const page = text(tunedReportHtml({ ...tunedFixture, said: saidOfEachKind.labels }));
  expect(page).toContain("Always saying &quot;good&quot; would be right for 50 %");
  const [surest, next] = ["a dull sunset", "not a bad film"].map((words) => page.indexOf(words));
  expect(surest).toBeGreaterThan(0);
  expect(next).toBeGreaterThan(surest!);
  expect(page).toMatch(/it is good , said bad with 97 %/);
});

test("tags: entities found, missed and made up", () => {
  const page = text(tunedReportHtml({ ...tunedFixture, said: saidOfEachKind.tags }));
  expect(page).toContain("1 of 3 entities were found");
  expect(page).toMatch(/Said besides: 1, which are none/);
});

test("an evaluation without predictions shows its figures alone", () => {
  const { curve: _, ...plain } = tunedFixture;
  const page = tunedReportHtml({ ...plain, training: [], records: [] });
  expect(unclosed(page)).toEqual([]);
  expect(page).not.toContain('id="training"');
});
