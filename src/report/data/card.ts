/**
 * The data card, README.md of a prepared data set: what it is, where it is from, what was dropped, how to
 * make it again. Front matter as https://huggingface.co/docs/hub/datasets-cards describes it.
 */

import { bytes, count, fixed, percent, plain, short } from "../../render/figures.ts";
import { visible } from "../../render/html.ts";
import { fenced, inline, table } from "../../render/markdown.ts";
import type { DataPipelineReport, HashedFile, LanguageCount, SplitPart } from "./model.ts";
import { totalsOf } from "./sections.ts";

/** A scalar of YAML: double-quoted, which takes the escapes of JSON. */
const quoted = (text: string): string => JSON.stringify(visible(text.replace(/\s+/g, " ")));

const SIZES: readonly (readonly [below: number, category: string])[] = [
  [1e3, "n<1K"],
  [1e4, "1K<n<10K"],
  [1e5, "10K<n<100K"],
  [1e6, "100K<n<1M"],
  [1e7, "1M<n<10M"],
  [1e8, "10M<n<100M"],
  [1e9, "100M<n<1B"],
  [Number.POSITIVE_INFINITY, "1B<n<10B"],
];

/** Codes of the languages that one document in a hundred has. */
const languageCodes = (languages: readonly LanguageCount[]): string[] => {
  const total = languages.reduce((sum, { documents }) => sum + documents, 0);
  return languages
    .filter(({ language, documents }) => /^[a-z]{2,3}$/.test(language) && documents >= 0.01 * total)
    .toSorted((a, b) => b.documents - a.documents)
    .map(({ language }) => language);
};

/** The Hub's names of splits hold letters, digits and underscores. */
const splitName = (name: string): string => name.replace(/[^A-Za-z0-9_]+/g, "_") || "_";

const READABLE = /\.(jsonl|json|csv|tsv|parquet|txt)(\.gz|\.zst)?$/;

const dataFiles = (splits: readonly SplitPart[]): string[] => {
  const readable = splits
    .map((part) => ({ ...part, files: part.files.filter((file) => READABLE.test(file)) }))
    .filter(({ files }) => files.length > 0);
  if (readable.length === 0) return [];
  const rows = readable.flatMap(({ name, files }) => [
    `  - split: ${quoted(splitName(name))}`,
    "    path:",
    ...files.map((file) => `    - ${quoted(file)}`),
  ]);
  return ["configs:", "- config_name: default", "  data_files:", ...rows];
};

const list = (name: string, values: readonly string[]): string[] =>
  values.length === 0 ? [] : [`${name}:`, ...values.map((value) => `- ${quoted(value)}`)];

const frontMatter = (report: DataPipelineReport): string => {
  const { splits, languages, title } = report;
  const documents = splits.reduce((sum, part) => sum + part.documents, 0) || totalsOf(report).docsOut;
  const info = splits.flatMap((part) => [
    `  - name: ${quoted(splitName(part.name))}`,
    `    num_bytes: ${part.bytes}`,
    `    num_examples: ${part.documents}`,
  ]);
  return [
    "---",
    '# "other" is a placeholder: whoever publishes this data chooses its license,',
    "# within what the licenses of its sources allow.",
    "license: other",
    "license_name: not-chosen-yet",
    `pretty_name: ${quoted(title)}`,
    ...list("language", languageCodes(languages)),
    ...list("size_categories", [SIZES.find(([below]) => documents < below)![1]]),
    ...list("task_categories", ["text-generation"]),
    ...list("tags", ["anneal"]),
    ...dataFiles(splits),
    ...(info.length === 0 ? [] : ["dataset_info:", "  splits:", ...info]),
    ...(info.length === 0 ? [] : [`  dataset_size: ${splits.reduce((sum, part) => sum + part.bytes, 0)}`]),
    "---",
  ].join("\n");
};

const summary = (report: DataPipelineReport): string => {
  const t = totalsOf(report);
  const tokens = t.tokens === undefined ? "" : ` These are ${count(t.tokens)} tokens.`;
  const documents = `${count(t.docsOut)} of ${count(t.docsIn)} documents`;
  return `${documents}, ${bytes(t.bytesOut)} of ${bytes(t.bytesIn)} of text.${tokens}
[report.html](report.html) shows what was dropped and why, with examples; [report.json](report.json) has the
same as data.`;
};

const stages = ({ stages: all }: DataPipelineReport): string =>
  all.length === 0
    ? ""
    : table(
        ["stage", "documents in", "out", "text in", "out", "kept"],
        all.map((s) => [
          inline(s.name),
          count(s.docsIn),
          count(s.docsOut),
          bytes(s.bytesIn),
          bytes(s.bytesOut),
          percent(s.bytesIn > 0 ? s.bytesOut / s.bytesIn : Number.NaN),
        ]),
      );

const reasons = ({ stages: all }: DataPipelineReport): string => {
  const rows = all.flatMap((stage) =>
    stage.reasons.map((reason) => [inline(reason.reason), inline(stage.name), count(reason.count)]),
  );
  return rows.length === 0 ? "" : table(["dropped or changed because", "stage", "times"], rows);
};

const lengths = ({ histograms }: DataPipelineReport): string =>
  histograms.length === 0
    ? ""
    : table(
        ["length", "5 %", "median", "95 %", "mean", "longest"],
        histograms.map((h) => {
          const at = (q: number): string => count(h.quantiles.find((entry) => entry.q === q)?.value);
          return [
            `${inline(h.name)} (${inline(h.unit)})`,
            at(0.05),
            at(0.5),
            at(0.95),
            count(h.mean),
            count(h.max),
          ];
        }),
      );

const splitTable = ({ splits }: DataPipelineReport): string =>
  splits.length === 0
    ? ""
    : table(
        ["part", "documents", "text", "tokens"],
        splits.map((s) => [inline(s.name), count(s.documents), bytes(s.bytes), count(s.tokens)]),
      );

const mixture = ({ mixture: parts }: DataPipelineReport): string =>
  parts.length === 0
    ? ""
    : table(
        ["source", "documents", "tokens", "share", "epochs"],
        parts.map((p) => [
          inline(p.source),
          count(p.documents),
          count(p.tokens),
          percent(p.weight),
          fixed(p.epochs, 2),
        ]),
      );

const rules = ({ rules: all }: DataPipelineReport): string =>
  all.length === 0
    ? ""
    : table(
        ["rule", "allowed", "dropped", "from"],
        all.map((r) => [
          inline(r.name),
          `${inline(r.allows)} ${plain(r.threshold)}`,
          count(r.count),
          inline(r.source),
        ]),
      );

const contamination = ({ contamination: hits }: DataPipelineReport): string =>
  hits.length === 0
    ? ""
    : table(
        ["evaluation files", "words in a row", "found in documents"],
        hits.map((h) => [inline(h.file), count(h.ngram), count(h.hits)]),
      );

const duplicates = ({ clusters: c }: DataPipelineReport): string =>
  c === undefined
    ? ""
    : `${count(c.documents)} documents were in ${count(c.clusters)} clusters of near-duplicates, found by
${inline(c.method)}; one of each was kept.`;

const selection = ({ selection: s }: DataPipelineReport): string =>
  s === undefined
    ? ""
    : `${count(s.selected)} of ${count(s.pool)} documents, chosen to be like ${inline(s.target)} by
${inline(s.method)}: the divergence from it is ${fixed(s.klAfter, 4)} nats,
of the pool ${fixed(s.klBefore, 4)}.

${table(
  ["measure", "pool", "selected"],
  [...s.coverage, ...s.diversity].map((m) => [inline(m.name), short(m.before), short(m.after)]),
)}`;

const hashes = (title: string, files: readonly HashedFile[]): string =>
  files.length === 0
    ? ""
    : `\n\n${table(
        [title, "bytes", "SHA-256"],
        files.map((f) => [inline(f.file), count(f.bytes), inline(f.sha256)]),
        "---",
      )}`;

const provenance = ({ provenance: p }: DataPipelineReport): string => `${fenced(p.command, "sh")}

Made by ${inline(p.createdBy)}; seed ${p.seed}; hash of the settings ${inline(p.configHash)}:

${fenced(JSON.stringify(p.config, null, 2), "json")}${[
  hashes("read", p.inputs),
  hashes("written", p.outputs),
].join("")}`;

const notes = (report: DataPipelineReport): string =>
  [
    ...report.notes.map(inline),
    "Filters measure form, not truth: what is left may be wrong, biased or offensive.",
    "Personal data is found by pattern; what has no such pattern stays.",
    "The licenses of the sources bound what may be done with this data.",
  ]
    .map((note) => `- ${note}`)
    .join("\n");

/** README.md of a prepared data set; a section for everything that the report has. */
export const dataCard = (report: DataPipelineReport): string => {
  const sections: readonly (readonly [title: string, text: string])[] = [
    ["Splits", splitTable(report)],
    ["Mixture", mixture(report)],
    ["Lengths", lengths(report)],
    ["Stages", stages(report)],
    ["Why documents were dropped or changed", reasons(report)],
    ["Near-duplicates", duplicates(report)],
    ["Rules", rules(report)],
    ["Contamination", contamination(report)],
    ["Selection", selection(report)],
    ["How it was made", provenance(report)],
    ["Limits", notes(report)],
  ];
  const body = sections
    .filter(([, text]) => text !== "")
    .map(([title, text]) => `## ${title}\n\n${text}\n`)
    .join("\n");
  return `${frontMatter(report)}\n\n# ${inline(report.title)}\n\n${summary(report)}\n\n${body}`;
};
