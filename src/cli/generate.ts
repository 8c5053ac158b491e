/** anneal generate */
import type { Command } from "commander";
import { generateText } from "../recipes/use.ts";
import { numberFrom, withFlags } from "./flags.ts";
import { runRecipe } from "./run.ts";

const examples = `
Examples:
  $ npx anneal generate anneal-out/model --prompt "MIT License"
  $ npx anneal generate anneal-out/model --greedy --max-tokens 64 --dtype fp32
  $ echo "Once upon a time" | npx anneal generate anneal-out/model --prompt -`;

interface Given {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
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
    .option("-n, --max-tokens <n>", "most tokens to write", numberFrom(1, { whole: true }), 128)
    .option("--temperature <x>", "0 is greedy", numberFrom(0), 0.8)
    .option("--top-k <n>", "only the k likeliest tokens (0: all)", numberFrom(0, { whole: true }), 40)
    .option("--top-p <x>", "only the likeliest tokens up to this probability", numberFrom(0, { most: 1 }), 1)
    .option("--greedy", "always the likeliest token")
    .option("--dtype <dtype>", "fp32, q8 or q4 (default: the folder's)");
  withFlags(command, "run")
    .addHelpText("after", examples)
    .action((dir: string, given: Given) =>
      runRecipe(command, async ({ seed, threads }, { signal }, json) => {
        const prompt = given.prompt === "-" ? await stdin() : given.prompt;
        const { maxTokens, topK, topP, dtype } = given;
        const temperature = given.greedy ? 0 : given.temperature;
        const asked = { dir, prompt, seed, threads, maxTokens, temperature, topK, topP };
        const extra = {
          ...(dtype === undefined ? {} : { dtype }),
          ...(signal === undefined ? {} : { signal }),
        };
        let text = "";
        for await (const piece of generateText({ ...asked, ...extra })) {
          if (!json) process.stdout.write(text === "" ? prompt + piece : piece);
          text += piece;
        }
        if (!json) process.stdout.write(text === "" ? `${prompt}\n` : "\n");
        else if (!signal?.aborted) process.stdout.write(`${JSON.stringify({ prompt, text })}\n`);
      }),
    );
};
