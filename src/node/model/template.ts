/**
 * Chat templates, rendered. A template is a program that came with a checkpoint: it may loop or grow without
 * end, so that it runs in a process of its own, with a deadline, a small heap and no environment. A thread
 * would not do: where a single allocation is too large for its heap, V8 ends the whole process.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type ChatMessage, type ChatTemplate, chatTemplates } from "../../template/chat.ts";
import type { ChatWriter, WrittenChat } from "../../template/supervised.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { DataError, FormatError } from "../../util/errors.ts";
import { findFile, readJsonIfThere, readText } from "./modelFile.ts";
import { READY, type TemplateAnswer, type TemplateWork } from "./templateWorker.ts";

/** What a template is told besides the messages. */
export interface RenderChatOptions {
  /** End with what begins the assistant's answer. */
  readonly addGenerationPrompt?: boolean;
  /** JSON schemas of functions that the model may call. */
  readonly tools?: readonly unknown[];
  /** Texts of special tokens that the template names: `bos_token`, `eos_token` ... */
  readonly specials?: Readonly<Record<string, string>>;
  /** Milliseconds that rendering may take, the start of its process apart; 500 unless told. */
  readonly deadlineMs?: number;
  /** What the template takes for now. */
  readonly now?: Date;
}

const DEADLINE_MS = 500;
/** A process that has not started by then never will. */
const START_MS = 30_000;
const HEAP_MB = 64;
const MAX_LENGTH = 1 << 24;

/** The compiled form of the worker, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/model/templateWorker.js", import.meta.url));

/** The answers to all chats. Throws FormatError where one takes longer than `deadlineMs`. */
const run = (name: string, work: TemplateWork, deadlineMs: number): Promise<TemplateAnswer[]> =>
  new Promise((resolve, reject) => {
    const child = fork(program, ["template"], {
      env: {},
      execArgv: [`--max-old-space-size=${HEAP_MB}`],
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const answers: TemplateAnswer[] = [];
    const stop = (message: string, cause?: unknown): void => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      const file = `chat template "${name}"`;
      reject(new FormatError(message, { file, cause, hint: "choose another template, or a plain prompt" }));
    };
    const late = () => stop(`does not end within its deadline of ${deadlineMs} ms`);
    let timer = setTimeout(() => stop("does not start"), START_MS);
    child.on("message", (said) => {
      clearTimeout(timer);
      if (said !== READY) answers.push(said as TemplateAnswer);
      if (answers.length === work.chats.length) return resolve(answers);
      timer = setTimeout(late, deadlineMs);
      // A process that ends at once cannot take the work: its exit says why.
      if (said === READY) child.send(work, () => {});
    });
    child.on("error", (error) => stop(`cannot be rendered: ${error.message}`, error));
    child.on("exit", (code, signal) => {
      const full = signal === "SIGABRT" || code === 134;
      stop(full ? `takes more than ${HEAP_MB} MB of memory` : `ended with code ${code} and no text`);
    });
  });

/** Where else the reasoning of a message may stand; templates look for it under any of these names. */
const REASONING = ["reasoning_content", "thinking", "reasoning"] as const;

/** A message as templates know it: without fields that are null, its reasoning under the usual names. */
const plain = (message: ChatMessage): ChatMessage => {
  const fields: Record<string, unknown> = Object.fromEntries(
    Object.entries(message).filter(([, value]) => value !== null && value !== undefined),
  );
  const reasoning = REASONING.map((name) => fields[name]).find((value) => value !== undefined);
  const all = reasoning === undefined ? {} : { thinking: reasoning, reasoning_content: reasoning };
  return {
    ...all,
    ...fields,
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    role: message.role,
  };
};

const contextOf = (specials: Readonly<Record<string, string>>, tools: readonly unknown[] | undefined) => ({
  ...specials,
  tools: tools ?? null,
  documents: null,
});

const failureOf = (name: string, answer: Exclude<TemplateAnswer, { readonly text: string }>): Error => {
  const file = `chat template "${name}"`;
  return "refused" in answer
    ? new DataError(`refuses the messages: ${answer.refused}`, { file })
    : new FormatError(`cannot be rendered: ${answer.failed}`, {
        file,
        hint: "mend the template in the model's folder (chat_template.jinja or tokenizer_config.json)",
      });
};

/** The time of the clock on the wall, in the fields of Greenwich. */
const localTime = (now: Date): number => now.getTime() - 60_000 * now.getTimezoneOffset();

/**
 * The prompt that a template makes of messages. Throws DataError where the template refuses them (the order
 * of roles, say), FormatError where it is malformed, does not end within the deadline, or takes too much
 * memory.
 */
export const renderChat = async (
  { name, template }: ChatTemplate,
  messages: readonly ChatMessage[],
  options: RenderChatOptions = {},
): Promise<string> => {
  const { addGenerationPrompt = false, tools, specials = {}, deadlineMs = DEADLINE_MS } = options;
  const now = localTime(options.now ?? new Date());
  const chat = {
    messages: messages.map(plain),
    context: contextOf(specials, tools),
    prompt: addGenerationPrompt,
  };
  const work = { template, chats: [chat], specials: [], now, maxLength: MAX_LENGTH };
  const [answer] = await run(name, work, deadlineMs);
  if ("text" in answer!) return answer.text;
  throw failureOf(name, answer!);
};

/** Chats that go to a process at once: one that fails starts another. */
const CHUNK = 512;

/** The date that a template of chats to learn from is told: a run that is repeated has the same texts. */
const FIXED = Date.UTC(2024, 6, 26);

/** What a writer of chats is told besides the template. */
export interface ChatWriterOptions {
  /** Texts of special tokens that the template names. */
  readonly specials?: Readonly<Record<string, string>>;
  /** Texts of all special tokens: one of them ends a turn. */
  readonly tokens?: readonly string[];
  /** Milliseconds that a chat may take; 5000 unless told. */
  readonly deadlineMs?: number;
  /** What the template takes for now; the same day always unless told. */
  readonly now?: Date;
}

/**
 * Writes chats by a template, with where in the text the wanted messages are. The answers are in the chats'
 * order; an error stands for a chat that the template refuses (DataError) or cannot write (FormatError).
 */
export const chatWriter =
  ({ name, template }: ChatTemplate, options: ChatWriterOptions = {}): ChatWriter =>
  async (chats) => {
    const { specials = {}, tokens = [], deadlineMs = 5000, now } = options;
    const day = now === undefined ? FIXED : localTime(now);
    const all: (WrittenChat | Error)[] = [];
    for (let i = 0; i < chats.length; i += CHUNK) {
      const some = chats.slice(i, i + CHUNK).map(({ messages, tools, wanted }) => ({
        ...{ messages: messages.map(plain), context: contextOf(specials, tools), prompt: false, wanted },
      }));
      const work = { template, chats: some, specials: tokens, now: day, maxLength: MAX_LENGTH };
      for (const said of await run(name, work, deadlineMs)) {
        all.push("text" in said ? said : failureOf(name, said));
      }
    }
    return all;
  };

/** The special tokens of a tokenizer as a template names them. */
export const templateSpecials = (tokenizer: Tokenizer): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(tokenizer.specials).map(([role, id]) => [
      `${role}_token`,
      tokenizer.decode([id], { keepSpecial: true }),
    ]),
  );

/**
 * The chat templates of a model's folder: chat_template.jinja, else `chat_template` of tokenizer_config.json;
 * none where it has none. Throws FormatError for a malformed one.
 */
export const readChatTemplates = async (dir: string): Promise<readonly ChatTemplate[]> => {
  const config = await readJsonIfThere(dir, "tokenizer_config.json");
  const inConfig = chatTemplates((config as { chat_template?: unknown } | undefined)?.chat_template);
  if ((await findFile(dir, "chat_template.jinja")) === undefined) return inConfig;
  const [own] = chatTemplates(await readText(dir, "chat_template.jinja"), "chat_template.jinja");
  return [own!, ...inConfig.filter(({ name }) => name !== "default")];
};
