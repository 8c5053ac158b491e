/** A report of a data pipeline in every part, and the same with hostile text in every field. */
import { lengthHistogram } from "../../data/pipeline/histogram.ts";
import { rng } from "../../util/rng.ts";
import type { DataPipelineReport } from "./report.ts";

const lengths = (name: string, unit: string, middle: number) => {
  const histogram = lengthHistogram();
  const random = rng(3, name);
  for (let i = 0; i < 4000; i++) histogram.add(Math.round(middle * Math.exp(1.1 * random.normal())));
  return histogram.report(name, unit);
};

export const stage = (
  name: string,
  docs: readonly [number, number],
  size: readonly [number, number],
  reasons: readonly (readonly [string, number, string, string?])[],
) => ({
  name,
  docsIn: docs[0],
  docsOut: docs[1],
  bytesIn: size[0],
  bytesOut: size[1],
  reasons: reasons.map(([reason, count, excerpt, matched]) => ({
    reason,
    count,
    examples: [{ id: `web/${name}.jsonl:${count}`, excerpt, ...(matched === undefined ? {} : { matched }) }],
  })),
});

export const fixture: DataPipelineReport = {
  title: "Forum and books",
  stages: [
    stage(
      "repair",
      [51_204, 50_911],
      [212_400_000, 209_800_000],
      [
        ["empty", 201, ""],
        ["missing value", 92, "N/A"],
      ],
    ),
    stage(
      "rules",
      [50_911, 38_204],
      [209_800_000, 160_400_000],
      [
        ["too few words", 9020, "Log in | Sign up | Help"],
        ["repeated lines", 3687, "BUY NOW\nBUY NOW\nBUY NOW"],
      ],
    ),
    stage(
      "decontamination",
      [38_204, 38_190],
      [160_400_000, 160_200_000],
      [["13 words of an evaluation", 14, "The quick"]],
    ),
    stage(
      "exact duplicates",
      [38_190, 33_014],
      [160_200_000, 139_300_000],
      [
        [
          "exact duplicate",
          5176,
          "All rights reserved by the respective owners of the board.",
          "web/a.jsonl:3",
        ],
      ],
    ),
    stage(
      "near duplicates",
      [33_014, 29_480],
      [139_300_000, 121_000_000],
      [["near duplicate", 3534, "Posted by admin at 12:04. The garden in April wants", "web/b.jsonl:77"]],
    ),
    stage(
      "repeated paragraphs",
      [29_480, 29_455],
      [121_000_000, 114_900_000],
      [
        [
          "repeated paragraph",
          20_113,
          "By posting you agree to the terms of use of this board and of its",
          "web/a.jsonl:1",
        ],
      ],
    ),
    stage("repeated substrings", [29_455, 29_450], [114_900_000, 113_700_000], []),
    stage("selection", [29_450, 20_000], [113_700_000, 71_200_000], []),
  ].map((s, i) =>
    i > 5 ? { ...s, tokensIn: Math.round(s.bytesIn / 4), tokensOut: Math.round(s.bytesOut / 4) } : s,
  ),
  histograms: [
    lengths("Documents in characters", "characters", 1800),
    lengths("Documents in tokens", "tokens", 420),
  ],
  languages: [
    { language: "en", documents: 15_204 },
    { language: "de", documents: 3120 },
    { language: "fr", documents: 1201 },
    { language: "unknown", documents: 402 },
    ...["es", "it", "nl", "pt", "pl", "sv", "cs", "da", "fi"].map((language, i) => ({
      language,
      documents: 20 - 2 * i,
    })),
  ],
  clusters: {
    method: "MinHash of word 5-grams, 14 bands of 8 rows",
    clusters: 2210,
    documents: 5744,
    sizes: [
      { size: 2, clusters: 1604 },
      { size: 3, clusters: 388 },
      { size: 4, clusters: 121 },
      { size: 5, clusters: 97 },
    ],
    examples: [
      {
        kept: {
          id: "web/b.jsonl:77",
          excerpt: "Posted by anna at 11:58. The garden in April wants patience more than work.",
        },
        dropped: [
          {
            id: "web/c.jsonl:9",
            excerpt: "Posted by admin at 12:04. The garden in April wants patience more than work.",
            similarity: 0.912,
          },
          {
            id: "web/c.jsonl:802",
            excerpt: "The garden in April wants patience, more than work!",
            similarity: 0.803,
            matched: "web/c.jsonl:9",
          },
        ],
      },
    ],
  },
  rules: [
    {
      name: "too few words",
      measures: "words of the document",
      allows: "at least",
      threshold: 50,
      source: "Gopher",
      count: 9020,
      examples: [{ id: "web/x.jsonl:4", excerpt: "Log in | Sign up | Help", value: 6 }],
    },
    {
      name: "repeated lines",
      measures: "share of lines that came before",
      allows: "at most",
      threshold: 0.3,
      source: "Gopher",
      count: 3687,
      examples: [{ id: "web/x.jsonl:8", excerpt: "BUY NOW\nBUY NOW\nBUY NOW", value: 0.667 }],
    },
  ],
  contamination: [
    {
      file: "eval/qa.jsonl",
      ngram: 13,
      hits: 14,
      examples: [
        {
          id: "web/y.jsonl:12",
          excerpt: "the quick brown fox jumps over the lazy dog and then",
          matched: "eval/qa.jsonl:33",
        },
      ],
    },
  ],
  selection: {
    target: "books.jsonl",
    method: "importance resampling on hashed bigrams",
    pool: 29_450,
    selected: 20_000,
    klBefore: 0.8131,
    klAfter: 0.2204,
    coverage: [
      { name: "words", before: 0.71, after: 0.93 },
      { name: "clusters", before: 0.55, after: 1 },
    ],
    diversity: [
      { name: "distinct bigrams", before: 0.41, after: 0.47 },
      { name: "self-similarity", before: 0.22, after: 0.17 },
    ],
  },
  mixture: [
    { source: "forum", documents: 12_000, tokens: 9_200_000, weight: 0.6, epochs: 1 },
    { source: "books", documents: 8000, tokens: 6_133_333, weight: 0.4, epochs: 2.31 },
  ],
  splits: [
    {
      name: "train",
      documents: 19_000,
      bytes: 67_600_000,
      tokens: 16_904_112,
      files: ["train-0.jsonl", "train-1.jsonl"],
    },
    { name: "validation", documents: 1000, bytes: 3_600_000, tokens: 899_120, files: ["validation.jsonl"] },
  ],
  tokenizer: { name: "tokenizer.json", vocab: 8192 },
  notes: ["31 repeated passages had no room in memory and stayed."],
  provenance: {
    command: "anneal data forum/ books.jsonl --like books.jsonl --out data/",
    createdBy: "anneal 0.4.0",
    seed: 1,
    config: { near: "fineweb", minChars: 200, rules: ["gopher", "c4"], validationShare: 0.05 },
    configHash: "5f2c".repeat(16),
    inputs: [{ file: "forum/a.jsonl", bytes: 101_222_333, sha256: "ab12".repeat(16) }],
    outputs: [{ file: "train-0.jsonl", bytes: 33_800_000, sha256: "cd34".repeat(16) }],
  },
};

const EVIL = `"'><script>alert(1)</script><img src=x onerror=alert(2)>]]>--></style></svg>\`\`\`\n---\n# | a |\u202e\u0000&`;

/** The same shape with every string replaced. */
export const poisoned = <T>(value: T, keep: ReadonlySet<string> = new Set()): T => {
  const visit = (v: unknown, key: string): unknown => {
    if (typeof v === "string") return v === "" || keep.has(key) ? v : EVIL;
    if (Array.isArray(v)) return v.map((item) => visit(item, key));
    if (typeof v !== "object" || v === null) return v;
    return Object.fromEntries(
      Object.entries(v).map(([k, item]) => [key === "config" ? EVIL + k : k, visit(item, k)]),
    );
  };
  return visit(value, "") as T;
};
