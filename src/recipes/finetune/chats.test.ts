import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { trainBpe } from "../../tokenizer/index.ts";
import { chatsOf } from "./chats.ts";

test("a model without a template writes functions and their calls", async () => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-chats-"));
  try {
    const marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
    const tokenizer = trainBpe(["what is the weather like today"], { vocab: 270, specialTokens: marks });
    const { writer, name } = await chatsOf(dir, tokenizer);
    const call = { type: "function", function: { name: "look", arguments: { x: 1 } } };
    const messages = [
      { role: "user", content: "rain?" },
      { role: "assistant", tool_calls: [call, call] },
      { role: "tool", content: "no" },
      { role: "assistant", content: "It stays dry." },
    ];
    const [made] = await writer([{ messages, wanted: [1, 3], tools: [{ name: "look" }] } as never]);
    expect(name).toBe("ChatML");
    const { text, turns } = made as Exclude<typeof made, Error | undefined>;
    const called = '<tool_call>\n{"name": "look", "arguments": {"x": 1}}\n</tool_call>';
    expect(text).toBe(
      `<|im_start|>system\nFunctions that can be called:\n{"name": "look"}<|im_end|>\n` +
        `<|im_start|>user\nrain?<|im_end|>\n<|im_start|>assistant\n${called}\n${called}<|im_end|>\n` +
        `<|im_start|>tool\nno<|im_end|>\n<|im_start|>assistant\nIt stays dry.<|im_end|>\n`,
    );
    expect(turns.map(({ start, end }) => text.slice(start, end))).toEqual([
      `${called}\n${called}<|im_end|>`,
      "It stays dry.<|im_end|>",
    ]);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
