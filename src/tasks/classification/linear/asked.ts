/**
 * What a run asks of a linear model of its texts: how the network begins, and what it is taught beside the
 * labels.
 */
import type { Labels } from "../../../models/encoders/encoder.ts";
import type { Model } from "../../../models/model.ts";
import { ConfigError } from "../../../util/errors.ts";
import type { Examples } from "../../records.ts";
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

/**
 * The examples with a linear model's logits where it teaches. Throws where labels do not exclude each
 * other.
 */
export const linearlyTaughtIf = (
  examples: Examples,
  { config }: Model,
  { tokenizer, records }: Pick<LessonOptions, "tokenizer" | "records">,
): Examples => {
  if ((records?.linearTeacher ?? 0) === 0) return examples;
  const classes = classesOf(config as Labels, "linearTeacher");
  return { ...examples, train: linearlyTaught(examples.train, tokenizer, classes) };
};
