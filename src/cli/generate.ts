/** anneal generate */
import type { Command } from "commander";
import { generateText } from "../recipes/use.ts";
import { withFlags } from "./flags.ts";
import { runRecipe } from "./run.ts";

const examples = `
Examples:
  $ npx anneal generate anneal-out/model --prompt "MIT License"
  $ npx anneal generate anneal-out/model --greedy --max-tokens 64 --dtype fp32
  $ echo "Once upon a time" | npx anneal generate anneal-out/model --prompt -`;

interface Given {
  readonly prompt: string;
  readonly maxTokens: string;
  readonly temperature: string;
  readonly topK: string;
  readonly topP: string;
  readonly greedy?: boolean;
  readonly dtype?: string;
}

const stdin = async (): Promise<string> => {
  let text = "";
  for await (const chunk of process.stdin.setEncoding("utf8")) text += chunk;
  return text.replace(/\n$/, "");
};

export const register = (command: Command): void => {
  command
    .argument("<dir>", "a model's folder")
    .option("-p, --prompt <text>", "what to continue; - reads it from stdin", "")
    .option("-n, --max-tokens <n>", "most tokens to write", "128")
    .option("--temperature <x>", "0 is greedy", "0.8")
    .option("--top-k <n>", "only the k likeliest tokens (0: all)", "40")
    .option("--top-p <x>", "only the likeliest tokens up to this probability", "1")
    .option("--greedy", "always the likeliest token")
    .option("--dtype <dtype>", "fp32, q8 or q4 (default: the folder's)");
  withFlags(command, "run")
    .addHelpText("after", examples)
    .action((dir: string, given: Given) =>
      runRecipe(command, async ({ seed, threads }, { signal }, json) => {
        const prompt = given.prompt === "-" ? await stdin() : given.prompt;
        const options = {
          ...{ dir, prompt, seed, threads, maxTokens: Number(given.maxTokens) },
          ...{ temperature: given.greedy ? 0 : Number(given.temperature), topK: Number(given.topK) },
          ...{ topP: Number(given.topP), ...(given.dtype === undefined ? {} : { dtype: given.dtype }) },
          ...(signal === undefined ? {} : { signal }),
        };
        if (!json) process.stdout.write(prompt);
        let text = "";
        for await (const piece of generateText(options)) {
          text += piece;
          if (!json) process.stdout.write(piece);
        }
        process.stdout.write(json ? `${JSON.stringify({ prompt, text })}\n` : "\n");
      }),
    );
};
