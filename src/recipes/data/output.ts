/** What `anneal data` leaves: token shards with their tokenizer, or cleaned documents, and the report. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { dtypeFor, type ShardIndex, shardTokensOf, tokenWriter } from "../../data/batch/tokenShards.ts";
import type { Merged } from "../../data/pipeline/pipeline.ts";
import type { Document } from "../../data/records/document.ts";
import { type SplitName, splitNames } from "../../data/records/splits.ts";
import { guarded, remove } from "../../node/files/files.ts";
import { appender } from "../../node/prepare/shards.ts";
import { tokenizePool } from "../../node/prepare/tokenizePool.ts";
import { writeParquet } from "../../node/read/parquet/writeParquet.ts";
import { marked } from "../../tokenizer/bpe/marked.ts";
import { charTokenizer, type Tokenizer, trainBpe } from "../../tokenizer/index.ts";
import { ConfigError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { Ui } from "../context/ui.ts";
import { families } from "../train/families.ts";
import type { OutputWatch } from "./report.ts";

/** Text that a tokenizer is learned on, UTF-16 units: more changes few merges. */
const LEARNED = 2 ** 25;

/** Learns the tokenizer that the options ask for, with the marks that the family needs, on texts. */
export const tokenizerOf = (
  texts: readonly string[],
  { tokenizer, model }: RunOptions,
  ui: Ui,
): Tokenizer => {
  const { marks } = families[model.family];
  if (tokenizer.kind === "char") {
    if (marks === undefined) return charTokenizer(texts);
    throw new ConfigError(
      `"char" has no tokens but characters, and ${model.family} needs ${marks.tokens[0]}`,
      {
        field: "tokenizer.kind",
        hint: "use --tokenizer bpe",
      },
    );
  }
  const task = ui.task("learning tokens", tokenizer.vocab);
  const special = marks === undefined ? {} : { specialTokens: marks.tokens };
  const made = trainBpe(texts, {
    vocab: tokenizer.vocab,
    ...special,
    onProgress: (done) => task.update(done),
  });
  task.done(`tokenizer: ${made.vocabSize} tokens`);
  return marks === undefined ? made : marked(made, marks);
};

/** Learns the tokenizer that the options ask for, on the first training texts of the merged order. */
export const learnTokenizer = async (merged: Merged, options: RunOptions, ui: Ui): Promise<Tokenizer> => {
  const texts: string[] = [];
  let held = 0;
  for await (const [{ text }, part] of merged.documents()) {
    if (part !== 0 || held > LEARNED) continue;
    texts.push(text);
    held += text.length;
    if (held > LEARNED) break;
  }
  return tokenizerOf(texts, options, ui);
};

/** Where the result goes, and in what form. */
export interface OutputOptions {
  readonly dir: string;
  readonly options: RunOptions;
  readonly threads: number;
  readonly ui: Ui;
  readonly signal?: AbortSignal;
  readonly watch: OutputWatch;
}

/** Units of text that are encoded at a time. */
const BATCH = 2 ** 23;

/** Encodes documents a batch at a time, on threads, and hands their ids on in order. */
const encodeAll = async (
  merged: Merged,
  tokenizer: Tokenizer,
  write: (ids: Uint32Array, text: string, part: number) => void,
  { threads, ui, signal, watch }: OutputOptions,
): Promise<void> => {
  const pool = tokenizePool(tokenizer.files(), { threads });
  const task = ui.task("encoding (M characters)", 0);
  let batch: { text: string; part: number }[] = [];
  let [units, done] = [0, 0];
  const flush = async (): Promise<void> => {
    const { ids, offsets } = await pool.encodeMany(batch.map(({ text }) => text));
    batch.forEach(({ text, part }, i) => {
      const document = new Uint32Array(offsets[i + 1]! - offsets[i]! + 1);
      document.set(ids.subarray(offsets[i]!, offsets[i + 1]!));
      document[document.length - 1] = tokenizer.eos;
      write(document, text, part);
    });
    done += units;
    task.update(Math.round(done / 1e6));
    [batch, units] = [[], 0];
  };
  try {
    for await (const [doc, part] of merged.documents()) {
      signal?.throwIfAborted();
      watch.see(doc, part);
      batch.push({ text: doc.text, part });
      units += doc.text.length;
      if (units >= BATCH) await flush();
    }
    await flush();
    task.done(`encoded ${(done / 1e6).toFixed(1)} M characters`);
  } finally {
    await pool.close();
  }
};

/** Writes packed token shards; returns their index. */
export const writeTokens = async (
  merged: Merged,
  tokenizer: Tokenizer,
  output: OutputOptions,
): Promise<ShardIndex> => {
  const { data, model } = output.options;
  const { append, end, close } = appender(output.dir);
  const shape = { dtype: dtypeFor(tokenizer.vocabSize), eos: tokenizer.eos, packing: data.packing };
  const sizes = { ...shape, context: model.n_positions };
  const shardTokens = shardTokensOf({ ...sizes, split: "train" });
  const names = data.testShare > 0 ? splitNames : splitNames.slice(0, 2);
  // Measuring takes each token once, in order: only what is trained on is laid into windows.
  const packingOf = (split: SplitName) => (split === "train" ? data.packing : "concat");
  const writers = names.map((split) =>
    tokenWriter({ ...sizes, split, packing: packingOf(split), shardTokens }, append),
  );
  const write = (ids: Uint32Array, text: string, part: number): void => {
    writers[part]!.add(ids, Buffer.byteLength(text));
    output.watch.seeTokens(ids.length);
  };
  try {
    await encodeAll(merged, tokenizer, write, output);
    const splits = Object.fromEntries(names.map((name, i) => [name, writers[i]!.end()]));
    end();
    return {
      format: "anneal-tokens",
      version: 1,
      vocabSize: tokenizer.vocabSize,
      ...shape,
      ...(data.packing === "bestFit" ? { window: model.n_positions + 1 } : {}),
      shardTokens,
      documentMask: data.documentMask,
      splits,
    };
  } finally {
    close();
  }
};

const rowOf = ({ id, text, source, group }: Document) => ({
  id,
  text,
  ...(source === undefined ? {} : { source }),
  ...(group === undefined ? {} : { group }),
});

/** Writes cleaned documents, a file a split; returns the files' names. */
export const writeDocuments = async (
  merged: Merged,
  { dir, options, signal, watch }: OutputOptions,
): Promise<string[]> => {
  const { gzip, format, testShare } = options.data;
  const { append, end, close } = appender(dir);
  const names = testShare > 0 ? splitNames : splitNames.slice(0, 2);
  const zipped = gzip && format === "jsonl";
  const files = names.map((name) => `${name}.jsonl${zipped ? ".gz" : ""}`);
  const held = names.map(() => [] as string[]);
  const sizes = names.map(() => 0);
  const flush = (part: number): void => {
    const bytes = Buffer.from(held[part]!.join(""));
    // Members of gzip one after another are one gzip file (RFC 1952, 2.2).
    append(files[part]!, zipped ? gzipSync(bytes) : bytes);
    held[part] = [];
    sizes[part] = 0;
  };
  try {
    for await (const [doc, part] of merged.documents()) {
      watch.see(doc, part);
      const line = `${JSON.stringify(rowOf(doc))}\n`;
      held[part]!.push(line);
      sizes[part]! += line.length;
      signal?.throwIfAborted();
      if (sizes[part]! > 2 ** 20) flush(part);
    }
    for (const part of names.keys()) flush(part);
    end();
  } finally {
    close();
  }
  if (format !== "parquet") return files;
  const made: string[] = [];
  for (const file of files) {
    const to = file.replace(/jsonl$/, "parquet");
    await writeParquet(join(dir, file), join(dir, to));
    await remove(join(dir, file));
    made.push(to);
  }
  return made;
};

/** Writes a JSON file. Throws RunError. */
export const writeJson = (path: string, value: unknown): Promise<void> =>
  guarded("writing", path, () => writeFile(path, `${JSON.stringify(value, null, 2)}\n`));
