/**
 * What a run asks of a linear model of its texts: how the network begins, and what it is taught beside the
 * labels.
 */
import type { Labels } from "../../../models/encoders/encoder.ts";
import type { Model } from "../../../models/model.ts";
import { ConfigError } from "../../../util/errors.ts";
import type { Examples, RecordOptions } from "../../records.ts";
import type { LessonOptions, StartOptions } from "../../task.ts";
import { problemIn } from "../labels.ts";
import { linearOf, linearStart } from "./start.ts";
import { linearlyTaught } from "./teacher.ts";

/** How many labels exclude each other. Throws ConfigError where they do not. */
const classesOf = (config: Labels, field: string): number => {
  const problem = problemIn(config);
  if (problem === "single_label_classification") return Object.keys(config.id2label).length;
  throw new ConfigError(`is for one label of many, and these records are for ${problem}`, {
    field: `task.${field}`,
    hint: "leave it out",
  });
};

/** The model as it begins. Throws as `linearStart`, and where labels do not exclude each other. */
export const begun = (
  model: Model,
  { train }: Examples,
  { tokenizer, seed, records }: StartOptions,
): Model => {
  if (!records.linearStart) return model;
  const linear = linearOf(train, tokenizer, classesOf(model.config as Labels, "linearStart"));
  return linearStart(model, linear, { tokenizer, seed });
};

/** Throws ConfigError for what made-up texts do not go with. */
const requirePlain = ({ train }: Examples, { classWeights, labelSmoothing }: RecordOptions): void => {
  const pairs = train.some(({ parts }) => Array.from(parts.types ?? []).some((type) => type !== 0));
  const other = classWeights !== "none" || labelSmoothing > 0;
  if (!pairs && !other) return;
  throw new ConfigError(
    pairs ? "makes up single texts, and these records are pairs" : "has targets of its own for each label",
    {
      field: "task.linearTeacher",
      hint: pairs ? "leave it out" : "leave it out, or --class-weights and --label-smoothing",
    },
  );
};

/**
 * The examples with made-up ones that a linear model labels, where it teaches. Throws where labels do not
 * exclude each other, for pairs of texts, and beside other targets.
 */
export const linearlyTaughtIf = (
  examples: Examples,
  { config }: Pick<Model, "config">,
  { tokenizer, records, context, seed }: Pick<LessonOptions, "tokenizer" | "records" | "context" | "seed">,
): Examples => {
  if (records === undefined || records.linearTeacher === 0) return examples;
  const classes = classesOf(config as Labels, "linearTeacher");
  requirePlain(examples, records);
  const how = { tokenizer, classes, each: records.linearTeacher, context, seed };
  return { ...examples, train: linearlyTaught(examples.train, how) };
};
