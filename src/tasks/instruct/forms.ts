/**
 * Instructions, chats and preferences as records: which columns hold them, and the chats, or plain texts,
 * that a row is.
 */
import type { ChatMessage } from "../../template/chat.ts";
import { DataError } from "../../util/errors.ts";
import { type Column, columnNamed, type Row, textField } from "../records.ts";
import { type PairForm, type PairOptions, pairForm, sidesOf } from "../seq2seq/pairForm.ts";
import { listIn, type Messages, messagesOf, toolsOf, wantedOf } from "./messages.ts";

/** What a row has the model learn: a chat that a template writes, or a text behind another. */
export type Lesson =
  | {
      readonly kind: "chat";
      readonly messages: readonly ChatMessage[];
      readonly wanted: readonly number[];
      readonly tools?: readonly unknown[];
    }
  | { readonly kind: "text"; readonly prompt: string; readonly completion: string };

/** The columns of instructions or chats. */
export type InstructionForm =
  | { readonly kind: "messages"; readonly field: string }
  /** Translations and summaries, which are asked for by a prefix. */
  | { readonly kind: "sides"; readonly form: PairForm }
  | {
      readonly kind: "pair";
      readonly prompt: string;
      readonly completion: string;
      /** What the instruction is about (Alpaca's), and what stands above all. */
      readonly input?: string;
      readonly system?: string;
    };

const MESSAGES = ["messages", "conversations", "conversation"];
const PAIRS = [
  ...[
    ["prompt", "completion"],
    ["instruction", "output"],
    ["prompt", "response"],
    ["instruction", "response"],
  ],
  ...[
    ["question", "answer"],
    ["query", "response"],
    ["input", "output"],
    ["source", "target"],
  ],
] as const;

const named = (columns: readonly Pick<Column, "name">[], name: string) => columnNamed(columns, [name]);

/** The form of records with these columns; undefined where it is none. */
export const instructionForm = (
  columns: readonly Pick<Column, "name">[],
  options: PairOptions,
): InstructionForm | undefined => {
  const { field, pairField, sourceLang, targetLang } = options;
  const messages = pairField === undefined ? columnNamed(columns, MESSAGES, field) : undefined;
  if (messages !== undefined) return { kind: "messages", field: messages };
  const sides = pairForm(columns, options);
  const told = [pairField, sourceLang, targetLang].some((name) => name !== undefined);
  if (sides !== undefined && told) return { kind: "sides", form: sides };
  for (const [one, other] of PAIRS) {
    const [prompt, completion] = [named(columns, one), named(columns, other)];
    if (prompt === undefined || completion === undefined) continue;
    const input = one === "instruction" ? named(columns, "input") : undefined;
    const system = named(columns, "system");
    return {
      kind: "pair",
      ...{ prompt, completion },
      ...(input === undefined ? {} : { input }),
      ...(system === undefined ? {} : { system }),
    };
  }
  return sides === undefined ? undefined : { kind: "sides", form: sides };
};

/** How rows are taken. */
export interface FormOptions {
  readonly turns: "all" | "last";
  /** Whether prompts and answers are written by the model's template; else they are texts as they are. */
  readonly templated: boolean;
  /** What stands before prompts that are texts. */
  readonly prefix?: string;
}

const optional = ({ fields }: Row, name: string | undefined): string => {
  const value = name === undefined ? undefined : fields[name];
  return typeof value === "string" ? value : "";
};

const isList = (value: unknown): boolean =>
  typeof value === "object" || (typeof value === "string" && /^\s*\[\s*\{/.test(value));

const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });

const system = (content: string): readonly ChatMessage[] =>
  content === "" ? [] : [{ role: "system", content }];

/** A prompt as messages: a text is the user's, Alpaca's input stands below it. */
const promptOf = (
  row: Row,
  form: Extract<InstructionForm, { kind: "pair" }>,
  prefix = "",
): readonly ChatMessage[] => {
  const value = row.fields[form.prompt];
  if (isList(value)) return messagesOf(listIn(row, form.prompt), row, form.prompt).messages;
  const about = optional(row, form.input);
  const text = prefix + textField(row, form.prompt);
  return [...system(optional(row, form.system)), user(about.trim() === "" ? text : `${text}\n\n${about}`)];
};

const answerOf = (row: Row, field: string): Messages => {
  if (isList(row.fields[field])) return messagesOf(listIn(row, field), row, field);
  return { messages: [assistant(textField(row, field))], unweighted: new Set() };
};

/** The answer of `field` behind a prompt. Throws DataError naming the place. */
const behind = (
  prompt: readonly ChatMessage[],
  row: Row,
  { field, turns }: { readonly field: string; readonly turns: "all" | "last" },
): Lesson => {
  const { messages, unweighted } = answerOf(row, field);
  const moved = new Set([...unweighted].map((i) => i + prompt.length));
  const all = { messages: [...prompt, ...messages], unweighted: moved };
  const wanted = wantedOf(all, row, { field, turns, from: prompt.length });
  const tools = toolsOf(row);
  return { kind: "chat", messages: all.messages, wanted, ...(tools === undefined ? {} : { tools }) };
};

/** A text and what is to be said for it: a question and its answer, or one line below the other. */
const sidesLesson = (row: Row, form: PairForm, { templated, prefix = "" }: FormOptions): Lesson => {
  const { source, target } = sidesOf(row, form);
  const asked = prefix + source;
  return templated
    ? { kind: "chat", messages: [user(asked), assistant(target)], wanted: [1] }
    : { kind: "text", prompt: `${asked}\n`, completion: target };
};

/** What a row has the model learn. Throws DataError naming file and field. */
export const lessonOf = (row: Row, form: InstructionForm, options: FormOptions): Lesson => {
  const { turns, templated, prefix } = options;
  if (form.kind === "sides") return sidesLesson(row, form.form, options);
  if (form.kind === "messages") {
    const { field } = form;
    const own = messagesOf(listIn(row, field), row, field);
    const above = own.messages[0]?.role === "system" ? [] : system(optional(row, "system"));
    const shifted = new Set([...own.unweighted].map((i) => i + above.length));
    const all = { messages: [...above, ...own.messages], unweighted: shifted };
    const tools = toolsOf(row);
    const wanted = wantedOf(all, row, { field, turns });
    return { kind: "chat", messages: all.messages, wanted, ...(tools === undefined ? {} : { tools }) };
  }
  const { prompt, completion } = form;
  if (templated || isList(row.fields[prompt]))
    return behind(promptOf(row, form, prefix), row, { field: completion, turns });
  const [asked] = promptOf(row, form, prefix).slice(-1);
  return { kind: "text", prompt: asked!.content as string, completion: textField(row, completion) };
};

/** Two answers to one prompt, of which the first is preferred. */
export interface Preference {
  readonly chosen: Lesson;
  readonly rejected: Lesson;
}

/** The columns of preferences; `prompt` is absent where the answers begin with it. */
export interface PreferenceForm {
  readonly chosen: string;
  readonly rejected: string;
  readonly prompt?: string;
  readonly system?: string;
}

/** The form of preferences with these columns; undefined where it is none. */
export const preferenceForm = (columns: readonly Pick<Column, "name">[]): PreferenceForm | undefined => {
  const [chosen, rejected] = [named(columns, "chosen"), named(columns, "rejected")];
  if (chosen === undefined || rejected === undefined) return undefined;
  const prompt = columnNamed(columns, ["prompt", "question", "instruction", ...MESSAGES]);
  const above = named(columns, "system");
  return {
    ...{ chosen, rejected },
    ...(prompt === undefined ? {} : { prompt }),
    ...(above === undefined ? {} : { system: above }),
  };
};

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** Chats that begin alike: how they begin is the prompt. */
const chatsApart = (row: Row, { chosen, rejected }: PreferenceForm): Preference => {
  const [one, other] = [answerOf(row, chosen), answerOf(row, rejected)];
  let n = 0;
  while (n < one.messages.length && n < other.messages.length && same(one.messages[n], other.messages[n]))
    n++;
  const of = (all: Messages, field: string): Lesson => ({
    ...{ kind: "chat" as const, messages: all.messages },
    wanted: wantedOf(all, row, { field, turns: "all", from: n }),
  });
  return { chosen: of(one, chosen), rejected: of(other, rejected) };
};

/** Texts that begin alike: the prompt ends behind the last word that they share. */
const textsApart = (row: Row, { chosen, rejected }: PreferenceForm): Preference => {
  const [one, other] = [textField(row, chosen), textField(row, rejected)];
  let n = 0;
  while (n < one.length && one[n] === other[n]) n++;
  while (n > 0 && !/\s/.test(one[n - 1]!)) n--;
  const of = (text: string): Lesson => ({
    kind: "text",
    prompt: text.slice(0, n),
    completion: text.slice(n),
  });
  return { chosen: of(one), rejected: of(other) };
};

/** Throws DataError where nothing is preferred. */
const apart = (row: Row, form: PreferenceForm, made: Preference): Preference => {
  if (!same(made.chosen, made.rejected)) return made;
  throw new DataError(`is the same as ${form.chosen}: nothing is preferred`, {
    file: row.id,
    field: form.rejected,
    hint: "leave such rows out, or have them left out with --skip-bad-rows",
  });
};

/** The two answers of a row. Throws DataError naming file and field. */
export const preferenceOf = (row: Row, form: PreferenceForm, { templated }: FormOptions): Preference => {
  const { chosen, rejected, prompt } = form;
  const lists = isList(row.fields[chosen]);
  if (prompt === undefined) return apart(row, form, lists ? chatsApart(row, form) : textsApart(row, form));
  const asked = promptOf(row, { kind: "pair", completion: chosen, ...form, prompt });
  if (templated || lists || isList(row.fields[prompt])) {
    const of = (field: string) => behind(asked, row, { field, turns: "all" });
    return apart(row, form, { chosen: of(chosen), rejected: of(rejected) });
  }
  const text = textField(row, prompt);
  const of = (field: string): Lesson => ({ kind: "text", prompt: text, completion: textField(row, field) });
  return apart(row, form, { chosen: of(chosen), rejected: of(rejected) });
};

/** Whether an answer is a good one: true and false, 1 and 0, or their names. Throws DataError for else. */
export const isDesirable = ({ id, fields }: Row, field: string): boolean => {
  const said = String(fields[field]).trim().toLowerCase();
  if (["true", "1", "yes", "good", "desirable"].includes(said)) return true;
  if (["false", "0", "no", "bad", "undesirable"].includes(said)) return false;
  throw new DataError(`${JSON.stringify(fields[field]) ?? "nothing"} says not whether the answer is good`, {
    file: id,
    field,
    hint: "write true or false",
  });
};
