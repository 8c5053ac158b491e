/** What a checkpoint's config.json asks for: architecture, task, labels. Errors name file and field. */
import { ConfigError } from "../../util/errors.ts";
import { nearest } from "../../util/nearest.ts";
import type { Architecture, Head } from "../model.ts";
import { architectures } from "../registry.ts";

/** The config's file name. */
export const CONFIG = "config.json";

/** What a checkpoint is loaded for. */
export interface LoadOptions {
  /** What the model is to be for; that of the checkpoint unless told. */
  readonly task?: Head;
  /** The labels of a classifier, by id; those of the checkpoint unless told. */
  readonly labels?: readonly string[];
  /** What a classifier's logits mean, as `problem_type`; what the checkpoint says unless told. */
  readonly problem?: string;
  /** Whether the head begins anew, even where the checkpoint has one of the same shape. */
  readonly freshHead?: boolean;
  /** Of the first weights of a head that the checkpoint does not have. */
  readonly seed?: number;
  /** The config's name in errors. */
  readonly configFile?: string;
}

/** The fields of config.json, not checked yet. */
export type ConfigJson = Readonly<Record<string, unknown>>;

/** The architecture of a config. Throws ConfigError naming the nearest model_type. */
export const architectureOf = (config: unknown, file: string = CONFIG): Architecture => {
  const type = (config as ConfigJson | null)?.model_type;
  const found =
    typeof type === "string" && Object.hasOwn(architectures, type) ? architectures[type] : undefined;
  if (found !== undefined) return found;
  const known = Object.keys(architectures);
  const near = typeof type === "string" ? nearest(type, known) : undefined;
  throw new ConfigError(`is ${JSON.stringify(type)}, an architecture that is not known`, {
    file,
    field: "model_type",
    hint: `${near === undefined ? "" : `did you mean "${near}"? `}known: ${known.join(", ")}`,
  });
};

/** Runs `parse`; its ConfigErrors name the file besides the field. */
export const inFile = <T>(file: string, parse: () => T): T => {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof ConfigError) || error.details.file !== undefined) throw error;
    const text = error.message.slice(new ConfigError("", error.details).message.length);
    throw new ConfigError(text, { ...error.details, file });
  }
};

/** Fields that mean a computation which is not here, whatever the model_type. */
export const refuseForeign = (json: ConfigJson, file: string): void => {
  if (json.auto_map !== undefined && json.auto_map !== null) {
    throw new ConfigError("asks for code of the checkpoint's own, which is never run", {
      file,
      field: "auto_map",
      hint: "use a checkpoint of an architecture that transformers itself has",
    });
  }
  if (json.quantization_config !== undefined && json.quantization_config !== null) {
    throw new ConfigError("says that the weights are quantized; float ones are needed", {
      file,
      field: "quantization_config",
      hint: "use the checkpoint that this one was made from",
    });
  }
};

/** The config with the class of a task and the labels asked for. */
export const retarget = (
  arch: Architecture,
  json: ConfigJson,
  { task, labels, problem }: LoadOptions,
  file: string,
): ConfigJson => {
  const className = task === undefined ? undefined : arch.classes[task];
  if (task !== undefined && className === undefined) {
    throw new ConfigError(`has no head for ${task}`, {
      file,
      field: "model_type",
      hint: `${arch.name} has: ${Object.keys(arch.classes).join(", ")}`,
    });
  }
  const names = labels === undefined ? {} : labelFields(json, labels);
  const means = problem === undefined ? {} : { problem_type: problem };
  return { ...json, ...names, ...means, ...(className === undefined ? {} : { architectures: [className] }) };
};

const labelFields = (json: ConfigJson, labels: readonly string[]): ConfigJson => ({
  id2label: Object.fromEntries(labels.map((label, i) => [String(i), label])),
  label2id: Object.fromEntries(labels.map((label, i) => [label, i])),
  ...(json.num_labels === undefined ? {} : { num_labels: labels.length }),
});
