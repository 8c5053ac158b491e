import { describe, expect, test } from "vitest";
import { ConfigError, DataError, FormatError } from "../util/errors.ts";
import { chatMessages, chatTemplates, chooseTemplate, textsOf } from "./chat.ts";

describe("messages", () => {
  test("are taken as they are, with what else they hold", () => {
    const chat = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "", name: "Ann" },
    ];
    expect(chatMessages(chat)).toEqual(chat);
  });

  test("have no content beside calls, or parts that are texts, and the roles that templates know", () => {
    const call = { type: "function", function: { name: "f", arguments: {} } };
    const chat = [
      { role: "developer", content: "Be brief." },
      { role: "user", content: [{ type: "text", text: "Hi" }] },
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "assistant", tool_calls: [call] },
      { role: "ipython", content: "1" },
    ];
    expect(chatMessages(chat)).toEqual(chat);
  });

  test.each<[unknown, string]>([
    [undefined, "messages"],
    [[], "at least one"],
    [[{ role: "user", content: "a" }, "b"], "messages[1]"],
    [[null], "messages[0]"],
    [[{ role: "constructor", content: "a" }], "messages[0].role"],
    [[{ content: "a" }], "messages[0].role"],
    [[{ role: "user" }], "messages[0].content"],
    [[{ role: "user", content: ["a"] }], "messages[0].content"],
    [[{ role: "user", content: null }], "messages[0].content"],
    [[{ role: "assistant", content: null, tool_calls: null }], "messages[0].content"],
    [[{ role: "user", content: [{ type: "text", text: "a" }, { type: "image" }] }], "messages[0].content[1]"],
    [[{ role: "user", content: [{ type: "text", text: 1 }] }], "messages[0].content[0]"],
    [[{ role: "user", content: 5 }], "messages[0].content"],
  ])("%j is refused by name", (value, name) => {
    expect(() => chatMessages(value)).toThrow(DataError);
    expect(() => chatMessages(value)).toThrow(name);
  });
});

describe("templates", () => {
  const two = chatTemplates([
    { name: "default", template: "a" },
    { name: "tool_use", template: "b" },
  ]);

  test("are one text, or a list of names and texts", () => {
    expect(chatTemplates(undefined)).toEqual([]);
    expect(chatTemplates("x")).toEqual([{ name: "default", template: "x" }]);
    expect(two.map(({ name }) => name)).toEqual(["default", "tool_use"]);
  });

  test("are chosen by name, by tools, by default", () => {
    expect(chooseTemplate(two).template).toBe("a");
    expect(chooseTemplate(two, { tools: true }).template).toBe("b");
    expect(chooseTemplate(two, { name: "tool_use" }).template).toBe("b");
    expect(chooseTemplate(chatTemplates([{ name: "rag", template: "c" }])).template).toBe("c");
    expect(() => chooseTemplate(two, { name: "rag" })).toThrow(ConfigError);
    expect(() => chooseTemplate([])).toThrow("no chat template");
  });

  test.each<[unknown]>([
    [5],
    [[{ name: "a" }]],
    [[null]],
    [
      [
        { name: "a", template: "" },
        { name: "a", template: "" },
      ],
    ],
  ])("%j is refused", (value) => expect(() => chatTemplates(value)).toThrow(FormatError));
});

test("what a template writes is its own text, what it quotes, and roles", () => {
  const texts = textsOf(
    "{% for m in messages %}<|{{ m.role }}|>\n{{ 'You are' + m[\"content\"] }}{% endfor %}",
  );
  for (const text of ["You are", "content", "assistant"]) expect(texts).toContain(text);
  expect(texts.some((text) => text.includes("<|"))).toBe(true);
});
