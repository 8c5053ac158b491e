/** From the user's files to token streams: read, clean, deduplicate, split, learn a tokenizer, encode. */
import { existsSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Document } from "../data/document.ts";
import { batches, type DataReport, evalBatches, pack, prepare, type TokenStream } from "../data/index.ts";
import { tensor } from "../ir/tensor.ts";
import { readDocuments } from "../node/read.ts";
import { charTokenizer, type Tokenizer, trainBpe } from "../tokenizer/index.ts";
import type { BatchSource } from "../train/loop.ts";
import type { Windows } from "../train/validate.ts";
import { DataError } from "../util/errors.ts";
import type { RunOptions } from "./options.ts";
import type { Ui } from "./ui.ts";

export interface Corpus {
  readonly tokenizer: Tokenizer;
  readonly train: TokenStream;
  readonly validation: TokenStream;
  readonly report: DataReport;
  /** Records left out because they could not be read. */
  readonly skipped: readonly string[];
}

/** The nearest node_modules: of the working directory, else the one that anneal itself stands in. */
const nodeModules = (): string => {
  const starts = [process.cwd(), dirname(fileURLToPath(import.meta.url))];
  for (const start of starts) {
    for (let dir = start; dir !== dirname(dir); dir = dirname(dir)) {
      const found = join(dir, "node_modules");
      if (existsSync(found)) return found;
    }
  }
  throw new DataError("there is no node_modules folder to take text from", {
    hint: "name your own text with --data",
  });
};

const PROSE = /\.(md|markdown|txt)$|^(licen[cs]e|notice|copying)/i;

/**
 * Documents of the user's paths, or the prose (Markdown, text, licences) under node_modules, which every
 * installation has.
 */
const documentsOf = ({ data }: RunOptions, onSkip: (error: DataError) => void): AsyncGenerator<Document> => {
  const { paths, field, skipBadRows } = data;
  const options = { skipBadRows, onSkip, ...(field === undefined ? {} : { field }) };
  if (paths.length > 0) return readDocuments(paths, options);
  const pattern = join(
    relative(".", nodeModules()),
    "**/{*.md,*.markdown,*.txt,LICENSE*,LICENCE*,NOTICE*,COPYING*}",
  );
  return readDocuments([pattern], {
    ...options,
    skipBadRows: true,
    accept: (path) => PROSE.test(basename(path)),
  });
};

const percent = (part: number, whole: number): string =>
  `${((100 * part) / Math.max(1, whole)).toFixed(0)} %`;

const describe = ({ stages }: DataReport, ui: Ui): void => {
  for (const { name, docsIn, docsOut, bytesIn, bytesOut, reasons } of stages) {
    const why = reasons.map(({ reason, count }) => `${count} ${reason}`).join(", ");
    const size = `${(bytesOut / 1e6).toFixed(2)} MB (${percent(bytesOut, bytesIn)})`;
    const kept = `${docsOut} of ${docsIn} documents, ${size}`;
    ui.line(`${name}: ${kept}${why === "" ? "" : `; dropped: ${why}`}`);
  }
};

async function* counted(documents: AsyncGenerator<Document>, ui: Ui): AsyncGenerator<Document> {
  const task = ui.task("reading", 0);
  let read = 0;
  for await (const doc of documents) {
    task.update(++read);
    yield doc;
  }
  task.done(`read ${read} documents`);
}

/** Learns the tokenizer that the options ask for. */
const tokenizerFor = (texts: readonly string[], { tokenizer }: RunOptions, ui: Ui): Tokenizer => {
  if (tokenizer.kind === "char") return charTokenizer(texts);
  const task = ui.task("learning tokens", tokenizer.vocab);
  const made = trainBpe(texts, { vocab: tokenizer.vocab, onProgress: (done) => task.update(done) });
  task.done(`tokenizer: ${made.vocabSize} tokens`);
  return made;
};

/** Reads and prepares the corpus; with `tokenizer`, for a model that has one already. */
export const corpus = async (options: RunOptions, ui: Ui, tokenizer?: Tokenizer): Promise<Corpus> => {
  const skipped: string[] = [];
  const documents = documentsOf(options, (error) => skipped.push(error.message));
  const { validationShare } = options.data;
  const prepared = await prepare(counted(documents, ui), { seed: options.seed, validationShare });
  if (skipped.length > 0) ui.warn(`${skipped.length} records could not be read, such as: ${skipped[0]}`);
  describe(prepared.report, ui);
  const made =
    tokenizer ??
    tokenizerFor(
      prepared.train.map((doc) => doc.text),
      options,
      ui,
    );
  const train = pack(prepared.train, made);
  const validation = pack(prepared.validation, made);
  const perToken = (train.bytes / train.tokens.length).toFixed(2);
  const held = `${validation.tokens.length} held out`;
  ui.line(`tokens: ${train.tokens.length} to train on, ${held}, ${perToken} bytes a token`);
  return { tokenizer: made, train, validation, report: prepared.report, skipped };
};

/** Micro-batches of the training stream. */
export const trainingSource = (
  { train }: Corpus,
  batch: number,
  context: number,
  seed: number,
): BatchSource => {
  const at = batches({ tokens: train.tokens, batch, context, seed });
  return (index) => {
    const { inputIds, labels } = at(index);
    return {
      inputIds: tensor("int32", [batch, context], inputIds),
      labels: tensor("int32", [batch * context], labels),
    };
  };
};

/** Held-out windows, at most `limit` tokens of them, with the bytes of the text that is predicted in them. */
export const heldOut = (
  { validation, tokenizer }: Corpus,
  batch: number,
  context: number,
  limit = 32_768,
): { windows: Windows; bytes: number } => {
  const tokens = validation.tokens.subarray(0, Math.min(validation.tokens.length, limit + 1));
  const windows = evalBatches({ tokens, batch, context }).map(({ inputIds, labels }) => ({
    inputIds: tensor("int32", [batch, context], inputIds),
    labels: tensor("int32", [batch * context], labels),
  }));
  const bytes = tokens.subarray(1).reduce((sum, id) => sum + tokenizer.bytesOf(id).length, 0);
  return { windows, bytes };
};
