/**
 * Chats: messages, and the Jinja templates that a checkpoint brings to write them as one prompt
 * (https://huggingface.co/docs/transformers/chat_templating). A template is foreign code: it is rendered
 * apart, by `renderChat` of the node layer.
 */
import { ConfigError, DataError, type ErrorDetails, FormatError } from "../util/errors.ts";

/** Roles that templates in use know; each template takes some of them. */
const ROLES = [
  ...["system", "developer", "user", "assistant", "model", "tool", "ipython", "function"],
  ...["tool_call", "tool_response", "observation", "environment", "context", "documents"],
] as const;

/** Who says a message. */
export type ChatRole = (typeof ROLES)[number];

/** Whether the model says a message. */
export const isAssistant = ({ role }: Pick<ChatMessage, "role">): boolean =>
  role === "assistant" || role === "model";

/** A part of a message's content. */
export interface ChatPart {
  readonly type: "text";
  readonly text: string;
}

/** One message of a chat. */
export interface ChatMessage {
  readonly role: ChatRole;
  /** null or absent beside the calls of tools. */
  readonly content?: string | readonly ChatPart[] | null;
}

/** A template, and what it is for. */
export interface ChatTemplate {
  /** "default", "tool_use" ... */
  readonly name: string;
  readonly template: string;
}

/** What a template may write around messages: its own text, what it quotes, the names of roles. */
export const textsOf = (template: string): string[] => {
  const quoted = template.matchAll(/'([^']*)'|"([^"]*)"/g);
  return [template, ...Array.from(quoted, ([, single, double]) => single ?? double!), ...ROLES];
};

/** Longest template that is read, characters: the longest in use have 20,000. */
const MAX_TEMPLATE = 1 << 20;

/** Fields that an assistant's message may have instead of a content. */
const INSTEAD = ["tool_calls", "function_call", ...["reasoning_content", "thinking", "reasoning"]];

const isPart = (part: unknown): part is ChatPart => {
  const { type, text } = (part ?? {}) as { type?: unknown; text?: unknown };
  return type === "text" && typeof text === "string";
};

/** Throws DataError where a message has neither a text, nor parts that are texts, nor calls of tools. */
const checkContent = (message: Readonly<Record<string, unknown>>, place: ErrorDetails): void => {
  const { content } = message;
  if (typeof content === "string") return;
  if (content === null || content === undefined) {
    if (INSTEAD.some((name) => message[name] !== null && message[name] !== undefined)) return;
    throw new DataError("is no text", { ...place, hint: "content is a text, or null beside tool_calls" });
  }
  const hint = 'content is a text, or a list of {"type": "text", "text": "..."}';
  if (!Array.isArray(content)) throw new DataError("is no text", { ...place, hint });
  const wrong = content.findIndex((part) => !isPart(part));
  if (wrong >= 0)
    throw new DataError("is no part that is a text", { ...place, field: `${place.field}[${wrong}]`, hint });
};

/**
 * Messages as they come from a file or a request, whose place is told. Throws DataError, naming the
 * message, where there are none or one has no known role or no text.
 */
export const chatMessages = (value: unknown, place: ErrorDetails = {}): readonly ChatMessage[] => {
  const { field: list = "messages" } = place;
  if (!Array.isArray(value) || value.length === 0)
    throw new DataError("a chat is a list of at least one message", { ...place, field: list });
  return value.map((message: unknown, i) => {
    const field = `${list}[${i}]`;
    if (typeof message !== "object" || message === null || Array.isArray(message))
      throw new DataError("is no message", {
        ...place,
        field,
        hint: 'a message is {"role": "user", "content": "..."}',
      });
    const fields = message as Readonly<Record<string, unknown>>;
    const { role } = fields;
    if (!ROLES.some((known) => known === role)) {
      throw new DataError(`${JSON.stringify(role) ?? "nothing"} is no role`, {
        ...place,
        field: `${field}.role`,
        hint: `roles are ${ROLES.join(", ")}`,
      });
    }
    checkContent(fields, { ...place, field: `${field}.content` });
    return { ...fields, role: role as ChatRole } as ChatMessage;
  });
};

/** Throws FormatError for a template of `file` that is none. */
const checked = (name: unknown, template: unknown, file: string): ChatTemplate => {
  if (typeof name !== "string" || typeof template !== "string" || template.length > MAX_TEMPLATE) {
    throw new FormatError(`has a template that is no text of at most ${MAX_TEMPLATE} characters`, {
      file,
      field: "chat_template",
    });
  }
  return { name, template };
};

/**
 * The templates of a `chat_template` field: one text, or a list of names and texts; none where it is
 * absent. Throws FormatError where it is something else, or a name comes twice.
 */
export const chatTemplates = (value: unknown, file = "tokenizer_config.json"): readonly ChatTemplate[] => {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) return [checked("default", value, file)];
  const templates = value.map((entry: unknown) => {
    const { name, template } = (entry ?? {}) as { name?: unknown; template?: unknown };
    return checked(name, template, file);
  });
  const names = templates.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new FormatError(`has the template "${twice}" twice`, { file, field: "chat_template" });
  return templates;
};

/**
 * The template to use: the one of `name`, else "tool_use" where there are tools, else "default", else the
 * only one. Throws ConfigError where there is none.
 */
export const chooseTemplate = (
  templates: readonly ChatTemplate[],
  options: { readonly name?: string; readonly tools?: boolean } = {},
): ChatTemplate => {
  const { name, tools = false } = options;
  const of = (wanted: string) => templates.find((template) => template.name === wanted);
  const usual = (tools ? of("tool_use") : undefined) ?? of("default");
  const found =
    name === undefined ? (usual ?? (templates.length === 1 ? templates[0] : undefined)) : of(name);
  if (found !== undefined) return found;
  const names = templates.map((template) => `"${template.name}"`).join(", ");
  throw new ConfigError(`the model has no chat template${name === undefined ? "" : ` "${name}"`}`, {
    field: "chat_template",
    hint: names === "" ? "it is not made for chats; generate from a plain prompt" : `it has ${names}`,
  });
};
