/**
 * The report of `anneal data`: what each stage let through and why, what the duplicates and victims look
 * like, and what came out. It has nothing in it of shards, threads, times or places, so that equal runs
 * report equally.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { ShardIndex } from "../../data/batch/tokenShards.ts";
import { banding, evenOdds } from "../../data/dedup/bands.ts";
import { signer, similarity } from "../../data/dedup/minhash.ts";
import { loadLanguageDetector } from "../../data/filter/language.ts";
import { resolveRules, rules } from "../../data/filter/rules.ts";
import type { Representation } from "../../data/pipeline/choose.ts";
import { lengthHistogram } from "../../data/pipeline/histogram.ts";
import type { Dropped } from "../../data/pipeline/part.ts";
import type { Merged } from "../../data/pipeline/pipeline.ts";
import type { PipelineSettings } from "../../data/pipeline/stages.ts";
import type { Document, StageReport } from "../../data/records/document.ts";
import { type SplitName, splitNames } from "../../data/records/splits.ts";
import { jsonHash, type PartStats, sha256Of } from "../../node/prepare/parts.ts";
import { allSkips } from "../../node/read/skips.ts";
import type { ClusterExample, DataPipelineReport, RuleVictims } from "../../report/data/model.ts";
import { defaults, type RunOptions } from "../config/options.ts";
import { version } from "../context/version.ts";

/** Near-duplicates that are shown. */
const EXAMPLES = 5;
const EXCERPT = 300;
/** Documents whose language is told. */
const JUDGED = 2000;

interface Fragment {
  readonly name: SplitName;
  documents: number;
  bytes: number;
}

/** Watches the documents as they are written, for what the report says of them. */
export const outputWatch = (drops: readonly (Dropped & { readonly text: string })[]) => {
  const characters = lengthHistogram();
  const tokens = lengthHistogram();
  const parts = splitNames.map((name): Fragment => ({ name, documents: 0, bytes: 0 }));
  const wanted = new Set(drops.map(({ matched }) => matched));
  const kept = new Map<string, string>();
  const sample: string[] = [];
  return {
    see({ id, text }: Document, part: number): void {
      characters.add(text.length);
      parts[part]!.documents++;
      parts[part]!.bytes += Buffer.byteLength(text);
      // The order is that of hashes: the first are a sample.
      if (sample.length < JUDGED) sample.push(text.slice(0, 2000));
      if (wanted.has(id)) kept.set(id, text);
    },
    seeTokens: (count: number): void => tokens.add(count),
    found: () => ({ characters, tokens, parts, kept, sample, drops }),
  };
};

/** Sees the documents that come out, for the report. */
export type OutputWatch = ReturnType<typeof outputWatch>;

/** Keeps the first near-duplicates that are told of, to show them. */
export const dropExamples = () => {
  const drops: (Dropped & { readonly text: string })[] = [];
  return {
    drops,
    see(dropped: Dropped, text: string): void {
      if (dropped.similarity !== undefined && drops.length < 4 * EXAMPLES) drops.push({ ...dropped, text });
    },
  };
};

const languagesOf = async (sample: readonly string[]) => {
  const detect = await loadLanguageDetector();
  const counts = new Map<string, number>();
  for (const text of sample) {
    const { code } = detect(text);
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
  const rows = Array.from(counts, ([language, documents]) => ({ language, documents }));
  return rows.sort((a, b) => b.documents - a.documents || (a.language < b.language ? -1 : 1));
};

const clusterExamples = (
  { drops, kept }: ReturnType<OutputWatch["found"]>,
  settings: PipelineSettings,
): ClusterExample[] => {
  if (settings.near === "off") return [];
  const { signature } = signer({ preset: settings.near, ...settings.banding, seed: settings.seed });
  const byKept = new Map<string, (Dropped & { readonly text: string })[]>();
  for (const drop of drops) byKept.set(drop.matched, [...(byKept.get(drop.matched) ?? []), drop]);
  return Array.from(byKept)
    .filter(([id]) => kept.has(id))
    .slice(0, EXAMPLES)
    .map(([id, members]) => {
      const text = kept.get(id)!;
      const own = signature(text);
      const dropped = members.map((drop) => ({
        id: drop.id,
        excerpt: drop.text.slice(0, EXCERPT),
        similarity: similarity(own, signature(drop.text)),
      }));
      return { kept: { id, excerpt: text.slice(0, EXCERPT) }, dropped };
    });
};

const victims = (stages: readonly StageReport[], settings: PipelineSettings): RuleVictims[] => {
  const thresholds = resolveRules(settings.filter);
  const found = stages.find(({ name }) => name === "filters")?.reasons ?? [];
  return rules.flatMap((rule) => {
    const threshold = thresholds.get(rule.name);
    if (threshold === undefined) return [];
    const hit = found.find(({ reason }) => reason === rule.name);
    const row: RuleVictims = {
      name: rule.name,
      measures: rule.measures,
      allows: rule.bound === "min" ? "at least" : "at most",
      threshold,
      source: rule.source,
      count: hit?.count ?? 0,
      examples: (hit?.examples ?? []).flatMap(({ id, excerpt, value }) =>
        value === undefined ? [] : [{ id, excerpt, value }],
      ),
    };
    return [row];
  });
};

/** The command that makes the same again, whatever the shards and the place were. */
const commandOf = (options: RunOptions): string => {
  const quoted = (word: string): string =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  const sets: string[] = [];
  for (const section of ["data", "tokenizer", "model"] as const) {
    const base = new Map(Object.entries(defaults[section]));
    for (const [name, value] of Object.entries(options[section])) {
      if (name === "paths" || JSON.stringify(value) === JSON.stringify(base.get(name))) continue;
      sets.push(`--set ${quoted(`${section}.${name}=${JSON.stringify(value)}`)}`);
    }
  }
  return ["npx anneal data", ...options.data.paths.map(quoted), `--seed ${options.seed}`, ...sets].join(" ");
};

/** What the report is made of. */
export interface ReportInputs {
  readonly options: RunOptions;
  readonly settings: PipelineSettings;
  readonly merged: Merged;
  readonly parts: readonly PartStats[];
  readonly watch: OutputWatch;
  /** Folder of the files that came out, and their names. */
  readonly dir: string;
  readonly files: readonly string[];
  readonly index?: ShardIndex;
  /** What of the user's paths was not read, in words. */
  readonly leftOut: readonly string[];
}

const hashed = async (dir: string, file: string) => ({
  file,
  bytes: (await readFile(join(dir, file))).length,
  sha256: await sha256Of(join(dir, file)),
});

const selectionOf = ({ merged, options }: ReportInputs): Pick<DataPipelineReport, "selection"> => {
  const { selection: s } = merged;
  if (s === undefined) return {};
  const target = options.data.like.join(", ");
  const method = "importance resampling on hashed n-grams (DSIR)";
  const figures = {
    pool: s.poolDocuments,
    selected: s.selectedDocuments,
    klBefore: s.klPool,
    klAfter: s.klSelected,
  };
  const row = (name: string, of: (side: Representation) => number) => {
    const [before, after] = [s.pool, s.chosen].map(of) as [number, number];
    return { name, before, after };
  };
  const coverage = [
    row("the target's words and pairs of words", ({ coverage: c }) => c.types),
    row("by how often they occur in it", ({ coverage: c }) => c.occurrences),
    row("the target's clusters", ({ coverage: c }) => c.byCluster.covered),
    row("overlap with its clusters' sizes", ({ coverage: c }) => c.byCluster.overlap),
  ];
  const diversity = [
    row("different words / words", ({ diversity: d }) => d.distinct[0]),
    row("different pairs / pairs", ({ diversity: d }) => d.distinct[1]),
    row("different triples / triples", ({ diversity: d }) => d.distinct[2]),
    row("mean cosine of two documents", ({ diversity: d }) => d.meanCosine),
    row("evenness over clusters", ({ diversity: d }) => d.clusterEntropy),
    row("documents as diverse, if they had nothing in common", ({ diversity: d }) => d.effectiveDocuments),
  ];
  return { selection: { target, method, ...figures, coverage, diversity } };
};

/** What the filters found of the evaluation files. */
const contaminationOf = ({
  options,
  settings,
  merged,
}: ReportInputs): DataPipelineReport["contamination"] => {
  if (settings.filter.contamination === undefined) return [];
  const filters = merged.report.stages.find(({ name }) => name === "filters");
  const found = filters?.reasons.find(({ reason }) => reason === "contamination");
  const examples = found?.examples ?? [];
  return [
    {
      file: options.data.decontaminate.join(", "),
      ngram: settings.filter.contamination.words ?? 13,
      hits: found?.count ?? 0,
      examples: examples.map(({ id, excerpt, matched = "" }) => ({ id, excerpt, matched })),
    },
  ];
};

const splitsOf = ({ watch, index, files }: ReportInputs): DataPipelineReport["splits"] =>
  watch
    .found()
    .parts.filter(({ documents }) => documents > 0)
    .map((part) => {
      const tokens = index?.splits[part.name]?.tokens;
      const own = files.filter(
        (file) => file.startsWith(`${part.name}-`) || file.startsWith(`${part.name}.`),
      );
      return { ...part, files: own, ...(tokens === undefined ? {} : { tokens }) };
    });

const nearMethod = ({ near, banding: own }: PipelineSettings): string => {
  if (near === "off") return "not looked for";
  const { bands, rows, ngram } = banding({ preset: near, ...own });
  const least = evenOdds({ bands, rows }).toFixed(2);
  const signatures = `MinHash of word ${ngram}-grams, ${bands} bands of ${rows} rows`;
  return `${signatures}, and a similarity of ${least} to the one kept`;
};

/** How many records could not be read, and why the first of them. */
const skipNotes = (parts: readonly PartStats[]): string[] => {
  const { skipped, skippedCount } = allSkips(parts);
  if (skippedCount === 0) return [];
  return [
    `${skippedCount} records could not be read`,
    ...skipped.slice(0, 20).map((why) => `Left out: ${why}`),
  ];
};

/** The whole report as plain data. */
export const pipelineReport = async (from: ReportInputs): Promise<DataPipelineReport> => {
  const { options, settings, merged, parts, watch, dir, files, index } = from;
  const { characters, tokens, sample } = watch.found();
  const { out, threads, ...config } = options;
  const outputs = [];
  for (const file of files) outputs.push(await hashed(dir, file));
  const lengths = [characters.report("Documents in characters", "characters")];
  if (index !== undefined) lengths.push(tokens.report("Documents in tokens", "tokens"));
  const clusters = { method: nearMethod(settings), ...merged.clusters };
  return {
    title: "anneal data report",
    stages: merged.report.stages,
    histograms: lengths,
    languages: await languagesOf(sample),
    ...(settings.near === "off"
      ? {}
      : { clusters: { ...clusters, examples: clusterExamples(watch.found(), settings) } }),
    rules: victims(merged.report.stages, settings),
    contamination: contaminationOf(from),
    ...selectionOf(from),
    mixture: (merged.mix?.rows ?? []).map(({ name, documents, tokens: size, share, epochs }) => ({
      source: name,
      documents,
      tokens: Math.round(size),
      weight: share,
      epochs,
    })),
    splits: splitsOf(from),
    ...(index === undefined ? {} : { tokenizer: { name: options.tokenizer.kind, vocab: index.vocabSize } }),
    notes: [...from.leftOut, ...skipNotes(parts)],
    provenance: {
      command: commandOf(options),
      createdBy: `anneal ${version}`,
      seed: options.seed,
      config: config as Record<string, unknown>,
      configHash: jsonHash(config),
      inputs: parts.map(({ path, sizeBytes, sha256 }) => ({ file: path, bytes: sizeBytes, sha256 })),
      outputs,
    },
  };
};
