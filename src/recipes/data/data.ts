/**
 * Data: from raw files to token shards or cleaned documents, with a report. Each file becomes a part in
 * OUT/work (again only where it or the settings changed); the parts of all shards are merged in the order of
 * their paths, so that neither shards nor threads change a byte of the result.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ShardIndex } from "../../data/batch/tokenShards.ts";
import { type Merged, mergeParts } from "../../data/pipeline/pipeline.ts";
import type { DataReport } from "../../data/records/document.ts";
import { requireAgreement, tellAll } from "../../distribute/agree.ts";
import { discard, makeFolder, writeFileDurable } from "../../node/files/files.ts";
import { rowWriter } from "../../node/files/jsonLines.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import { type OpenPart, openPart } from "../../node/prepare/parts.ts";
import { fileSpool } from "../../node/prepare/shards.ts";
import { type StageClock, stageClock } from "../../node/prepare/stageClock.ts";
import { allSkips } from "../../node/read/skips.ts";
import { dataCard } from "../../report/data/card.ts";
import { dataReportHtml } from "../../report/data/report.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { Ranks, RecipeHooks } from "../context/hooks.ts";
import { version } from "../context/version.ts";
import { claimData, type DataFolder, inDataFolder, publish } from "./folder.ts";
import { labelFields, pipelineSettings, targetTexts } from "./inputs.ts";
import { learnTokenizer, writeDocuments, writeJson, writeTokens } from "./output.ts";
import { dropExamples, type OutputWatch, outputWatch, pipelineReport } from "./report.ts";
import { makeShard, readShards, type Shard, threadsOf } from "./shards.ts";
import { describeStages } from "./stages.ts";

/** Where the prepared data is, and what was left out of it. */
export interface DataOutcome {
  readonly path: string;
  readonly report: DataReport;
  /** Why records could not be read, of the first of each file, and how many could not. */
  readonly skipped: readonly string[];
  readonly skippedCount: number;
  /** What of the user's paths was not read, in words. */
  readonly leftOut: readonly string[];
  readonly index?: ShardIndex;
  readonly files: readonly string[];
  /** Seconds of each stage, summed over threads. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Which share of the files, and whose tokenizer. */
export interface DataRun {
  readonly shard?: Shard;
  /** For a model that has one already; else one is learned. */
  readonly tokenizer?: Tokenizer;
}

const tokenizerOf = async (
  merged: Merged,
  options: RunOptions,
  { ui }: RecipeHooks,
  given: Tokenizer | undefined,
): Promise<Tokenizer> => {
  if (given !== undefined) return given;
  const { from } = options.model;
  return from === "" ? learnTokenizer(merged, options, ui) : readTokenizer(from);
};

interface Writing {
  readonly options: RunOptions;
  readonly hooks: RecipeHooks;
  readonly watch: OutputWatch;
  readonly given?: Tokenizer;
}

/** Writes the merged documents into `next`; returns the files' names. */
const writeAll = async (
  merged: Merged,
  next: string,
  { options, hooks, watch, given }: Writing,
): Promise<{ readonly files: string[]; readonly index?: ShardIndex }> => {
  const { ui, signal } = hooks;
  const output = {
    dir: next,
    options,
    threads: threadsOf(options),
    ui,
    watch,
    ...(signal ? { signal } : {}),
  };
  if (options.data.format !== "tokens") return { files: await writeDocuments(merged, output) };
  const tokenizer = await tokenizerOf(merged, options, hooks, given);
  const index = await writeTokens(merged, tokenizer, output);
  const { tokenizer: json, config } = tokenizer.files();
  await writeJson(join(next, "tokenizer.json"), json);
  await writeJson(join(next, "tokenizer_config.json"), config);
  await writeJson(join(next, "index.json"), index);
  const shards = Object.values(index.splits).flatMap((split) => split.shards);
  const bins = shards.flatMap(({ file, starts, pieces }) => (pieces > 0 ? [file, starts] : [file]));
  return { files: [...bins, "tokenizer.json", "tokenizer_config.json", "index.json"], index };
};

/** Merges parts into `next`: what was dropped goes to duplicates.jsonl at once. */
const mergeInto = async (
  next: string,
  parts: readonly OpenPart[],
  options: RunOptions,
  { hooks, clock }: { readonly hooks: RecipeHooks; readonly clock: StageClock },
) => {
  const { ui, signal } = hooks;
  const documents = parts.reduce((sum, { stats }) => sum + stats.documents, 0);
  const task = ui.task("merging (documents)", documents);
  const start = performance.now();
  const drops = rowWriter(join(next, "duplicates.jsonl"));
  const examples = dropExamples();
  const target = await targetTexts(options);
  try {
    const merged = await mergeParts(parts, pipelineSettings(options), {
      ...(target === undefined ? {} : { target }),
      labels: labelFields(options),
      spool: fileSpool(join(next, "spool")),
      onDropped: (row, text) => {
        examples.see(row, text);
        return drops.add(row);
      },
      onProgress: (done) => task.update(done),
      wrap: clock.wrap,
      ...(signal === undefined ? {} : { signal }),
    });
    clock.add({ merge: (performance.now() - start) / 1000 });
    task.done(`merged ${parts.length} parts`);
    describeStages(merged.report, ui);
    return { merged, watch: outputWatch(examples.drops) };
  } finally {
    await drops.close();
  }
};

/** The second phase: merges the parts of all shards of a folder. Throws DataError, RunError. */
const mergeShards = async (
  { dir, earlier }: DataFolder,
  hooks: RecipeHooks,
  given?: Tokenizer,
): Promise<DataOutcome> => {
  const shards = await readShards(dir);
  const options = { ...shards[0]!.options, out: dir };
  const folders = shards.flatMap(({ parts }) => parts).sort((a, b) => a.place - b.place);
  const parts: OpenPart[] = [];
  for (const { folder } of folders) parts.push(await openPart(join(dir, "work", "parts", folder)));
  const clock = stageClock();
  for (const { seconds } of shards) clock.add(seconds);
  const next = join(dir, "work", `next-${process.pid}`);
  try {
    await discard(next);
    await makeFolder(join(next, "spool"));
    const { merged, watch } = await mergeInto(next, parts, options, { hooks, clock });
    const start = performance.now();
    const { files, index } = await writeAll(merged, next, {
      options,
      hooks,
      watch,
      ...(given ? { given } : {}),
    });
    clock.add({ output: (performance.now() - start) / 1000 });
    await discard(join(next, "spool"));
    const written = [...files, "duplicates.jsonl"];
    const stats = parts.map((part) => part.stats);
    const settings = pipelineSettings(options);
    const { leftOut = [] } = shards[0]!;
    const about = { options, settings, merged, parts: stats, watch, dir: next, files: written, leftOut };
    const report = await pipelineReport({ ...about, ...(index === undefined ? {} : { index }) });
    const text = new TextEncoder();
    await writeJson(join(next, "report.json"), report);
    await writeFileDurable(join(next, "report.html"), [text.encode(dataReportHtml(report))]);
    await writeFileDurable(join(next, "README.md"), [text.encode(dataCard(report))]);
    const all = [...written, "report.html", "README.md", "report.json"];
    const last = index === undefined ? "report.json" : "index.json";
    await publish(next, dir, { names: all, earlier, last });
    const told = { ...allSkips(stats), leftOut, seconds: clock.seconds() };
    return { path: dir, report: merged.report, ...told, files: all, ...(index ? { index } : {}) };
  } finally {
    await discard(next);
  }
};

/**
 * Runs the first phase of one shard, or, where none is named, both phases. Undefined where a shard was made.
 * Throws ConfigError, DataError, RunError, or the signal's reason.
 */
export const prepareData = (
  options: RunOptions,
  hooks: RecipeHooks,
  { shard, tokenizer }: DataRun = {},
): Promise<DataOutcome | undefined> =>
  inDataFolder(options.out, shard, async (folder) => {
    hooks.ui.stage("Reading and cleaning text");
    await makeShard(options, shard ?? { index: 0, count: 1 }, hooks);
    if (shard !== undefined) return undefined;
    hooks.ui.stage("Merging");
    return mergeShards(folder, hooks, tokenizer);
  });

/**
 * Both phases on the ranks of a launcher: each makes a shard, and the first merges them; undefined on the
 * others. Throws ConfigError where their options differ, and as `prepareData`.
 */
export const prepareOnRanks = async (
  options: RunOptions,
  hooks: RecipeHooks,
  { collective }: Ranks,
): Promise<DataOutcome | undefined> => {
  const { rank, size } = collective;
  const { threads: _, ...same } = options;
  await requireAgreement(collective, { version, options: same });
  if (rank === 0) await claimData(options.out);
  await tellAll(collective, null); // All find the folder taken.
  await prepareData(options, hooks, { shard: { index: rank, count: size } });
  await tellAll(collective, null); // All shards are made.
  return rank === 0 ? mergeData(options.out, hooks) : undefined;
};

/** The second phase alone, over the shards in `dir`. */
export const mergeData = async (dir: string, hooks: RecipeHooks): Promise<DataOutcome> => {
  if (!existsSync(dir)) throw new DataError("there is no such folder", { file: dir });
  return inDataFolder(dir, undefined, (folder) => {
    hooks.ui.stage("Merging");
    return mergeShards(folder, hooks);
  });
};
