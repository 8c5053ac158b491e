/**
 * Task files of EleutherAI's lm-evaluation-harness
 * (https://github.com/EleutherAI/lm-evaluation-harness/blob/main/docs/task_guide.md), as far as they are data: templates
 * and settings. What would run code of the file (`!function`), or changes the figures in a way that is not
 * computed here, is refused by name.
 */
import { readFileSync, statSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { ConfigError } from "../../../util/errors.ts";

/** Far above any task file; a larger one was named by mistake. */
const MAX_BYTES = 1 << 20;

/** What a model is asked of each document. */
export const outputTypes = [
  "loglikelihood",
  "loglikelihood_rolling",
  "multiple_choice",
  "generate_until",
] as const;

const template = z.union([z.string(), z.number(), z.array(z.string())]);

const filter = z.strictObject({
  function: z.enum(["regex", "take_first", "lowercase", "uppercase", "remove_whitespace"]),
  regex_pattern: z.string().optional(),
  group_select: z.int().optional(),
  fallback: z.string().optional(),
});

/** Figures that a task file may ask for. */
const metrics = [
  "acc",
  "acc_norm",
  "exact_match",
  "perplexity",
  "word_perplexity",
  "byte_perplexity",
  "bits_per_byte",
  "bleu",
  "chrf",
] as const;

const metric = z.strictObject({
  metric: z.enum(metrics),
  aggregation: z.string().optional(),
  higher_is_better: z.boolean().optional(),
  ignore_case: z.boolean().optional(),
  ignore_punctuation: z.boolean().optional(),
  ignore_numbers: z.boolean().optional(),
  regexes_to_ignore: z.array(z.string()).optional(),
});

const generation = z.strictObject({
  until: z.union([z.string(), z.array(z.string())]).optional(),
  max_gen_toks: z.int().positive().optional(),
  do_sample: z.literal(false).optional(),
  temperature: z.literal([0, 0.0]).optional(),
});

const schema = z.strictObject({
  task: z.string(),
  output_type: z.enum(outputTypes).default("generate_until"),
  dataset_path: z.string().optional(),
  dataset_kwargs: z.object({ data_files: z.unknown() }).optional(),
  training_split: z.string().nullish(),
  validation_split: z.string().nullish(),
  test_split: z.string().nullish(),
  fewshot_split: z.string().nullish(),
  description: z.string().default(""),
  doc_to_text: template.default(""),
  doc_to_target: template.default(""),
  doc_to_choice: template.optional(),
  target_delimiter: z.string().default(" "),
  fewshot_delimiter: z.string().default("\n\n"),
  num_fewshot: z.int().min(0).nullish(),
  fewshot_config: z.strictObject({ sampler: z.literal("first_n") }).optional(),
  metric_list: z.array(metric).optional(),
  generation_kwargs: generation.optional(),
  filter_list: z
    .array(z.strictObject({ name: z.string(), filter: z.array(filter) }))
    .max(1)
    .optional(),
  repeats: z.literal(1).optional(),
});

/** A task file, checked. */
export type HarnessTask = z.infer<typeof schema>;
/** One step of what becomes of a generated answer. */
export type HarnessFilter = z.infer<typeof filter>;
/** A figure that a task asks for, with its settings. */
export type HarnessMetric = z.infer<typeof metric>;

/** Fields that say nothing of the figures. */
const ignored = [
  ...["tag", "group", "metadata", "task_alias", "dataset_name", "should_decontaminate"],
  ...["doc_to_decontamination_query", "unsafe_code"],
];

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const parsed = (file: string): unknown => {
  const size = statSync(file, { throwIfNoEntry: false })?.size;
  if (size === undefined) throw new ConfigError("is not there", { file, hint: "name a task file (YAML)" });
  if (size > MAX_BYTES) throw new ConfigError(`has ${size} bytes, which no task file has`, { file });
  const text = readFileSync(file, "utf8");
  const code = /^\s*([\w.]+)\s*:\s*!function\b/m.exec(text);
  if (code !== null) {
    throw new ConfigError("is code of the task file, and no code of a file is run", {
      file,
      field: code[1]!,
      hint: "write it as a template, or prepare the records beforehand",
    });
  }
  try {
    return parse(text);
  } catch (cause) {
    throw new ConfigError(messageOf(cause), { file, cause });
  }
};

/** Reads a task file. Throws ConfigError naming file and field of what is not understood. */
export const readTaskFile = (file: string): HarnessTask => {
  const value = parsed(file);
  const record = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const kept = Object.fromEntries(Object.entries(record).filter(([name]) => !ignored.includes(name)));
  const result = schema.safeParse(kept);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const field = issue!.code === "unrecognized_keys" ? issue!.keys.join(", ") : issue!.path.join(".");
  const said = issue!.code === "unrecognized_keys" ? "is not among what is evaluated here" : issue!.message;
  throw new ConfigError(said, { file, ...(field === "" ? {} : { field }) });
};
