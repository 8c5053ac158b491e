/** One message of a conversation, however a record spells it. */
import { DataError, type ErrorDetails } from "../../util/errors.ts";
import type { Turn } from "./document.ts";
import { asText, type Fields } from "./fields.ts";

/** ShareGPT's names of roles. */
const ROLES: Readonly<Record<string, string>> = { human: "user", gpt: "assistant", bing: "assistant" };

const partText = (part: unknown): string => {
  if (typeof part === "string") return part;
  const text = (part as { text?: unknown } | null)?.text;
  return typeof text === "string" ? text : "";
};

/** A message of the list in field `name`. Throws DataError where it has no role or content. */
export const turnOf = (value: unknown, name: string, place: ErrorDetails): Turn => {
  const message = (typeof value === "object" && value !== null ? value : {}) as Fields;
  const role = message.role ?? message.from;
  const content = message.content ?? message.value ?? "";
  const text = Array.isArray(content) ? content.map(partText).join("") : asText(content)?.text;
  if (typeof role !== "string" || text === undefined) {
    throw new DataError(`the field "${name}" holds a message without role and content`, place);
  }
  return { role: Object.hasOwn(ROLES, role) ? ROLES[role]! : role, content: text };
};
