/** What a task file makes of a record: the text before, the choices or the target. */
import { render } from "../../../template/render.ts";
import { Refusal, TemplateFault } from "../../../template/values/values.ts";
import { ConfigError, DataError } from "../../../util/errors.ts";
import { literalList } from "./literal.ts";
import type { HarnessTask } from "./taskFile.ts";

/** A record of the user's data. */
export interface HarnessRecord {
  /** "file:line". */
  readonly id: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What is asked of a model for one record. */
export interface Question {
  readonly id: string;
  readonly context: string;
  /** What may follow, where one of several is to be found. */
  readonly choices?: readonly string[];
  /** Which of the choices is right. */
  readonly gold?: number;
  /** What is to follow, or the whole text whose probability is asked. */
  readonly target: string;
}

/**
 * A template as the harness sets Jinja up: lines and spaces around blocks stay, and so does the last line
 * end, all of which chat templates lose; of line ends at the very end they lose one.
 */
const plainly = (template: string): string =>
  template
    .replace(/(^|\n)([ \t]+)\{%(?!-)/g, '$1$2{{ "" }}{%')
    .replace(/%\}\n/g, '%}{{ "\\n" }}')
    .concat("\n");

const NAMES = /\{\{-?\s*([A-Za-z_]\w*)\s*(?=[}.[|-])/g;

/** The text that a template makes of a record. Throws DataError for a column that it has not. */
const rendered = (template: string, { id, fields }: HarnessRecord, field: string): string => {
  for (const [, name] of template.matchAll(NAMES)) {
    if (name! in fields || /^(range|namespace|dict|loop|true|false|none)$/i.test(name!)) continue;
    if (new RegExp(`\\{%-?\\s*(set|for)\\s+[^%]*\\b${name}\\b`).test(template)) continue;
    const known = Object.keys(fields).join(", ");
    throw new DataError(`has no "${name}", which ${field} names`, { file: id, hint: `it has: ${known}` });
  }
  try {
    return render(plainly(template), fields, { now: new Date(0) });
  } catch (cause) {
    if (!(cause instanceof TemplateFault) && !(cause instanceof Refusal)) throw cause;
    throw new ConfigError(cause.message, { field, file: id, cause });
  }
};

type Template = HarnessTask["doc_to_text"];

const textOf = (template: Template, record: HarnessRecord, field: string): string => {
  if (Array.isArray(template)) throw new ConfigError("is a list, where a text is needed", { field });
  const own = typeof template === "string" ? record.fields[template] : undefined;
  if (own !== undefined) return String(own);
  return typeof template === "number" ? String(template) : rendered(template, record, field);
};

const choicesOf = (template: Template, record: HarnessRecord): readonly string[] => {
  if (Array.isArray(template)) return template;
  const own = typeof template === "string" ? record.fields[template] : undefined;
  if (Array.isArray(own)) return own.map(String);
  return literalList(textOf(template, record, "doc_to_choice"), "doc_to_choice");
};

const goldOf = (target: string, choices: readonly string[], { id }: HarnessRecord): number => {
  const at = choices.indexOf(target) >= 0 ? choices.indexOf(target) : Number(target);
  if (target.trim() !== "" && Number.isInteger(at) && at >= 0 && at < choices.length) return at;
  throw new DataError(
    `has the target ${JSON.stringify(target)}, which is none of ${choices.length} choices`,
    {
      file: id,
      hint: "doc_to_target gives a choice's number, counted from 0, or its text",
    },
  );
};

/** The question of a record, without examples before it. */
const bare = (task: HarnessTask, record: HarnessRecord): Question => {
  const target = textOf(task.doc_to_target, record, "doc_to_target");
  if (task.output_type === "loglikelihood_rolling") return { id: record.id, context: "", target };
  const context = textOf(task.doc_to_text, record, "doc_to_text");
  if (task.output_type !== "multiple_choice") return { id: record.id, context, target };
  if (task.doc_to_choice === undefined) {
    throw new ConfigError("is missing, and a multiple choice needs it", { field: "doc_to_choice" });
  }
  const choices = choicesOf(task.doc_to_choice, record);
  const gold = goldOf(target, choices, record);
  return { id: record.id, context, choices, gold, target: choices[gold]! };
};

/** The questions of records, each behind the description and the examples. */
export const questionsOf = (
  task: HarnessTask,
  records: readonly HarnessRecord[],
  examples: readonly HarnessRecord[],
): Question[] => {
  const shown = examples.map((record) => {
    const { context, target } = bare(task, record);
    return `${context}${task.target_delimiter}${target}${task.fewshot_delimiter}`;
  });
  const before = task.description + shown.join("");
  const rolling = task.output_type === "loglikelihood_rolling";
  return records.map((record) => {
    const question = bare(task, record);
    return rolling ? question : { ...question, context: before + question.context };
  });
};
