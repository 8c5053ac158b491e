/** What the pipeline reads, and how, as the options of a run say. */
import { existsSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { FilterOptions } from "../../data/filter/filter.ts";
import { type PresetName, resolveRules } from "../../data/filter/rules.ts";
import type { MergeHooks } from "../../data/pipeline/part.ts";
import type { MixSettings, PipelineSettings } from "../../data/pipeline/stages.ts";
import { fieldPolicy } from "../../data/records/fields.ts";
import { type PartSettings, sha256Of } from "../../node/prepare/parts.ts";
import { encodingNamed } from "../../node/read/bytes/charset.ts";
import { type InputFile, type LeftOut, shownKinds } from "../../node/read/inputs.ts";
import { listInputs, type ReadOptions, readDocuments } from "../../node/read/read.ts";
import { delimiterByte } from "../../node/read/tables/dialect.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import type { RunOptions } from "../config/options.ts";
import type { Ui } from "../context/ui.ts";

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

/** What listing the inputs tells, and what it leaves out. */
export interface InputHooks {
  readonly ui: Ui;
  /** The folder that is written, none of which is read. */
  readonly out?: string;
  /** Told, as the user is, of the files of a path that are not read. */
  readonly onLeftOut?: (message: string) => void;
}

/**
 * The files of the user's paths, or the prose (Markdown, text, licences) under node_modules, which every
 * installation has.
 */
export const inputsOf = ({ data }: RunOptions, hooks: InputHooks): Promise<InputFile[]> => {
  const { ui, out } = hooks;
  const onPassed = (dir: string): void => ui.line(`${dir} was made by anneal and is not read`);
  const onLeftOut = (path: string, left: readonly LeftOut[]): void => {
    const count = left.reduce((sum, each) => sum + each.count, 0);
    const are = count === 1 ? "file is" : "files are";
    const message = `${path}: ${count} ${are} not read (${shownKinds(left)})`;
    ui.warn(message);
    hooks.onLeftOut?.(message);
  };
  if (data.paths.length > 0) return listInputs(data.paths, { onPassed, onLeftOut, ...defined({ out }) });
  const names = "**/{*.md,*.markdown,*.txt,LICENSE*,LICENCE*,NOTICE*,COPYING*}";
  const accept = (path: string): boolean => PROSE.test(basename(path));
  return listInputs([join(relative(".", nodeModules()), names)], { accept });
};

/** "NAME=VALUE" texts as pairs. Throws ConfigError. */
const pairs = (texts: readonly string[], field: string): (readonly [name: string, value: string])[] =>
  texts.map((text) => {
    const equals = text.indexOf("=");
    if (equals < 1) throw new ConfigError(`"${text}" is no NAME=VALUE`, { field });
    return [text.slice(0, equals), text.slice(equals + 1)];
  });

const numberOf = (text: string, field: string): number => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value))
    throw new ConfigError(`"${text}" is no number`, { field });
  return value;
};

const filterOptions = ({ data }: RunOptions): FilterOptions => {
  const thresholds = pairs(data.thresholds, "data.thresholds").map(
    ([rule, value]) => [rule, value === "off" ? null : numberOf(value, "data.thresholds")] as const,
  );
  return {
    preset: data.rules as readonly PresetName[],
    rules: Object.fromEntries(thresholds),
    ...(data.languages.length === 0 ? {} : { language: { keep: data.languages } }),
    ...(data.personal ? { personal: true } : {}),
    ...(data.decontaminate.length === 0 ? {} : { contamination: {} }),
  };
};

const mixSettings = ({ data }: RunOptions): { readonly mix?: MixSettings } => {
  const { mix, temperature, maxEpochs } = data;
  if (mix.length === 0 && temperature === 0) return {};
  const rows = pairs(mix, "data.mix").map(([name, weight]) => [name, numberOf(weight, "data.mix")] as const);
  const weights = rows.length === 0 ? {} : { weights: Object.fromEntries(rows) };
  return { mix: { ...weights, temperature: temperature || 1, maxEpochs } };
};

/** The pipeline's settings among a run's options. Throws ConfigError for a malformed one. */
export const pipelineSettings = (options: RunOptions): PipelineSettings => {
  const { validationShare, testShare, near, keep, lines, substrings, likeShare, ...data } = options.data;
  const banding = {
    ...(data.bands > 0 ? { bands: data.bands } : {}),
    ...(data.rows > 0 ? { rows: data.rows } : {}),
    ...(data.shingle > 0 ? { ngram: data.shingle } : {}),
  };
  const filter = filterOptions(options);
  // Wrong names are refused here, before any work.
  resolveRules(filter);
  const repair = { form: data.unicode };
  const shared = { near, banding, keep, lines, substrings, likeShare };
  return {
    seed: options.seed,
    repair,
    filter,
    validationShare,
    testShare,
    ...shared,
    ...mixSettings(options),
  };
};

const readOptions = ({ data }: RunOptions): ReadOptions => {
  const { field, sourceField, groupField, missing, delimiter } = data;
  const policies = pairs(missing, "data.missing").map(([name, text]) => [name, fieldPolicy(text)] as const);
  // A wrong name is refused here, before any work.
  if (delimiter !== undefined) delimiterByte(delimiter);
  return {
    encoding: encodingNamed(data.encoding),
    ...(delimiter === undefined ? {} : { delimiter }),
    // Among files that nobody chose, one that is no text must not stop the run.
    skipBadRows: data.skipBadRows || data.paths.length === 0,
    ...(field === undefined ? {} : { field }),
    ...(sourceField === undefined ? {} : { sourceField }),
    ...(groupField === undefined ? {} : { groupField }),
    ...(policies.length === 0 ? {} : { fields: Object.fromEntries(policies) }),
  };
};

/** What each of `files` is read and cleaned by. A text that is all there is becomes several documents. */
export const partSettings = async (
  options: RunOptions,
  files: readonly InputFile[],
): Promise<PartSettings> => {
  const { decontaminate } = options.data;
  const evaluation = [];
  if (decontaminate.length > 0) {
    for (const { path } of await listInputs(decontaminate))
      evaluation.push({ path, sha256: await sha256Of(path) });
  }
  const read = { ...readOptions(options), ...(files.length === 1 ? { wholeBytes: 0 } : {}) };
  return { pipeline: pipelineSettings(options), read, evaluation };
};

/** The fields that name sources and groups, for the merge, which knows whether any record has them. */
export const labelFields = ({ data }: RunOptions): NonNullable<MergeHooks["labels"]> =>
  defined({ source: data.sourceField, group: data.groupField });

/** UTF-16 units of a target that are held: more changes its n-grams little. */
const TARGET = 2 ** 26;

/** The texts that the selection is to be like; undefined where there is none. */
export const targetTexts = async (options: RunOptions): Promise<string[] | undefined> => {
  const { data } = options;
  if (data.like.length === 0) return undefined;
  const texts: string[] = [];
  let held = 0;
  for await (const { text } of readDocuments(data.like, readOptions(options))) {
    if (held > TARGET) break;
    texts.push(text);
    held += text.length;
  }
  return texts;
};
