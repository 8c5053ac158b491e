/** The shape of a config file: every field of RunOptions, each of them optional, and no other. */
import { z } from "zod";
import { nearNames } from "../../data/pipeline/stages.ts";
import { optimizers } from "../../optim/index.ts";
import { type TaskName, tasks } from "../../tasks/index.ts";
import { groupLosses, poolingChoices, problems } from "../../tasks/records.ts";
import { wires } from "../../train/ranks/wire.ts";
import { ConfigError, type ErrorDetails } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import {
  type DataOptions,
  families,
  type ModelOptions,
  type RunConfig,
  type RunOptions,
  type TaskOptions,
  type TokenizerOptions,
  type TrainingOptions,
} from "./options.ts";
import {
  adapter,
  budget,
  choice,
  distill,
  int,
  number,
  type Shape,
  search,
  section,
  text,
  texts,
} from "./sections.ts";

const data = {
  paths: z.array(z.string()).optional(),
  columns: texts,
  validation: texts,
  field: z.string().optional(),
  skipBadRows: z.boolean().optional(),
  validationShare: number,
  testShare: number,
  encoding: z.string().optional(),
  delimiter: z.string().optional(),
  unicode: choice("NFC", "NFKC"),
  missing: texts,
  sourceField: z.string().optional(),
  groupField: z.string().optional(),
  rules: texts,
  thresholds: texts,
  languages: texts,
  personal: z.boolean().optional(),
  decontaminate: texts,
  near: choice(...nearNames),
  bands: int,
  rows: int,
  shingle: int,
  keep: choice("first", "longest", "best"),
  lines: choice("off", "line", "paragraph"),
  substrings: int,
  like: texts,
  likeShare: number,
  mix: texts,
  temperature: number,
  maxEpochs: number,
  format: choice("tokens", "jsonl", "parquet"),
  gzip: z.boolean().optional(),
  packing: choice("concat", "bestFit"),
  documentMask: z.boolean().optional(),
} satisfies Shape<DataOptions>;
const tokenizer = { kind: choice("bpe", "char"), vocab: int } satisfies Shape<TokenizerOptions>;
const model = {
  from: z.string().optional(),
  ...{ adapters: texts, cutVocab: z.boolean().optional() },
  family: choice(...families),
  n_layer: int,
  n_head: int,
  n_embd: int,
  n_positions: int,
  dropout: number,
  activation_function: choice("gelu_new", "gelu", "relu"),
} satisfies Shape<ModelOptions>;
const train = {
  steps: int,
  epochs: number,
  batch: int,
  accumulate: int,
  chunk: int,
  replicas: int,
  ...{
    zero: int,
    pipeline: z.boolean().optional(),
    localSteps: int,
    overlap: int,
    outerLr: number,
    outerMomentum: number,
    wire: choice(...wires),
  },
  optimizer: choice(...(Object.keys(optimizers) as [keyof typeof optimizers])),
  lrPeak: number,
  lrMin: number,
  warmup: int,
  warmupShare: number,
  schedule: choice("constant", "linear", "cosine", "wsd", "inverseSqrt"),
  weightDecay: number,
  wholeWords: z.boolean().optional(),
  freeze: texts,
  freezeLayers: int,
  freezeEmbeddings: z.boolean().optional(),
  layerDecay: number,
  baseWidth: int,
  recompute: z.boolean().optional(),
  ...{ lossRows: int, ema: number, averageLast: int },
  clipNorm: number,
  clipValue: number,
  evalEvery: int,
  checkpointEvery: int,
  patience: int,
  onNan: choice("stop", "skip"),
} satisfies Shape<TrainingOptions>;
const task = {
  name: choice("", ...(Object.keys(tasks) as TaskName[]).filter((name) => "records" in tasks[name])),
  ...{ pairField: text, sourceLang: text, targetLang: text, prefix: text },
  labelFields: texts,
  labels: texts,
  problem: choice(...problems),
  classWeights: choice("none", "balanced"),
  ...{ labelSmoothing: number, tokenDropout: number, linearTeacher: int },
  linearStart: z.boolean().optional(),
  tooLong: choice("truncate", "refuse"),
  labelPieces: choice("first", "all"),
  turns: choice("all", "last", "text"),
  packed: z.boolean().optional(),
  chatTemplate: choice("auto", "none"),
  beta: number,
  ...{ desirableWeight: number, undesirableWeight: number },
  loss: choice(...groupLosses),
  ...{ scale: number, margin: number, hardNegatives: int, negativeMargin: number, negativeRangeMin: int },
  dims: z.array(z.int()).optional(),
  pooling: choice(...poolingChoices),
} satisfies Shape<TaskOptions>;
const shape = {
  seed: int,
  out: z.string().optional(),
  threads: int,
  data: section(data),
  tokenizer: section(tokenizer),
  model: section(model),
  train: section(train),
  task: section(task),
  adapter: section(adapter),
  distill: section(distill),
  budget: section(budget),
  search: section(search),
} satisfies Shape<RunOptions>;

/** A config file's content, by zod. */
export const configSchema = z.strictObject(shape);

type Node = { readonly [key: string]: Node | null };
/** The names that there are, as a tree: null at a field, an object at a section. */
const names: Node = Object.fromEntries(
  Object.entries(shape).map(([key, type]) => {
    const inner = type.unwrap() as z.ZodType;
    if (!(inner instanceof z.ZodObject)) return [key, null];
    return [key, Object.fromEntries(Object.keys(inner.shape).map((field) => [field, null]))];
  }),
);

/** The dotted paths of all fields. */
export const fieldPaths: readonly string[] = Object.entries(names).flatMap(([key, inner]) =>
  inner === null ? [key] : Object.keys(inner).map((field) => `${key}.${field}`),
);

/** What a field holds, and the names that it can be where they are known. */
export interface FieldType {
  readonly kind: "number" | "string" | "boolean" | "array" | "enum";
  /** Of an array: whether it holds numbers. */
  readonly ofNumbers?: true;
  readonly choices?: readonly string[];
}

/** The type of the field at a dotted path, such as "train.steps". */
export const fieldType = (path: string): FieldType => {
  const type = path.split(".").reduce<z.ZodType>((outer, key) => {
    const inner = (outer as z.ZodObject<Record<string, z.ZodOptional<z.ZodType>>>).shape[key]!;
    return inner.unwrap();
  }, configSchema);
  const kind = type.def.type as FieldType["kind"];
  if (type instanceof z.ZodArray && (type.element as z.ZodType).def.type === "number") {
    return { kind, ofNumbers: true };
  }
  return type instanceof z.ZodEnum ? { kind, choices: type.options.map(String) } : { kind };
};

/** Where a value came from: the file, and the line of a path in it where that is known. */
export interface Source {
  readonly file?: string;
  lineOf?(path: readonly PropertyKey[]): number | undefined;
}

const placeOf = (source: Source, path: readonly PropertyKey[]): ErrorDetails => {
  const line = source.lineOf?.(path);
  return {
    field: path.map(String).join("."),
    ...(source.file === undefined ? {} : { file: source.file }),
    ...(line === undefined ? {} : { line }),
  };
};

/** The valid path nearest to a wrong one: by its last name among all, then as a whole. */
const suggestion = (path: readonly string[], siblings: readonly string[]): string | undefined => {
  const last = path[path.length - 1]!;
  const near = nearest(last, siblings);
  if (near !== undefined) return [...path.slice(0, -1), near].join(".");
  const elsewhere = fieldPaths.find((known) => known.split(".").pop() === last);
  return elsewhere ?? nearest(path.join("."), fieldPaths);
};

/** The error of a field that there is not. */
export const unknownField = (path: readonly string[], source: Source = {}): ConfigError => {
  const parent = path.length > 1 ? (Object.hasOwn(names, path[0]!) ? names[path[0]!] : null) : names;
  const siblings = Object.keys(parent ?? names);
  const near = suggestion(path, siblings);
  const hint = near === undefined ? `valid here: ${siblings.join(", ")}` : `did you mean ${near}?`;
  return new ConfigError("there is no such field", { ...placeOf(source, path), hint });
};

/** Whether the dotted path names a field or a section. Own names only, so that `constructor` is none. */
export const isKnown = (path: readonly string[]): boolean => {
  let node: Node | null | undefined = names;
  for (const key of path) {
    if (!node || !Object.hasOwn(node, key)) return false;
    node = node[key];
  }
  return path.length > 0;
};

const refuseUnknown = (value: unknown, source: Source, at: readonly string[] = []): void => {
  if (typeof value !== "object" || value === null || Array.isArray(value) || at.length > 1) return;
  for (const key of Object.keys(value)) {
    const path = [...at, key];
    if (!isKnown(path)) throw unknownField(path, source);
    refuseUnknown((value as Record<string, unknown>)[key], source, path);
  }
};

const kindOf = (value: unknown): string => {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return `${text.length > 40 ? `${text.slice(0, 40)}...` : text} (${typeof value})`;
};

const expected: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  array: "a list of texts",
  object: "an object",
};

const at = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((v, key) => (v as Record<PropertyKey, unknown> | undefined)?.[key], value);

const typeError = (issue: z.core.$ZodIssue, value: unknown, source: Source): ConfigError => {
  const got = at(value, issue.path);
  const place = placeOf(source, issue.path);
  if (issue.code === "invalid_type") {
    const want = expected[issue.expected] ?? issue.expected;
    return new ConfigError(`expected ${want}, got ${kindOf(got)}`, place);
  }
  if (issue.code === "invalid_value") {
    const values = issue.values.map(String);
    const near = typeof got === "string" ? nearest(got, values) : undefined;
    const hint = near === undefined ? {} : { hint: `did you mean ${near}?` };
    return new ConfigError(`expected one of ${values.join(", ")}, got ${kindOf(got)}`, { ...place, ...hint });
  }
  return new ConfigError(`${issue.message}, got ${kindOf(got)}`, place);
};

/** `value` as a config. Throws ConfigError naming the field that is unknown or of the wrong type. */
export const parseConfig = (value: unknown, source: Source = {}): RunConfig => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const place = source.file === undefined ? {} : { file: source.file };
    throw new ConfigError(`expected an object of options, got ${kindOf(value)}`, place);
  }
  refuseUnknown(value, source);
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) throw typeError(parsed.error.issues[0]!, value, source);
  return parsed.data as RunConfig;
};
