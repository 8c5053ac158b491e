/** The `post_processor` of a tokenizer.json: the special tokens that a model expects around its input. */
import { asText, type Fields, object, refuse, show, stepsOf } from "../json.ts";
import type { Json } from "../tokenizer.ts";

/** A special token's ids, or a place of one of the texts. */
export interface TemplatePart {
  readonly ids: readonly number[] | "A" | "B";
  /** Which of two texts the model takes it for. */
  readonly type: number;
}

/** What stands around one text, and around two. */
export interface InputTemplate {
  readonly single: readonly TemplatePart[];
  readonly pair: readonly TemplatePart[];
}

const bare: InputTemplate = {
  single: [{ ids: "A", type: 0 }],
  pair: [
    { ids: "A", type: 0 },
    { ids: "B", type: 1 },
  ],
};

const isId = (value: Json | undefined): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0;

/** The id of a `["[SEP]", 102]`. */
const idOf = (value: Json | undefined): number => {
  const id: Json | undefined = Array.isArray(value) ? value[1] : undefined;
  return isId(id) ? id : refuse(`has a post-processor with ${show(value)} where a token and its id are`);
};

const partsOf = (value: Json | undefined, tokens: Fields): TemplatePart[] => {
  if (!Array.isArray(value)) return refuse(`has a template ${show(value)}`);
  return value.map((part: Json) => {
    const { SpecialToken: special, Sequence: sequence } = object(part, "template part");
    const { id, type_id: type = 0 } = object(special ?? sequence, "SpecialToken or Sequence");
    if (!isId(type)) return refuse(`has a template part of type_id ${show(type)}`);
    if (special === undefined) {
      if (id === "A" || id === "B") return { ids: id, type };
      return refuse(`has a template of a text ${show(id)}`);
    }
    const known = Object.hasOwn(tokens, asText(id)) ? tokens[asText(id)] : undefined;
    const { ids } = object(known, `special_tokens.${asText(id)}`);
    if (!Array.isArray(ids) || !ids.every(isId)) return refuse(`has no ids for the token ${show(id)}`);
    return { ids, type };
  });
};

const template = (step: Fields): InputTemplate => {
  const tokens = object(step.special_tokens ?? {}, "special_tokens");
  return { single: partsOf(step.single, tokens), pair: partsOf(step.pair ?? [], tokens) };
};

const around = (step: Fields, second: number, separators: number): InputTemplate => {
  const cls: TemplatePart = { ids: [idOf(step.cls)], type: 0 };
  const sep = [idOf(step.sep)];
  const single: TemplatePart[] = [cls, { ids: "A", type: 0 }, { ids: sep, type: 0 }];
  const between = Array.from({ length: separators - 1 }, () => ({ ids: sep, type: second }));
  return { single, pair: [...single, ...between, { ids: "B", type: second }, { ids: sep, type: second }] };
};

const kinds: ReadonlyMap<string, (step: Fields) => InputTemplate> = new Map([
  ["TemplateProcessing", template],
  ["BertProcessing", (step: Fields) => around(step, 1, 1)],
  ["RobertaProcessing", (step: Fields) => around(step, 0, 2)],
]);

/** `template`, whose ids are below `size`. Throws FormatError. */
const within = (template: InputTemplate, size: number): InputTemplate => {
  for (const { ids } of [...template.single, ...template.pair])
    for (const id of typeof ids === "string" ? [] : ids)
      if (id >= size) refuse(`has a post-processor with the id ${id}, which the vocabulary of ${size} lacks`);
  return template;
};

/**
 * The template of a `post_processor` for a vocabulary of `size` ids. Throws FormatError for other kinds,
 * for two at once, and for ids that the vocabulary lacks.
 */
export const templateOf = (value: Json | undefined, size = 0): InputTemplate => {
  const steps = stepsOf(value, "processors").filter(({ type }) => type !== "ByteLevel");
  if (steps.length === 0) return bare;
  const [step, ...more] = steps;
  const make = kinds.get(asText(step!.type));
  if (make === undefined || more.length > 0)
    return refuse(`has a post-processor of type ${steps.map(({ type }) => show(type)).join(" and ")}`);
  return within(make(step!), size);
};
