import { describe, expect, test } from "vitest";
import { dataCard } from "./card.ts";
import { fixture, poisoned } from "./report.fixture.ts";

describe("README.md", () => {
  const card = dataCard(fixture);
  const front = (text: string): string => /^---\n([\s\S]*?)\n---\n/.exec(text)![1]!;

  test("has front matter by the conventions of the Hub", () => {
    expect(
      front(card)
        .split("\n")
        .filter((line) => !line.startsWith("#")),
    ).toEqual([
      "license: other",
      "license_name: not-chosen-yet",
      'pretty_name: "Forum and books"',
      "language:",
      '- "en"',
      '- "de"',
      '- "fr"',
      "size_categories:",
      '- "10K<n<100K"',
      "task_categories:",
      '- "text-generation"',
      "tags:",
      '- "anneal"',
      "configs:",
      "- config_name: default",
      "  data_files:",
      '  - split: "train"',
      "    path:",
      '    - "train-0.jsonl"',
      '    - "train-1.jsonl"',
      '  - split: "validation"',
      "    path:",
      '    - "validation.jsonl"',
      "dataset_info:",
      "  splits:",
      '  - name: "train"',
      "    num_bytes: 67600000",
      "    num_examples: 19000",
      '  - name: "validation"',
      "    num_bytes: 3600000",
      "    num_examples: 1000",
      "  dataset_size: 71200000",
    ]);
  });

  test("has the command, the hashes, and every section", () => {
    expect(card).toContain(fixture.provenance.command);
    for (const { sha256 } of [...fixture.provenance.inputs, ...fixture.provenance.outputs])
      expect(card).toContain(sha256);
    expect(card.match(/^## /gm)).toHaveLength(11);
    expect(card).not.toMatch(/NaN|undefined|\[object/);
  });

  test("keeps hostile text as text", () => {
    const evil = dataCard(poisoned(fixture));
    expect(front(evil).split("\n---").length).toBe(1);
    expect(front(evil)).toContain("license_name: not-chosen-yet");
    const body = evil.slice(front(evil).length + 8).replace(/^(`{3,})\w*\n[\s\S]*?\n\1$/gm, "");
    expect(body).not.toMatch(/(?<!\\)<script|(?<!\\)<img/);
    expect(evil).not.toMatch(/(?!\n)[\p{Cc}\u202e]/u);
    for (const line of body.split("\n").filter((l) => l.startsWith("| "))) {
      expect(line).toMatch(/ \|$/);
    }
    const heading = evil.match(/^#+ .*$/gm)!;
    expect(heading.filter((h) => !h.startsWith("## "))).toHaveLength(
      1 + (evil.match(/^# \| a \|/gm)?.length ?? 0) + 2,
    );
  });
});
