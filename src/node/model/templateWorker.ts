/**
 * Renders one chat template over many chats: the process that `template.ts` starts, and stops in the end. It
 * answers chat by chat, so that its owner sees it alive.
 */
import type { ChatMessage } from "../../template/chat.ts";
import { Refusal, type Renderer, renderer } from "../../template/index.ts";
import { supervised, type Turn } from "../../template/supervised.ts";

/** One chat to be written. */
export interface TemplateChat {
  readonly messages: readonly ChatMessage[];
  /** What else the template is told. */
  readonly context: Readonly<Record<string, unknown>>;
  /** End with what begins the assistant's answer. */
  readonly prompt: boolean;
  /** The messages that are looked for in the text, by index; none unless told. */
  readonly wanted?: readonly number[];
}

/** What is rendered. */
export interface TemplateWork {
  readonly template: string;
  readonly chats: readonly TemplateChat[];
  /** Texts of the special tokens. */
  readonly specials: readonly string[];
  /** The local time, milliseconds, as if it were that of Greenwich. */
  readonly now: number;
  /** Longest text that is taken, characters. */
  readonly maxLength: number;
}

/** The text, or why there is none. */
export type TemplateAnswer =
  | { readonly text: string; readonly turns: readonly Turn[] }
  /** The template itself refused the messages (`raise_exception`). */
  | { readonly refused: string }
  | { readonly failed: string };

/** What the process says before it has work: from here on its time counts. */
export const READY = "ready";

type Given = Omit<TemplateWork, "template" | "chats">;

const written = (
  render: Renderer,
  { messages, context, prompt, wanted }: TemplateChat,
  { now, specials }: Given,
): { readonly text: string; readonly turns: readonly Turn[] } => {
  const write = (some: readonly ChatMessage[], asks: boolean) =>
    render({ ...context, messages: some, add_generation_prompt: asks }, { now: new Date(now) });
  if (wanted === undefined) return { text: write(messages, prompt).text, turns: [] };
  return supervised(write, messages, { wanted, specials });
};

const answer = (make: () => ReturnType<typeof written>, maxLength: number): TemplateAnswer => {
  try {
    const made = make();
    const { length } = made.text;
    return length > maxLength ? { failed: `it makes a text of ${length} characters` } : made;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof Refusal ? { refused: message } : { failed: message };
  }
};

/** The template, read; a malformed one fails at each chat. */
const readOnce = (template: string): Renderer => {
  try {
    return renderer(template);
  } catch (error) {
    return () => {
      throw error;
    };
  }
};

/** The answers to the chats in their order. */
const answers = function* ({ template, chats, ...given }: TemplateWork): Generator<TemplateAnswer> {
  const render = readOnce(template);
  for (const chat of chats) yield answer(() => written(render, chat, given), given.maxLength);
};

const say = (said: TemplateAnswer): Promise<void> =>
  new Promise((resolve) => {
    process.send!(said, () => resolve());
  });

if (process.argv[2] === "template" && process.send !== undefined) {
  process.once("message", async (work) => {
    for (const said of answers(work as TemplateWork)) await say(said);
    process.disconnect();
  });
  process.send(READY);
}
