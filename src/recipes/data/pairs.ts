/** Pairs of texts from the user's records: read, checked, without repetitions, split and as tokens. */
import { type Document, stageRecorder } from "../../data/records/document.ts";
import { saltOf, scrambled } from "../../data/records/splits.ts";
import { readDocuments } from "../../node/read/read.ts";
import type { TextPair } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";
import { DataError } from "../../util/errors.ts";
import { streamOf } from "../../util/rng.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { inputsOf } from "./inputs.ts";
import { tokenizerOf } from "./output.ts";
import { describeStages } from "./stages.ts";
import type { UserData } from "./userData.ts";

/** A text, and what is to be said for it. */
export interface Pair {
  /** "file:line". */
  readonly id: string;
  readonly source: string;
  readonly target: string;
}

/** Both sides of a document. Throws DataError where it is no pair, or a side is empty. */
const pairOf = ({ id, turns = [] }: Document): Pair => {
  const [source, target] = turns;
  if (source === undefined || target === undefined || turns.length !== 2) {
    throw new DataError("is no pair of texts, as the first record is", {
      file: id,
      hint: 'every record has two sides: {"source": "...", "target": "..."}',
    });
  }
  const empty = [source, target].find(({ content }) => content.trim() === "");
  if (empty === undefined) return { id, source: source.content, target: target.content };
  throw new DataError(`has an empty "${empty.role}"`, {
    file: id,
    hint: "give both sides, or leave the record out with --skip-bad-rows",
  });
};

type Hooks = Pick<RecipeHooks, "ui" | "signal"> & Partial<RecipeHooks>;

/** Reads all pairs, each once; what was left out goes to the stages' report. */
const readPairs = async (options: RunOptions, hooks: Hooks) => {
  const { encoding, delimiter, skipBadRows } = options.data;
  const files = await inputsOf(options, hooks);
  const reading = stageRecorder("reading");
  const exact = stageRecorder("exact duplicates");
  const skipped: string[] = [];
  const seen = new Set<string>();
  const pairs: Pair[] = [];
  const task = hooks.ui.task("reading", 0);
  const left = (error: DataError): void => void skipped.push(error.message);
  const given = { encoding, skipBadRows, onSkip: left, ...(delimiter === undefined ? {} : { delimiter }) };
  for await (const doc of readDocuments(
    files.map(({ path }) => path),
    given,
  )) {
    hooks.signal?.throwIfAborted();
    reading.in(doc);
    try {
      const pair = pairOf(doc);
      reading.out(doc);
      exact.in(doc);
      const key = JSON.stringify([pair.source, pair.target]);
      if (seen.has(key)) exact.drop("exact duplicate", doc);
      else {
        exact.out(doc);
        seen.add(key);
        pairs.push(pair);
      }
    } catch (error) {
      if (!skipBadRows || !(error instanceof DataError)) throw error;
      left(error);
      reading.drop("no pair", doc);
    }
    task.update(pairs.length);
  }
  task.done(`read ${pairs.length} pairs`);
  if (skipped.length > 0) hooks.ui.warn(`${skipped.length} records were left out: ${skipped[0]}`);
  return { pairs, skipped, report: { stages: [reading.report(), exact.report()] } };
};

/** Training and held-out pairs: a source's are on one side, whatever other pairs there are. */
const splitOf = (pairs: readonly Pair[], { seed, data }: RunOptions) => {
  const salt = saltOf(seed, "pairs");
  const keyed = pairs.map((pair) => ({ pair, key: scrambled(streamOf(pair.source), salt) }));
  const sorted = keyed.toSorted((a, b) => a.key - b.key);
  const count = Math.max(1, Math.round(sorted.length * data.validationShare));
  const last = sorted[count - 1]?.key ?? 0;
  const validation = keyed.filter(({ key }) => key <= last).map(({ pair }) => pair);
  const train = keyed.filter(({ key }) => key > last).map(({ pair }) => pair);
  if (train.length > 0) return { train, validation };
  throw new DataError(`${pairs.length} pairs are too few to train on some and hold others out`, {
    hint: "give at least two pairs with different sources",
  });
};

/**
 * The pairs that are held out of what the same options train on, as texts. Throws as `pairData`.
 */
export const heldOutPairs = async (options: RunOptions, hooks: Hooks): Promise<readonly Pair[]> => {
  const { pairs, report } = await readPairs(options, hooks);
  describeStages(report, hooks.ui);
  return splitOf(pairs, options).validation;
};

/** Pairs as tokens, cut to `maxLength`; counts what was cut. */
export const encodedPairs = (pairs: readonly Pair[], tokenizer: Tokenizer, maxLength: number) => {
  let cut = 0;
  const side = (text: string, by: Tokenizer, special: boolean): Uint32Array => {
    const { ids } = by.encodeInputs(text, { special });
    if (ids.length <= maxLength) return ids;
    cut++;
    return by.encodeInputs(text, { special, maxLength }).ids;
  };
  const all = pairs.map(
    ({ source, target }): TextPair => ({
      source: side(source, tokenizer, true),
      target: side(target, tokenizer.target ?? tokenizer, false),
    }),
  );
  return { all, cut };
};

/**
 * The user's pairs. Throws DataError naming the file and line of a record that is no pair or lacks a side,
 * and for too few of them.
 */
export const pairData = async (options: RunOptions, hooks: Hooks, given?: Tokenizer): Promise<UserData> => {
  const { pairs, skipped, report } = await readPairs(options, hooks);
  describeStages(report, hooks.ui);
  const { train, validation } = splitOf(pairs, options);
  const texts = train.flatMap(({ source, target }) => [source, target]);
  const tokenizer = given ?? tokenizerOf(texts, options, hooks.ui);
  const [own, held] = [train, validation].map((some) =>
    encodedPairs(some, tokenizer, options.model.n_positions),
  );
  const cut = own!.cut + held!.cut;
  if (cut > 0) hooks.ui.warn(`${cut} texts were cut to ${options.model.n_positions} tokens (--context)`);
  const count = (some: readonly TextPair[]) =>
    some.reduce((sum, { source, target }) => sum + source.length + target.length, 0);
  const tokens = { train: count(own!.all), validation: count(held!.all) };
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  hooks.ui.line(`pairs: ${train.length} to train on (${tokens.train} tokens), ${validation.length} held out`);
  return {
    tokenizer,
    material: { kind: "pairs", train: own!.all, validation: held!.all },
    report,
    skipped,
    tokens: { ...tokens, bytesPerToken: bytes / tokens.train },
  };
};
