/**
 * Which parts of a written chat the assistant says, so that these alone are learnt. Few templates mark them
 * (`{% generation %}`), so they are found by the difference of renderings: what stands before a turn is what
 * the template writes when it asks for that turn, and where it ends is what it writes with the turn as the
 * last. Where a later message changes how an earlier one is written (Qwen3 leaves out earlier reasoning), the
 * turn is written once more with other words, and where the two texts part is where its words are.
 */
import { type ChatMessage, isAssistant } from "./chat.ts";
import type { Rendered, Span } from "./render.ts";
import { TemplateFault } from "./values/values.ts";

/** What a template makes of messages; with `prompt`, what begins the assistant's answer stands at the end. */
export type WriteChat = (messages: readonly ChatMessage[], prompt: boolean) => Rendered;

/** A part of the text, and the message that it is of. */
export interface Turn extends Span {
  readonly message: number;
}

/** A chat as a text, and where in it the assistant speaks. */
export interface WrittenChat {
  readonly text: string;
  readonly turns: readonly Turn[];
}

/** A chat to learn from. */
export interface Chat {
  readonly messages: readonly ChatMessage[];
  /** JSON schemas of functions that the model may call. */
  readonly tools?: readonly unknown[];
  /** Indices of the messages that are learnt. */
  readonly wanted: readonly number[];
}

/** Writes chats; an error stands where one cannot be written. */
export type ChatWriter = (chats: readonly Chat[]) => Promise<readonly (WrittenChat | Error)[]>;

/** Which turns are looked for, and what is known of the tokens. */
export interface SupervisedOptions {
  /** Indices of the messages; every one of the assistant unless told. */
  readonly wanted?: readonly number[];
  /** Texts of the special tokens: one of them ends a turn. */
  readonly specials?: readonly string[];
}

const commonStart = (a: string, b: string): number => {
  const most = Math.min(a.length, b.length);
  let n = 0;
  while (n < most && a[n] === b[n]) n++;
  return n;
};

const commonEnd = (a: string, b: string, most: number): number => {
  let n = 0;
  while (n < most && n < b.length && a[a.length - 1 - n] === b[b.length - 1 - n]) n++;
  return n;
};

/** What the template makes; undefined where it refuses or cannot. */
const attempt = (make: () => Rendered): string | undefined => {
  try {
    return make().text;
  } catch {
    return undefined;
  }
};

/** The message with `word` in the place of all that it says. */
const reworded = (message: ChatMessage, word: string): ChatMessage => {
  const { role, content, ...rest } = message as ChatMessage & Readonly<Record<string, unknown>>;
  const calls = rest.tool_calls;
  if (!Array.isArray(calls) || calls.length === 0) return { role, content: word };
  const tool_calls = calls.map((call: Readonly<Record<string, unknown>>) => {
    const said = { arguments: { [word]: word } };
    const own = call.function as Readonly<Record<string, unknown>> | undefined;
    return own === undefined ? { ...call, ...said } : { ...call, function: { ...own, ...said } };
  });
  const spoken = typeof content === "string" && content.trim() !== "";
  return { ...rest, role, ...(spoken ? { content: word } : { content }), tool_calls } as ChatMessage;
};

interface Search {
  readonly write: WriteChat;
  readonly messages: readonly ChatMessage[];
  readonly text: string;
  readonly specials: readonly string[];
}

/** The special token that stands at a place of a text. */
const specialAt = (text: string, at: number, specials: readonly string[]): string | undefined =>
  specials.find((token) => text.startsWith(token, at));

/** Where the words of a turn are, and where the turn ends behind them. */
const wordsOf = ({ write, messages, text, specials }: Search, k: number): Span & { tail: number } => {
  let word = "\u{e000}";
  while (text.includes(word)) word += "\u{e000}";
  const other = messages.map((message, i) => (i === k ? reworded(message, word) : message));
  const changed = attempt(() => write(other, false));
  const last = attempt(() => write(messages.slice(0, k + 1), false));
  const lastChanged = attempt(() => write(other.slice(0, k + 1), false));
  if (changed === undefined || changed === text) {
    throw new TemplateFault(
      `what the assistant says in messages[${k}] cannot be told from the rest: put {% generation %} and ` +
        "{% endgeneration %} around it in the template, or train on the whole text",
    );
  }
  const start = commonStart(text, changed);
  const end = text.length - commonEnd(text, changed, text.length - start);
  if (last === undefined || lastChanged === undefined) {
    return { start, end, tail: end + (specialAt(text, end, specials)?.length ?? 0) };
  }
  const tail = last.slice(last.length - commonEnd(last, lastChanged, last.length));
  if (text.startsWith(tail, end)) return { start, end, tail: end + tail.length };
  const token = specialAt(text, end, specials);
  return { start, end, tail: end + (token?.length ?? commonStart(tail, text.slice(end))) };
};

/** Whether a text may be cut here: at a special token, or behind a line. */
const isSeam = (text: string, at: number, specials: readonly string[]): boolean =>
  at === text.length ||
  text[at - 1] === "\n" ||
  specialAt(text, at, specials) !== undefined ||
  specials.some((token) => text.startsWith(token, at - token.length));

/** Where a turn begins whose words begin at `words`: behind what the template begins an answer with. */
const beginning = ({ write, messages, text, specials }: Search, k: number, after: number, words: number) => {
  const asked = attempt(() => write(messages.slice(0, k), true));
  const before = attempt(() => write(messages.slice(0, k), false));
  if (asked === undefined || before === undefined || !asked.startsWith(before)) return words;
  const header = asked.slice(before.length);
  for (let n = header.length; n > 0; n--) {
    if (!isSeam(header, n, specials)) continue;
    const at = text.lastIndexOf(header.slice(0, n), words - n);
    if (at >= after) return at + n;
  }
  return words;
};

/** The turn of message `k`, which begins behind `after`. */
const turnOf = (search: Search, k: number, after: number): Span => {
  const { write, messages, text } = search;
  const asked = k === 0 ? undefined : attempt(() => write(messages.slice(0, k), true));
  const said = k === messages.length - 1 ? text : attempt(() => write(messages.slice(0, k + 1), false));
  const isStart = asked !== undefined && asked.length >= after && text.startsWith(asked);
  const isEnd = said !== undefined && text.startsWith(said);
  if (isStart && isEnd && said.length >= asked.length) return { start: asked.length, end: said.length };
  const words = wordsOf(search, k);
  return {
    start: isStart ? Math.min(asked.length, words.start) : beginning(search, k, after, words.start),
    end: isEnd ? said.length : words.tail,
  };
};

/** Without the line end behind the token that ends the turn: nobody has to say that. */
const upToToken = (text: string, { start, end }: Span, specials: readonly string[]): Span => {
  const said = text.slice(start, end).trimEnd();
  return specials.some((token) => said.endsWith(token))
    ? { start, end: start + said.length }
    : { start, end };
};

/**
 * A chat as a text, and the parts of it that the assistant says in the wanted messages: with the token that
 * ends the turn, without what begins it. Throws as `write` does, and TemplateFault, naming the message,
 * where a turn cannot be found.
 */
export const supervised = (
  write: WriteChat,
  messages: readonly ChatMessage[],
  options: SupervisedOptions = {},
): WrittenChat => {
  const { text, marks } = write(messages, false);
  const specials = [...(options.specials ?? [])].sort((a, b) => b.length - a.length);
  const own = messages.flatMap((message, i) => (isAssistant(message) ? [i] : []));
  const { wanted = own } = options;
  if (marks.length > 0 && marks.length === own.length) {
    const marked = own.map((message, i) => ({ ...marks[i]!, message }));
    return { text, turns: marked.filter(({ message }) => wanted.includes(message)) };
  }
  const search = { write, messages, text, specials };
  const turns: Turn[] = [];
  for (const message of wanted) {
    const after = turns.at(-1)?.end ?? 0;
    const { start, end } = upToToken(text, turnOf(search, message, after), specials);
    if (start < after || end <= start) {
      throw new TemplateFault(`messages[${message}] says nothing, or stands before what was said earlier`);
    }
    turns.push({ start, end, message });
  }
  return { text, turns };
};
