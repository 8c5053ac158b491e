/** Shards of the first phase: the parts of every n-th file, and the note of them that the merge reads. */

import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { EvaluationCounts } from "../../data/filter/contamination.ts";
import { makeFolder, remove, writeFileDurable } from "../../node/files/files.ts";
import { makeParts } from "../../node/prepare/partPool.ts";
import { jsonHash, type MadePart } from "../../node/prepare/parts.ts";
import { type StageClock, stageClock } from "../../node/prepare/stageClock.ts";
import { allSkips, type Skips, toldSkips } from "../../node/read/skips.ts";
import { freeDisk, sizeText } from "../../node/runtime/resources.ts";
import { DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import type { Progress } from "../context/ui.ts";
import { inputsOf, partSettings, pipelineSettings } from "./inputs.ts";
import { describeEvaluation } from "./stages.ts";

/** One of several equal shares of the files. */
export interface Shard {
  /** From 0. */
  readonly index: number;
  readonly count: number;
}

/** What a shard leaves for the merge: its parts by the place of their files among all. */
interface ShardFile {
  readonly settings: string;
  readonly options: RunOptions;
  readonly shard: Shard;
  readonly files: number;
  /** What of the user's paths is not read, in words. */
  readonly leftOut: readonly string[];
  readonly parts: readonly { readonly place: number; readonly folder: string }[];
  /** Seconds of each stage, summed over threads. */
  readonly seconds: Readonly<Record<string, number>>;
}

/** Threads that the options ask for. */
export const threadsOf = ({ threads }: RunOptions): number =>
  threads > 0 ? threads : availableParallelism();

/** Text stands in its part, in the order of the output, and in the output; less where much is dropped. */
const COPIES = 3;

const NAME = /^(\d+)-of-(\d+)\.json$/;

const shardPath = (dir: string, { index, count }: Shard): string =>
  join(dir, "work", "shards", `${index}-of-${count}.json`);

/** Shows the parts as they are made, and adds up what they tell. */
const partProgress = (task: Progress, clock: StageClock) => {
  const start = performance.now();
  const each: Skips[] = [];
  let evaluation: EvaluationCounts | undefined;
  let [done, reused] = [0, 0];
  const onMade = ({ stats, reused: there, seconds }: MadePart): void => {
    done += stats.sizeBytes;
    reused += there ? 1 : 0;
    clock.add(seconds);
    each.push(stats);
    evaluation ??= stats.evaluation;
    const rate = done / 1e3 / (performance.now() - start);
    task.update(Math.floor(done / 1e6), { "MB/s": rate.toFixed(1) });
  };
  return { onMade, sums: () => ({ reused, skips: allSkips(each), evaluation }) };
};

/** Notes what a shard has made; shards of another number are of another run. */
const writeShard = async (dir: string, written: ShardFile): Promise<void> => {
  const { shard } = written;
  const shards = join(dir, "work", "shards");
  await makeFolder(shards);
  for (const name of await readdir(shards)) {
    // What another shard is just writing bears another name.
    if (NAME.test(name) && !name.endsWith(`-of-${shard.count}.json`)) await remove(join(shards, name));
  }
  await writeFileDurable(shardPath(dir, shard), [new TextEncoder().encode(JSON.stringify(written))]);
};

/** The first phase of one shard. Throws as reading and writing do. */
export const makeShard = async (
  options: RunOptions,
  shard: Shard,
  { ui, signal }: RecipeHooks,
): Promise<void> => {
  const leftOut: string[] = [];
  const onLeftOut = (message: string): void => void leftOut.push(message);
  const files = await inputsOf(options, { ui, out: options.out, onLeftOut });
  const mine = files
    .map((file, place) => ({ ...file, place }))
    .filter((f) => f.place % shard.count === shard.index);
  const total = mine.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const free = await freeDisk(options.out);
  if (free !== undefined && free < COPIES * total) {
    const needed = `up to ${sizeText(COPIES * total)} may be needed on the disk of ${options.out}`;
    ui.warn(`${needed}, ${sizeText(free)} are free`);
  }
  const settings = await partSettings(options, files);
  const clock = stageClock();
  const task = ui.task("reading and cleaning (MB)", Math.ceil(total / 1e6));
  const { onMade, sums } = partProgress(task, clock);
  const parts = await makeParts(mine, {
    dir: join(options.out, "work", "parts"),
    settings,
    threads: threadsOf(options),
    onMade,
    ...(signal === undefined ? {} : { signal }),
  });
  const { reused, skips, evaluation } = sums();
  const again = reused > 0 ? `, ${reused} of them before` : "";
  task.done(`cleaned ${parts.length} files, ${(total / 1e6).toFixed(2)} MB${again}`);
  describeEvaluation(evaluation, ui);
  if (skips.skippedCount > 0) ui.warn(toldSkips(skips));
  await writeShard(options.out, {
    settings: jsonHash([settings, pipelineSettings(options), options.tokenizer, options.model]),
    options,
    shard,
    files: files.length,
    leftOut,
    parts: parts.map(({ folder }, i) => ({ place: mine[i]!.place, folder })),
    seconds: clock.seconds(),
  });
};

/** What all shards of a folder left. Throws DataError where one is missing or of other settings. */
export const readShards = async (dir: string): Promise<readonly ShardFile[]> => {
  const shards = join(dir, "work", "shards");
  const names = existsSync(shards) ? (await readdir(shards)).filter((name) => NAME.test(name)) : [];
  if (names.length === 0) {
    throw new DataError("has no shards to merge", {
      file: dir,
      hint: "make them with anneal data --shard i/n",
    });
  }
  const count = Number(NAME.exec(names[0]!)![2]);
  const read: ShardFile[] = [];
  for (let index = 0; index < count; index++) {
    const path = shardPath(dir, { index, count });
    if (!existsSync(path)) {
      throw new DataError(`shard ${index} of ${count} is missing`, {
        file: path,
        hint: `make it with the same options and --shard ${index}/${count}`,
      });
    }
    read.push(JSON.parse(await readFile(path, "utf8")) as ShardFile);
  }
  const [first] = read;
  const other = read.find((shard) => shard.settings !== first!.settings || shard.files !== first!.files);
  if (other !== undefined) {
    const { index } = other.shard;
    throw new DataError(`shard ${index} was made with other options or files than shard 0`, {
      file: dir,
      hint: "make all shards with the same options, from the same files",
    });
  }
  return read;
};
