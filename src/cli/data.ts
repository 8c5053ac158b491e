/** anneal data */
import { join } from "node:path";
import type { Command } from "commander";
import { type DataOutcome, mergeData, prepareData, prepareOnRanks } from "../recipes/data/data.ts";
import type { Shard } from "../recipes/data/shards.ts";
import { ConfigError } from "../util/errors.ts";
import { flagsToConfig, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { print, printJson } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal data notes/ logs/*.jsonl --out corpus
  $ npx anneal data rows.parquet --field body --format jsonl --gzip --out cleaned
  $ npx anneal data big/ --out corpus --shard 0/4      on each of four machines, then:
  $ npx anneal data merge corpus
  $ npx anneal train --data corpus --out novel`;

/** "i/n" as a shard. Throws ConfigError. */
const shardOf = (text: string): Shard => {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  const shard = { index: Number(i), count: Number(n) };
  if (i !== undefined && shard.count >= 1 && shard.index < shard.count) return shard;
  throw new ConfigError(`--shard ${text} is no shard`, { hint: "write i/n with i from 0 to n - 1, as 0/4" });
};

const printOutcome = (made: DataOutcome | undefined, out: string, json: boolean): void => {
  if (json) {
    const { path, index, files, seconds, report, ...told } = made ?? { path: out };
    const result = { path, ...(index ? { splits: index.splits } : {}), files, seconds, ...told };
    printJson({ ...result, stages: report?.stages });
    return;
  }
  const next =
    made === undefined
      ? `When all shards are made:\n  npx anneal data merge ${out}`
      : `Next:\n  npx anneal train --data ${made.index === undefined ? join(out, made.files[0]!) : out}`;
  print(`${out}\n\n${next}\n`);
};

/** Shards hold the options that they were made with. Throws ConfigError for others beside them. */
const checkMerge = (command: Command, paths: readonly string[]): void => {
  const { out, ...others } = flagsToConfig(command);
  const shard = command.opts().shard === undefined ? [] : ["shard"];
  const given = [...Object.keys(others), ...shard, ...(paths.length > 1 && out !== undefined ? ["out"] : [])];
  if (paths.length <= 2 && given.length === 0) return;
  throw new ConfigError("merge takes one folder and no other options: its shards were made with theirs", {
    hint: "run: npx anneal data merge DIR",
  });
};

/** Adds the verb `data`. */
export const register = (command: Command): void => {
  command.argument("[paths...]", "files, folders or globs");
  withFlags(command, "data").action((paths: readonly string[]) => {
    const { shard } = command.opts<{ shard?: string }>();
    return runRecipe(command, async (given, hooks, json) => {
      const { ranks } = hooks;
      if (paths[0] === "merge") {
        if (ranks !== undefined && ranks.collective.rank > 0) return;
        const dir = paths[1] ?? given.out;
        checkMerge(command, paths);
        return printOutcome(await mergeData(dir, hooks), dir, json);
      }
      const data = { ...given.data, paths: [...paths, ...given.data.paths] };
      if (ranks !== undefined) {
        const made = await prepareOnRanks({ ...given, data }, hooks, ranks);
        if (made !== undefined) printOutcome(made, given.out, json);
        return;
      }
      const run = shard === undefined ? {} : { shard: shardOf(shard) };
      printOutcome(await prepareData({ ...given, data }, hooks, run), given.out, json);
    });
  });
};
