/**
 * Conversations, prompts with their answers, and what is particular to them: an instruction that many share
 * is part of each, no boilerplate, and does not make them alike.
 */
import type { Document } from "./document.ts";

/** Marks of chat templates, and of the usual forms for instructions. */
const MARKS = new RegExp(
  "<\\|(?:im_start|start_header_id|system|user|assistant)\\|>|<start_of_turn>|\\[INST\\]|" +
    "^#{2,3} ?(?:instruction|human|user|question)\\b",
  "im",
);

const ROLES =
  "system|user|human|assistant|prompt|completion|question|answer|q|a|instruction|response|input|output";
const ROLE = new RegExp(`^(?:${ROLES}) ?:`, "gim");

/** Units of a text that are looked at: a conversation shows early what it is. */
const BEGINNING = 4096;

/** Whether a document is one: by its messages, or by a text with the marks of several turns. */
export const isConversation = ({ turns, text }: Pick<Document, "turns" | "text">): boolean => {
  if (turns !== undefined) return true;
  const beginning = text.slice(0, BEGINNING);
  if (MARKS.test(beginning)) return true;
  return new Set((beginning.match(ROLE) ?? []).map((role) => role.toLowerCase())).size > 1;
};
