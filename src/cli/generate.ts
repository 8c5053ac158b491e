/** anneal generate */
import type { Command } from "commander";
import { type TextModel, type TextOptions, textModel } from "../recipes/generate/generate.ts";
import type { ChatMessage } from "../template/chat.ts";
import { defined } from "../util/defined.ts";
import { dtypeFlag, type Group } from "./flags/flags.ts";
import { numberFrom, withFlags } from "./flags/options.ts";
import { runRecipe } from "./process/run.ts";
import { linesOf } from "./terminal/chat.ts";
import { print, printJson } from "./terminal/terminal.ts";

/** What its help shows. */
export const examples = `
Examples:
  $ npx anneal generate anneal-out/model --prompt "MIT License"
  $ npx anneal generate anneal-out/model --greedy --max-tokens 64 --dtype fp32
  $ echo "Once upon a time" | npx anneal generate anneal-out/model --prompt -
  $ npx anneal generate HuggingFaceTB/SmolLM2-135M-Instruct --chat --dtype q4
  $ npx anneal generate Helsinki-NLP/opus-mt-en-de --prompt "A small house." --beams 4`;

interface Given {
  readonly prompt?: string;
  readonly chat?: boolean;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly stop?: readonly string[];
  readonly beams?: number;
  readonly greedy?: boolean;
  readonly dtype?: string;
  readonly specialTokens?: boolean;
  readonly adapter?: readonly string[];
}

const stdin = async (): Promise<string> => {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  return text.replace(/\n$/, "");
};

/** Writes the pieces as they come, unless they are to be JSON; returns the whole. */
const told = async (model: TextModel, asked: TextOptions, quiet: boolean): Promise<string> => {
  let text = "";
  for await (const piece of model.run(asked)) {
    if (!quiet) print(piece);
    text += piece;
  }
  if (!quiet) print("\n");
  return text;
};

/** One answer for each line of the user, with all that was said before. */
const chat = async (model: TextModel, given: Given, asked: TextOptions, json: boolean): Promise<void> => {
  const messages: ChatMessage[] = [];
  if (given.system !== undefined) messages.push({ role: "system", content: given.system });
  const lines =
    given.prompt === undefined ? linesOf() : [given.prompt === "-" ? await stdin() : given.prompt];
  for await (const content of lines) {
    messages.push({ role: "user", content });
    const text = await told(model, { ...asked, messages }, json);
    if (asked.signal?.aborted) return;
    messages.push({ role: "assistant", content: text });
  }
  if (json) printJson({ messages });
};

const continuation = async (
  model: TextModel,
  given: Given,
  asked: TextOptions,
  json: boolean,
): Promise<void> => {
  const prompt = given.prompt === "-" ? await stdin() : (given.prompt ?? "");
  if (!json && !model.translates) print(prompt);
  const text = await told(model, { ...asked, prompt }, json);
  if (json && !asked.signal?.aborted) printJson({ prompt, text });
};

const common = { common: true } as const;
const groups: readonly Group[] = [
  {
    title: "Text",
    flags: [
      {
        flag: "-p, --prompt <text>",
        help: "what to continue, ask, translate; -: read from stdin",
        ...common,
      },
      { flag: "--chat", help: "answer by the chat template: the prompt, else lines of stdin", ...common },
      { flag: "--system <text>", help: "the chat's system message", needs: "--chat", ...common },
      { flag: "--no-special-tokens", help: "read what looks like a special token in a prompt as text" },
      dtypeFlag,
      { flag: "--adapter <folder>", help: "an adapter on the model; may be repeated", repeats: true },
    ],
  },
  {
    title: "Decoding",
    flags: [
      {
        flag: "-n, --max-tokens <n>",
        help: "most tokens to write (default: the model's, else 128)",
        parse: numberFrom(1, { whole: true }),
        ...common,
      },
      {
        flag: "--temperature <x>",
        help: "0: greedy (default: the model's, else 0.8; in chats 0)",
        parse: numberFrom(0),
        ...common,
      },
      {
        flag: "--greedy",
        help: "always the likeliest token",
        conflicts: ["temperature", "topK", "topP", "minP", "beams"],
        ...common,
      },
      {
        flag: "--top-k <n>",
        help: "only the k likeliest tokens; 0: all",
        parse: numberFrom(0, { whole: true }),
        ...common,
      },
      {
        flag: "--top-p <x>",
        help: "only the likeliest tokens up to this probability",
        parse: numberFrom(0, { most: 1 }),
        ...common,
      },
      {
        flag: "--min-p <x>",
        help: "only tokens this share as likely as the likeliest",
        parse: numberFrom(0, { most: 1 }),
      },
      {
        flag: "--repetition-penalty <x>",
        help: "above 1: less of what was there before",
        parse: numberFrom(0.01),
      },
      { flag: "--stop <text>", help: "end before this text; may be repeated", repeats: true, ...common },
      {
        flag: "--beams <n>",
        help: "beam search; the text comes as a whole",
        parse: numberFrom(1, { whole: true }),
        ...common,
      },
    ],
  },
];

/** Adds the verb `generate`. */
export const register = (command: Command): void => {
  command.argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name");
  withFlags(command, "generate", groups).action((ref: string, given: Given) =>
    runRecipe(command, async ({ seed, threads }, { hub, signal, ui }, json) => {
      const { maxTokens, topK, topP, minP, repetitionPenalty, stop, dtype, specialTokens } = given;
      const { adapter: adapters } = given;
      const temperature = given.greedy ? 0 : given.temperature;
      const beams = given.beams ?? (given.greedy ? 1 : undefined);
      const words = { warn: ui.warn, note: ui.line };
      const model = await textModel(ref, { threads, ...words, ...defined({ dtype, hub, adapters }) });
      const sampling = { temperature, topK, topP, minP, repetitionPenalty };
      const asked = { seed, ...defined({ ...sampling, maxTokens, stop, beams, signal, specialTokens }) };
      try {
        await (given.chat ? chat : continuation)(model, given, asked, json);
      } finally {
        await model.dispose();
      }
    }),
  );
};
