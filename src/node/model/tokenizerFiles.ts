/** Reads the tokenizer of a model's folder, of whichever age. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  fromMarian,
  fromSentencePiece,
  fromVocabJson,
  fromVocabTxt,
  type Json,
  loadTokenizer,
  type OlderOptions,
  readSentencePiece,
  type Tokenizer,
} from "../../tokenizer/index.ts";
import type { SentencePieceModel } from "../../tokenizer/older/sentencepiece.ts";
import { AnnealError, DataError, FormatError } from "../../util/errors.ts";
import { isGguf } from "./ggufFile.ts";
import { findFile, needFile, readJsonIfThere, readText } from "./modelFile.ts";

type Fields = { readonly [key: string]: Json };

/** Largest SentencePiece model and vocabulary that is read, bytes. */
const MAX_VOCAB = 2 ** 27;

/** SentencePiece models by the names that they have. */
const SPM = ["spiece.model", "tokenizer.model", "sentencepiece.bpe.model", "spm.model"] as const;

const LOOKED_FOR = [
  "tokenizer.json",
  "source.spm with target.spm and vocab.json",
  ...SPM,
  "vocab.json with merges.txt",
  "vocab.txt",
];

const fieldsIn = async (dir: string, name: string): Promise<Fields> => {
  const value = (await readJsonIfThere(dir, name)) ?? {};
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Fields;
  throw new FormatError("is no object", { file: join(dir, name) });
};

const has = async (dir: string, name: string): Promise<boolean> => (await findFile(dir, name)) !== undefined;

const readModel = async (dir: string, name: string) => {
  const [path, file] = [await needFile(dir, name), join(dir, name)];
  const { size } = await stat(path);
  if (size > MAX_VOCAB) throw new FormatError(`has ${size} bytes; ${MAX_VOCAB} are allowed`, { file });
  return readSentencePiece(await readFile(path), file);
};

/** Settings as tokenizer_config.json has them; those that it lacks from special_tokens_map.json. */
const settingsOf = async (dir: string): Promise<Fields> => {
  const config = await fieldsIn(dir, "tokenizer_config.json");
  const map = await fieldsIn(dir, "special_tokens_map.json");
  const missing = Object.entries(map).filter(([name]) => config[name] === undefined || config[name] === null);
  return missing.length === 0 ? config : { ...config, ...Object.fromEntries(missing) };
};

const marian = async (dir: string, options: OlderOptions): Promise<Tokenizer> => {
  const vocab = await fieldsIn(dir, "vocab.json");
  await needFile(dir, "vocab.json");
  const config: Json = {
    eos_token: "</s>",
    unk_token: "<unk>",
    pad_token: "<pad>",
    ...options.config,
    tokenizer_class: "MarianTokenizer",
  };
  const of = async (name: string) =>
    loadTokenizer(fromMarian(await readModel(dir, name), vocab, options), config);
  return { ...(await of("source.spm")), target: await of("target.spm") };
};

/** A folder's tokenizer as files, whichever age it has. */
export interface TokenizerSource {
  readonly tokenizer: Json;
  readonly config: Fields;
  /** The SentencePiece model that `tokenizer` was made of. */
  readonly pieces?: SentencePieceModel;
}

/** What the older files of a folder amount to. Throws DataError where there are none. */
const olderSource = async (dir: string, options: OlderOptions): Promise<TokenizerSource> => {
  const config = { tokenizer_class: "PreTrainedTokenizerFast", ...options.config };
  for (const name of SPM) {
    if (!(await has(dir, name))) continue;
    const pieces = await readModel(dir, name);
    return { tokenizer: fromSentencePiece(pieces, options, name), config, pieces };
  }
  if ((await has(dir, "vocab.json")) && (await has(dir, "merges.txt"))) {
    const merges = await readText(dir, "merges.txt", MAX_VOCAB);
    return { tokenizer: fromVocabJson(await fieldsIn(dir, "vocab.json"), merges, options), config };
  }
  if (await has(dir, "vocab.txt"))
    return { tokenizer: fromVocabTxt(await readText(dir, "vocab.txt", MAX_VOCAB), options), config };
  throw new DataError("holds no tokenizer", { file: dir, hint: `looked for ${LOOKED_FOR.join(", ")}` });
};

/** What stands beside an older vocabulary. */
const olderOptions = async (dir: string, config: Fields): Promise<OlderOptions> => {
  const model = await fieldsIn(dir, "config.json");
  return {
    config,
    added: await fieldsIn(dir, "added_tokens.json"),
    ...(typeof model.model_type === "string" ? { modelType: model.model_type } : {}),
  };
};

const older = async (dir: string, config: Fields): Promise<Tokenizer> => {
  const options = await olderOptions(dir, config);
  if (await has(dir, "source.spm")) return marian(dir, options);
  const source = await olderSource(dir, options);
  return loadTokenizer(source.tokenizer, source.config);
};

/** An error about a file of the folder, with the folder before its name. */
const inFolder = (dir: string, error: unknown): unknown => {
  if (!(error instanceof FormatError)) return error;
  const { file } = error.details;
  if (file === undefined || file.startsWith(dir)) return error;
  const what = error.message.slice(new AnnealError("", error.details).message.length);
  return new FormatError(what, { ...error.details, file: join(dir, file) });
};

/**
 * The tokenizer of a model's folder: tokenizer.json, else the older files of GPT-2, RoBERTa, BERT,
 * SentencePiece (T5, XLM-R, Llama) and Marian, made into one. Throws DataError where there is none, and
 * FormatError, naming the file, where one is malformed.
 */
export const readTokenizer = async (dir: string): Promise<Tokenizer> => {
  try {
    const config = await settingsOf(dir);
    const json = await readJsonIfThere(dir, "tokenizer.json");
    if (json === undefined) return await older(dir, config);
    // A GGUF file says all of its vocabulary itself, and may hold nothing else.
    if (await isGguf(dir)) return loadTokenizer(json, config);
    const { model_type: modelType } = await fieldsIn(dir, "config.json");
    return loadTokenizer(json, config, typeof modelType === "string" ? { modelType } : {});
  } catch (error) {
    throw inFolder(dir, error);
  }
};

/** The files that `readTokenizer` reads, whichever age they have. Throws as it does. */
export const readTokenizerSource = async (dir: string): Promise<TokenizerSource> => {
  try {
    const config = await settingsOf(dir);
    const tokenizer = await readJsonIfThere(dir, "tokenizer.json");
    return tokenizer === undefined
      ? await olderSource(dir, await olderOptions(dir, config))
      : { tokenizer, config };
  } catch (error) {
    throw inFolder(dir, error);
  }
};
