import { describe, expect, test } from "vitest";
import { modelCard } from "./card.ts";
import { fixture } from "./report.fixture.ts";

describe("modelCard", () => {
  const card = modelCard(fixture);

  test("opens with front matter that names library, task and license", () => {
    const matter = card.match(/^---\n([\s\S]*?)\n---\n/)![1]!;
    for (const line of ["license: other", "library_name: transformers.js", "pipeline_tag: text-generation"]) {
      expect(matter.split("\n")).toContain(line);
    }
  });

  test("has the shipped dtypes with their files and no other candidate's row", () => {
    for (const file of ["onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model_q4.onnx"]) {
      expect(card.match(new RegExp(`\\| \`${file}\` \\|`, "g")), file).toHaveLength(1);
    }
    expect(card).toContain("| **q8** (default) | `onnx/model_quantized.onnx` | 0.742 | 2.3431 |");
    expect(card.match(/## Figures[\s\S]*?\n## /)![0]).not.toContain("2.2853");
  });

  test("of one GGUF file has its name once, and says how llama.cpp runs it", () => {
    const file = "m-1M-v1.0-Q8_0.gguf";
    const own = modelCard({ ...fixture, ggufFile: file });
    expect(own).toContain("library_name: gguf");
    expect(own).toContain(`| **q8** (default) | \`${file}\` |`);
    expect(own.match(/## Figures[\s\S]*?\n## /)![0]).not.toContain("onnx");
    expect(own).toContain(`llama-cli -m "${file}"`);
    expect(own).toContain("ollama create");
    expect(own).toContain("Its GGUF file, q8, is");
    expect(own).not.toContain("@huggingface/transformers");
  });

  test("says what the smallest, fastest and best are beside it", () => {
    const section = card.match(/## Beside other candidates[\s\S]*?\n## /)![0];
    const rows = section.split("\n").filter((row) => row.startsWith("| **"));
    expect(rows.map((row) => row.match(/\*\*(.*?)\*\*: (.*?) \|/)!.slice(1))).toEqual([
      ["shipped", "2-layer taught q8"],
      ["smallest", "2-layer taught q4"],
      ["fastest", "2-layer taught fp32"],
      ["best", "whole q8"],
    ]);
    expect(rows[3]).toMatch(
      /gains 0\.0578 \u00b1 0\.0066 bits per byte less lost; gives up 1\.54x the size, 1\.73x the p50 \|$/,
    );
  });

  test("has code with the default dtype, the command, hashes and parity", () => {
    expect(card.match(/dtype: "q8"/g)).toHaveLength(2);
    expect(card).toContain("npx anneal generate DIR");
    expect(card).toContain("```sh\nanneal quickstart --max-mb 1 --max-loss 0.1\n```");
    expect(card).toContain("| config.json | `5e884898");
    expect(card).toMatch(
      /\| node-cpu \| q4 \| passed \| 1\.42 \| 0\.996200 \| 87\.1 % \| 87\.1 % \| 30 % \|/,
    );
    expect(card).toContain("| web-wasm |  | not checked |");
    expect(card).toContain("not checked: a \\| b");
    expect(card).not.toMatch(/NaN|undefined|Infinity|\[object/);
    expect(modelCard(structuredClone(fixture))).toBe(card);
  });

  test("lets no text break out of its place", () => {
    const machine = "a | b\n# heading <img src=x>";
    const hostile = modelCard({
      ...fixture,
      provenance: { ...fixture.provenance, machine, command: "x\n```\n# out" },
    });
    expect(hostile).toContain("a \\| b \\# heading \\<img src=x\\>");
    expect(hostile).toContain("````sh\nx\n```\n# out\n````");
  });

  test("says that a budget is exceeded", () => {
    const missed = modelCard({ ...fixture, met: false, exceeded: ["size 2.00 MB (limit 1)"] });
    expect(missed).toContain("It exceeds (size 2.00 MB (limit 1)) the budget it was made for: at most 1 MB");
    expect(modelCard({ ...fixture, budget: [] })).not.toContain("budget");
  });

  test("lists a shipped dtype that was not measured", () => {
    const chosen = "2-layer cut fp32";
    const row = modelCard({ ...fixture, chosen }).match(/^\| q4 \| .*$/m)![0];
    expect(row).toBe(`| q4 | \`onnx/model_q4.onnx\` |${" \u2013 |".repeat(6)}`);
  });

  test("every table has rows as wide as its head", () => {
    for (const [block] of card.matchAll(/(?:^\|.*\n?)+/gm)) {
      const widths = block
        .trim()
        .split("\n")
        .map((row) => row.split(/(?<!\\)\|/).length);
      expect(new Set(widths).size, block).toBe(1);
    }
  });
});
