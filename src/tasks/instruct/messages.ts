/**
 * Messages in the forms that people keep them: OpenAI's `messages` (role, content, tool_calls, weight), and
 * ShareGPT's `conversations` (from, value), as a list or as JSON of one.
 */
import { type ChatMessage, chatMessages, isAssistant } from "../../template/chat.ts";
import { DataError } from "../../util/errors.ts";
import type { Row } from "../records.ts";

type Raw = Readonly<Record<string, unknown>>;

/** ShareGPT's names of roles, and those of its kin. */
const ROLES: Readonly<Record<string, string>> = {
  ...{ human: "user", gpt: "assistant", chatgpt: "assistant", bing: "assistant", bard: "assistant" },
  ...{ function_call: "assistant", observation: "tool", function_response: "tool", tool_response: "tool" },
};

const isRaw = (value: unknown): value is Raw =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value, or what its JSON holds: tables have no lists. Throws DataError for what is no JSON. */
export const listIn = ({ id, fields }: Row, field: string): unknown => {
  const value = fields[field];
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value) as unknown;
  } catch (cause) {
    const hint = 'write [{"role": "user", "content": "..."}, ...]';
    throw new DataError("holds a text that is no JSON", { file: id, field, hint, cause });
  }
};

/** A call with its arguments as an object, which is how templates write them. */
const callOf = (call: unknown): unknown => {
  if (!isRaw(call)) return call;
  const own = isRaw(call.function) ? call.function : call;
  if (typeof own.arguments !== "string") return call;
  try {
    const made = { ...own, arguments: JSON.parse(own.arguments) as unknown };
    return own === call ? made : { ...call, function: made };
  } catch {
    return call;
  }
};

/** ShareGPT's call of a function is the JSON of it. */
const calling = (value: unknown): Raw => {
  try {
    const call: unknown = JSON.parse(String(value));
    const calls = Array.isArray(call) ? call : [call];
    return {
      role: "assistant",
      content: "",
      tool_calls: calls.map((each) => ({ type: "function", function: each })),
    };
  } catch {
    return { role: "assistant", content: value };
  }
};

/** A list of texts as one. */
const joined = (content: unknown): unknown =>
  Array.isArray(content) && content.every((part) => typeof part === "string" || isText(part))
    ? content
        .map((part: unknown) => (typeof part === "string" ? part : (part as { text: string }).text))
        .join("")
    : content;

const isText = (part: unknown): boolean =>
  isRaw(part) && part.type === "text" && typeof part.text === "string";

/** A message in OpenAI's form. */
const usual = (message: unknown): unknown => {
  if (!isRaw(message)) return message;
  const { from, value, role = from, content = value, tool_calls, weight: _, ...rest } = message;
  if (role === "function_call") return calling(content);
  return {
    ...rest,
    role: typeof role === "string" && Object.hasOwn(ROLES, role) ? ROLES[role] : role,
    content: joined(content),
    ...(Array.isArray(tool_calls) && tool_calls.length > 0 ? { tool_calls: tool_calls.map(callOf) } : {}),
  };
};

/** Messages, and which of them the user weighs with 0. */
export interface Messages {
  readonly messages: readonly ChatMessage[];
  readonly unweighted: ReadonlySet<number>;
}

/** The messages of a value: a list, or a single one. Throws DataError naming file and field. */
export const messagesOf = (value: unknown, { id }: Row, field: string): Messages => {
  const list = isRaw(value) ? [value] : value;
  const raw: unknown = Array.isArray(list) ? list.map(usual) : list;
  const messages = chatMessages(raw, { file: id, field });
  const weights = (list as readonly Raw[]).map(({ weight }) => weight);
  return { messages, unweighted: new Set(weights.flatMap((weight, i) => (weight === 0 ? [i] : []))) };
};

/** The functions that a row lets the model call: a list, or the JSON of one. Throws DataError. */
export const toolsOf = (row: Row): readonly unknown[] | undefined => {
  const field = ["tools", "functions"].find((name) => row.fields[name] !== undefined);
  if (field === undefined) return undefined;
  const value = row.fields[field] === "" ? undefined : listIn(row, field);
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) {
    throw new DataError("holds no list of functions", {
      file: row.id,
      field,
      hint: "give a list of JSON schemas",
    });
  }
  if (value.length === 0) return undefined;
  return field === "tools" ? value : value.map((each: unknown) => ({ type: "function", function: each }));
};

/**
 * The messages of the assistant that are learnt: all, or the last. Throws DataError where there is none.
 */
export const wantedOf = (
  { messages, unweighted }: Messages,
  { id }: Row,
  {
    field,
    turns,
    from = 0,
  }: { readonly field: string; readonly turns: "all" | "last"; readonly from?: number },
): readonly number[] => {
  const own = messages.flatMap((message, i) =>
    i >= from && isAssistant(message) && !unweighted.has(i) ? [i] : [],
  );
  if (own.length === 0) {
    throw new DataError("the assistant says nothing that could be learnt", {
      file: id,
      field,
      hint: 'give each chat a message of the role "assistant", or leave such rows out with --skip-bad-rows',
    });
  }
  return turns === "last" ? own.slice(-1) : own;
};
