/** anneal generate */
import type { Command } from "commander";
import { type TextModel, type TextOptions, textModel } from "../recipes/generate.ts";
import type { ChatMessage } from "../serve/chat.ts";
import { defined } from "../util/defined.ts";
import { linesOf } from "./chat.ts";
import { collect, numberFrom, withFlags } from "./flags.ts";
import { withHubFlags } from "./hub.ts";
import { runRecipe } from "./run.ts";
import { print, printJson } from "./terminal.ts";

const examples = `
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

const withSampling = (command: Command): Command =>
  command
    .option(
      "-n, --max-tokens <n>",
      "most tokens to write (default: the model's, else 128)",
      numberFrom(1, { whole: true }),
    )
    .option("--temperature <x>", "0 is greedy (default: the model's, else 0.8)", numberFrom(0))
    .option("--top-k <n>", "only the k likeliest tokens; 0: all", numberFrom(0, { whole: true }))
    .option("--top-p <x>", "only the likeliest tokens up to this probability", numberFrom(0, { most: 1 }))
    .option("--min-p <x>", "only tokens this share as likely as the likeliest", numberFrom(0, { most: 1 }))
    .option("--repetition-penalty <x>", "above 1: less of what was there before", numberFrom(0.01))
    .option("--greedy", "always the likeliest token")
    .option("--stop <text>", "end before this text; may be repeated", collect)
    .option("--beams <n>", "beam search; the text comes as a whole", numberFrom(1, { whole: true }));

export const register = (command: Command): void => {
  command
    .argument("<model>", "a model's folder or GGUF file, or a model of the Hub as org/name")
    .option("-p, --prompt <text>", "what to continue, ask or translate; - reads it from stdin")
    .option("--no-special-tokens", "read what looks like a special token in a prompt as text")
    .option("--chat", "answer with the model's chat template: the prompt, else each line of stdin")
    .option("--system <text>", "the chat's system message")
    .option("--dtype <dtype>", "fp32, fp16, q8, int8, uint8, q4 or q4f16 (default: the folder's)");
  withFlags(withHubFlags(withSampling(command)), "run")
    .addHelpText("after", examples)
    .action((ref: string, given: Given) =>
      runRecipe(command, async ({ seed, threads }, { hub, signal, ui }, json) => {
        const { maxTokens, topK, topP, minP, repetitionPenalty, stop, dtype, specialTokens } = given;
        const temperature = given.greedy ? 0 : given.temperature;
        const beams = given.beams ?? (given.greedy ? 1 : undefined);
        const model = await textModel(ref, { threads, warn: ui.warn, ...defined({ dtype, hub }) });
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
