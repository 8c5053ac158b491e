import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { ChatMessage } from "./chat.ts";
import { renderer } from "./render.ts";
import { supervised, type WriteChat } from "./supervised.ts";

/** By transformers' own rendering of the same templates with marks: test/golden/chatMasks.py. */
const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/chatMasks.json", import.meta.url), "utf8"),
) as {
  templates: Record<string, { template: string; specials: string[] }>;
  marked: Record<string, string>;
  chats: Record<string, ChatMessage[]>;
  cases: { template: string; chat: string; text: string; spans: [number, number][] }[];
};

const writer = (template: string): WriteChat => {
  const render = renderer(template);
  return (messages, prompt) =>
    render(
      { messages, add_generation_prompt: prompt, bos_token: "<s>", eos_token: "</s>", tools: null },
      { now: new Date(Date.UTC(2024, 6, 26)) },
    );
};

const found = (template: string, chat: string, specials: readonly string[]) => {
  const { text, turns } = supervised(writer(template), golden.chats[chat]!, { specials });
  return { text, said: turns.map(({ start, end }) => text.slice(start, end)) };
};

const right = ({ text, spans }: (typeof golden.cases)[number]) => ({
  text,
  said: spans.map(([start, end]) => text.slice(start, end)),
});

describe("what the assistant says is found", () => {
  test.each(golden.cases)("by the difference: $template, $chat", (given) => {
    const { template, specials } = golden.templates[given.template]!;
    const own = golden.chats[given.chat]!.filter(({ role }) => role === "assistant");
    expect(found(template, given.chat, specials)).toEqual(right(given));
    expect(given.spans.length).toBe(own.length);
  });

  test.each(golden.cases)("by the template's marks: $template, $chat", (given) => {
    const { specials } = golden.templates[given.template]!;
    expect(found(golden.marked[given.template]!, given.chat, specials)).toEqual(right(given));
  });

  test("the wanted turns alone", () => {
    const { template, specials } = golden.templates.qwen3!;
    const messages = golden.chats["the same said twice"]!;
    const all = supervised(writer(template), messages, { specials }).turns;
    const last = supervised(writer(template), messages, { specials, wanted: [5] }).turns;
    expect(all.map(({ message }) => message)).toEqual([1, 3, 5]);
    expect(last).toEqual(all.slice(2));
  });
});

test("a template that says nothing of a turn is refused by name", () => {
  const silent = "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }};{% endif %}{% endfor %}";
  expect(() => supervised(writer(silent), golden.chats["one turn"]!)).toThrow(/messages\[1\]/);
});
