import { describe, expect, test } from "vitest";
import { ConfigError } from "../../util/errors.ts";
import { modelCard } from "./card.ts";
import { candidates, decay, evil, fixture } from "./report.fixture.ts";
import { type Report, reportHtml } from "./report.ts";

/** Every element closed in order, as a page without implied end tags has to be. */
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

describe("reportHtml", () => {
  const page = reportHtml(fixture);

  test("is one closed document with every section and candidate", () => {
    expect(unclosed(page)).toEqual([]);
    for (const id of [
      "pareto",
      "picks",
      "candidates",
      "training",
      "data",
      "samples",
      "parity",
      "notes",
      "provenance",
    ]) {
      expect(page.match(new RegExp(`id="${id}"`, "g")), id).toHaveLength(1);
    }
    for (const { name } of candidates) expect(page).toContain(`<th scope="row">${name}</th>`);
    expect(page.match(/<svg/g)).toHaveLength(5);
    expect(page).not.toMatch(/NaN|undefined|Infinity|\[object/);
  });

  test("says what was shipped, what it lost and whether the budget is met", () => {
    const sentence = page
      .match(/<p class="lead-sentence">([\s\S]*?)<\/header>/)![1]!
      .replace(/<[^>]+>/g, "")
      .replace(/\s+/g, " ");
    expect(sentence).toContain(
      "Shipped 2-layer taught q8: 0.742 MB, 0.463 ms per token, 2.343 bits per byte",
    );
    expect(sentence).toContain("0.0590 more than the whole model (whole fp32: 4.31 MB, 0.731 ms, 2.284)");
    expect(sentence).toContain(
      "The budget is met (at most 1 MB; at most 0.1 bits per byte lost)".replace("; ", ", "),
    );
    const missed = reportHtml({ ...fixture, met: false, exceeded: ["size 2.00 MB (limit 1)"] });
    expect(missed).toMatch(/The budget is not met<\/span>[\s\S]*size 2\.00 MB \(limit 1\)/);
    expect(reportHtml({ ...fixture, budget: [] })).toContain("No budget was set");
  });

  test("shows what fails parity with the reason, and off the line of the best", () => {
    const line = (of: string) => of.match(/<polyline class="front"[^>]*>|<path class="front"[^>]*>/g);
    const smallest = candidates.findIndex(({ name }) => name === "2-layer taught q4");
    const fault = "cosine 0.5 <b>";
    const marked = candidates.map((c, i) => (i === smallest ? { ...c, fault, onFront: false } : c));
    const faulty = reportHtml({ ...fixture, candidates: marked });
    expect(faulty).toContain('<td class="text">fails parity: cosine 0.5 &lt;b&gt;</td>');
    expect(faulty.match(/<td class="text bad">fails</g)).toHaveLength(1);
    expect(faulty.match(/<td class="text">passes</g)).toHaveLength(candidates.length - 1);
    expect(unclosed(faulty)).toEqual([]);
    expect(line(page)).not.toBeNull();
    expect(line(faulty)).not.toEqual(line(page));
    const failed = { status: "failed" as const, reason: "cosine 0.5" };
    const targets = { "node-cpu": { status: "failed" as const, dtypes: { q4: failed } } };
    const judged = reportHtml({ ...fixture, parity: { ...fixture.parity, targets } });
    expect(judged).toContain('<td class="text">failed: cosine 0.5</td>');
  });

  test("names the smallest, the fastest and the best, with what each gives up", () => {
    const rows = (of: string): string[] =>
      Array.from(of.matchAll(/<tr[^>]*>\s*<th scope="row">(?:(?!<\/tr>)[\s\S])*<\/tr>/g), ([text]) =>
        text
          .replace(/<[^>]+>/g, " ")
          .replace(/\s+/g, " ")
          .trim(),
      );
    const [section] = page.match(/<section id="picks">[\s\S]*?<\/section>/)!;
    const picks = rows(section);
    expect(picks.map((text) => text.split(" ").slice(0, 4).join(" "))).toEqual([
      "chosen 2-layer taught q8",
      "smallest 2-layer taught q4",
      "fastest 2-layer taught fp32",
      "best whole q8 2.2853",
    ]);
    expect(picks[0]).toMatch(/q8 2\.3431 2\.3221 to 2\.3641 0\.742 0\.463 0\.454 to 0\.472/);
    const blocks = Array.from(section.matchAll(/<h3>[\s\S]*?<\/ul>/g), ([text]) =>
      text
        .replace(/<[^>]+>/g, " ")
        .replace(/\s+/g, " ")
        .trim(),
    );
    expect(blocks[2]).toMatch(
      /^fastest 2-layer taught fp32 against the chosen: 3\.67x the size; lost within noise/,
    );
    expect(blocks[2]).toMatch(/beyond the budget: size 2\.72 MB \(limit 1\) not told from 2-layer cut fp32$/);
    expect(blocks[3]).toContain("against the chosen: 1.54x the size; 1.73x the p50");
    const alone = reportHtml({ ...fixture, chosen: candidates[0]!.name, candidates: [candidates[0]!] });
    expect(alone).not.toContain('id="picks"');
  });

  test("runs nothing and loads nothing", () => {
    expect(page).not.toMatch(/<(script|link|img|iframe|object|embed|base|form)\b/i);
    expect(page).not.toMatch(/\b(src|href|action)=(?!&|"#[a-z]+")|url\(|@import/i);
    expect(page.replaceAll("https://evil.example", "")).not.toMatch(/https?:|\/\/[a-z]/i);
    expect(page).toContain("default-src 'none'; style-src 'unsafe-inline'; img-src data:");
  });

  test("escapes every text that is not its own", () => {
    const texts = {
      title: evil,
      chosen: `${evil} q8`,
      rule: evil,
      notes: [evil],
      candidates: [{ ...candidates[0]!, name: `${evil} q8`, note: evil }],
      curves: [{ ...fixture.curves[0]!, name: evil }],
      samples: [{ name: evil, prompt: evil, text: evil }],
      provenance: {
        ...fixture.provenance,
        command: evil,
        machine: evil,
        createdBy: evil,
        versions: { [evil]: evil },
        hashes: { [evil]: evil },
      },
    };
    const hostile = reportHtml({ ...fixture, ...texts });
    expect(hostile).not.toContain("<script");
    expect(hostile.match(/&lt;script src=&quot;https/g)!.length).toBeGreaterThan(15);
    expect(unclosed(hostile)).toEqual([]);
  });

  test("shows control characters", () => {
    expect(page).toContain("here\u2407\u27e8U+202E\u27e9");
    expect(page).toContain("the\u2400 value &lt;/pre&gt;");
    expect(page).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    const lone = reportHtml({ ...fixture, notes: ["a\ud83db \ud83d\ude00"] });
    expect(lone).toContain("a\u27e8U+D83D\u27e9b \ud83d\ude00");
  });

  test("makes the same bytes of the same report", () => {
    expect(reportHtml(structuredClone(fixture))).toBe(page);
  });

  test("writes figures for people", () => {
    for (const text of [
      "1\u202f066\u202f000",
      "812\u202f345",
      "2.3431",
      "+0.0590",
      "1.3e\u22125",
      "98.1 %",
      "4.92 MB",
    ]) {
      expect(page, text).toContain(text);
    }
  });

  test("keeps labels apart and within the picture", () => {
    for (const [svg] of page.matchAll(/<svg[\s\S]*?<\/svg>/g)) {
      const label = /class="label[^"]*" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">([^<]*)/g;
      const boxes = Array.from(svg.matchAll(label), ([, x, y, anchor, text]) => {
        const half = text!.length * 3;
        return {
          x: Number(x) + (anchor === "start" ? half : anchor === "end" ? -half : 0),
          y: Number(y),
          half,
        };
      });
      for (const [i, a] of boxes.entries()) {
        expect(a.x - a.half).toBeGreaterThanOrEqual(0);
        expect(a.x + a.half).toBeLessThanOrEqual(440);
        for (const b of boxes.slice(i + 1)) {
          expect(Math.abs(a.y - b.y) >= 12 || Math.abs(a.x - b.x) >= a.half + b.half).toBe(true);
        }
      }
    }
    for (const { name } of candidates)
      expect(page.split("</svg>")[0]).toMatch(new RegExp(`text-anchor="\\w+">${name}`));
  });

  test("draws limits that are near, and a far outlier at the edge with its value", () => {
    const [size] = page.match(/<svg[\s\S]*?<\/svg>/)!;
    expect(size.match(/class="limit"/g)).toHaveLength(2);
    expect(size).toContain(">limit 1<");
    expect(size).toMatch(/2-layer cut fp32 \(3\.4\d*\)/);
    expect(size.match(/<path class="point/g)).toHaveLength(1);
    const wide = [
      { figure: "sizeBytes", most: 500e6 },
      { figure: "lost", most: 60 },
    ];
    const far = reportHtml({ ...fixture, budget: wide });
    expect(far).not.toContain('class="limit"');
    expect(far).toMatch(/class="limit-name"[^>]*>limit 500 \u2192</);
    expect(far.match(/class="limit-name"[^>]*>limit 62\.\d* \u2191</g)).toHaveLength(2);
  });

  test("has contents of the sections that there are", () => {
    const links = (text: string): string[] =>
      Array.from(text.matchAll(/<a href="#(\w+)">/g), ([, id]) => id!);
    expect(links(page)).toEqual(Array.from(page.matchAll(/<section id="(\w+)">/g), ([, id]) => id!));
    expect(links(page)).toContain("notes");
    expect(links(reportHtml({ ...fixture, notes: [] }))).not.toContain("notes");
  });

  test("works with one candidate, no drops, no curves, no samples", () => {
    const [only] = candidates;
    const least = reportHtml({
      ...fixture,
      chosen: only!.name,
      candidates: [only!],
      curves: [],
      samples: [],
      notes: [],
      parity: { ...fixture.parity, targets: {} },
      data: { stages: [{ name: "clean", docsIn: 0, docsOut: 0, bytesIn: 0, bytesOut: 0, reasons: [] }] },
    });
    expect(unclosed(least)).toEqual([]);
    expect(least).not.toMatch(/NaN|undefined|Infinity/);
    expect(least).toContain("It is the whole model itself");
    expect(least).toContain("Nothing was trained in this run");
  });

  test("works with curves that are empty, of one point, or not finite", () => {
    const curves: Report["curves"] = [
      { name: "none", train: [], validation: [] },
      { name: "one", train: [[10, 2]], validation: [] },
      {
        name: "nan",
        train: [
          [0, 3],
          [1, Number.NaN],
          [2, 2.5],
        ],
        validation: [[2, Number.POSITIVE_INFINITY]],
      },
      { name: "long", train: decay(5000, 1, 8, 3, 0.1), validation: [[0, 8]] },
    ];
    const drawn = reportHtml({ ...fixture, curves });
    expect(drawn).toContain("No loss was recorded");
    expect(drawn).toContain('class="train-dot"');
    expect(drawn).not.toMatch(/NaN|Infinity/);
    const longest = Array.from(
      drawn.matchAll(/class="train" points="([^"]*)"/g),
      ([, p]) => p!.split(" ").length,
    );
    expect(Math.max(...longest)).toBeLessThanOrEqual(300);
  });

  test("throws where the chosen one is not a candidate", () => {
    expect(() => reportHtml({ ...fixture, chosen: "other" })).toThrow(ConfigError);
    expect(() => modelCard({ ...fixture, candidates: [] })).toThrow(/no candidate is named/);
  });
});
