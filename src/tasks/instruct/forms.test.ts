import { describe, expect, test } from "vitest";
import { DataError } from "../../util/errors.ts";
import { columnsOf, type Row, recordDefaults } from "../records.ts";
import { instructionForm, isDesirable, lessonOf, preferenceForm, preferenceOf } from "./forms.ts";

const row = (fields: Row["fields"]): Row => ({ id: "chats.jsonl:3", fields });

const read = (fields: Row["fields"], more: { turns?: "all" | "last"; templated?: boolean } = {}) => {
  const form = instructionForm(columnsOf([row(fields)]), recordDefaults);
  if (form === undefined) throw new Error("no form");
  return lessonOf(row(fields), form, { turns: "all", templated: true, ...more });
};

const user = (content: string) => ({ role: "user", content });
const assistant = (content: string) => ({ role: "assistant", content });

const refusal = (make: () => unknown): DataError => {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return error as DataError;
  }
  throw new Error("it was taken");
};

describe("instructions and chats", () => {
  const chat = { kind: "chat", messages: [user("a"), assistant("b")], wanted: [1] };

  test.each([
    ["messages", { messages: [user("a"), assistant("b")] }],
    ["messages as JSON, as tables have them", { messages: JSON.stringify([user("a"), assistant("b")]) }],
    [
      "ShareGPT",
      {
        conversations: [
          { from: "human", value: "a" },
          { from: "gpt", value: "b" },
        ],
      },
    ],
    ["parts", { messages: [{ role: "user", content: [{ type: "text", text: "a" }] }, assistant("b")] }],
    ["prompt and completion", { prompt: "a", completion: "b" }],
    ["prompt and completion as messages", { prompt: [user("a")], completion: [assistant("b")] }],
    ["instruction and output", { instruction: "a", input: "", output: "b" }],
    ["question and answer", { question: "a", answer: "b", id: 7 }],
  ])("%s", (_, fields) => {
    expect(read(fields)).toEqual(chat);
  });

  test("Alpaca's input stands below the instruction, a system above all", () => {
    const made = read({ system: "s", instruction: "a", input: "i", output: "b" });
    const system = { role: "system", content: "s" };
    expect(made).toMatchObject({ messages: [system, user("a\n\ni"), assistant("b")], wanted: [2] });
    const shared = read({ system: "s", conversations: [{ from: "gpt", value: "b" }] });
    expect(shared).toMatchObject({ messages: [system, assistant("b")], wanted: [1] });
  });

  test("without a template prompts and completions are texts", () => {
    const fields = { prompt: "a", completion: "b" };
    expect(read(fields, { templated: false })).toEqual({ kind: "text", ...fields });
  });

  test("calls of tools have their arguments as objects, and the functions come along", () => {
    const call = { type: "function", function: { name: "f", arguments: '{"x": 1}' } };
    const tools = [{ type: "function", function: { name: "f" } }];
    const made = read({
      messages: [user("a"), { role: "assistant", content: null, tool_calls: [call] }],
      tools: JSON.stringify(tools),
    });
    const said = { role: "assistant", tool_calls: [{ function: { name: "f", arguments: { x: 1 } } }] };
    expect(made).toMatchObject({ tools, messages: [user("a"), said] });
    const shared = read({
      conversations: [
        { from: "human", value: "a" },
        { from: "function_call", value: '{"name": "f", "arguments": {"x": 1}}' },
        { from: "observation", value: "2" },
        { from: "gpt", value: "b" },
      ],
    });
    expect(shared).toMatchObject({
      messages: [user("a"), said, { role: "tool", content: "2" }, assistant("b")],
      wanted: [1, 3],
    });
  });

  test("the last turn alone, and no turn that weighs nothing", () => {
    const messages = [user("a"), assistant("b"), user("c"), { ...assistant("d"), weight: 1 }];
    expect(read({ messages })).toMatchObject({ wanted: [1, 3] });
    expect(read({ messages }, { turns: "last" })).toMatchObject({ wanted: [3] });
    const weighed = [user("a"), { ...assistant("b"), weight: 0 }, user("c"), assistant("d")];
    const made = read({ messages: weighed });
    expect(made).toMatchObject({ wanted: [3] });
    expect(JSON.stringify(made)).not.toContain("weight");
  });

  test.each([
    [{ messages: [] }, "messages", /at least one message/],
    [{ messages: "[{]" }, "messages", /no JSON/],
    [{ messages: [user("a")] }, "messages", /assistant says nothing/],
    [{ messages: [{ role: "me", content: "a" }] }, "messages[0].role", /"me" is no role/],
    [{ messages: [user("a"), { role: "assistant", content: 7 }] }, "messages[1].content", /is no text/],
    [{ prompt: "a", completion: " " }, "completion", /is empty/],
    [{ messages: [user("a"), assistant("b")], tools: { a: 1 } }, "tools", /no list of functions/],
  ])("%j names file, line and field", (fields, field, message) => {
    const error = refusal(() => read(fields));
    expect(error.details).toMatchObject({ file: "chats.jsonl:3", field });
    expect(error.message).toMatch(message);
  });
});

const prefer = (fields: Row["fields"], templated = true) =>
  preferenceOf(row(fields), preferenceForm(columnsOf([row(fields)]))!, { turns: "all", templated });

describe("preferences", () => {
  const chosen = { kind: "chat", messages: [user("a"), assistant("b")], wanted: [1] };
  const rejected = { kind: "chat", messages: [user("a"), assistant("c")], wanted: [1] };

  test.each([
    ["texts", { prompt: "a", chosen: "b", rejected: "c" }],
    ["messages", { prompt: [user("a")], chosen: [assistant("b")], rejected: [assistant("c")] }],
    ["a single message", { prompt: [user("a")], chosen: assistant("b"), rejected: assistant("c") }],
    [
      "chats that begin alike",
      { chosen: [user("a"), assistant("b")], rejected: [user("a"), assistant("c")] },
    ],
  ])("%s", (_, fields) => {
    expect(prefer(fields)).toEqual({ chosen, rejected });
  });

  test("texts that begin alike part behind the last word that they share", () => {
    const made = prefer({ chosen: "Human: hi Assistant: abc", rejected: "Human: hi Assistant: abd" });
    expect(made.chosen).toEqual({ kind: "text", prompt: "Human: hi Assistant: ", completion: "abc" });
    expect(made.rejected).toMatchObject({ completion: "abd" });
  });

  test("two answers that are the same prefer nothing", () => {
    const error = refusal(() => prefer({ prompt: "a", chosen: "b", rejected: "b" }));
    expect(error.message).toMatch(/chats.jsonl:3, field "rejected": is the same as chosen/);
  });

  test("answers are good or not", () => {
    expect([true, 1, "True", "yes"].map((label) => isDesirable(row({ label }), "label"))).not.toContain(
      false,
    );
    expect([false, 0, "0"].map((label) => isDesirable(row({ label }), "label"))).not.toContain(true);
    expect(refusal(() => isDesirable(row({ label: "perhaps" }), "label")).message).toMatch(/"perhaps"/);
  });
});

describe("translations and summaries", () => {
  const rows = { article: "Long news.", highlights: "News." };
  const told = { ...recordDefaults, sourceLang: "en", targetLang: "de" };

  test("are a question and its answer where a template writes, and two lines where none does", () => {
    const form = instructionForm(columnsOf([row(rows)]), recordDefaults)!;
    const how = { turns: "all", prefix: "summarize: " } as const;
    expect(lessonOf(row(rows), form, { ...how, templated: true })).toEqual({
      kind: "chat",
      messages: [
        { role: "user", content: "summarize: Long news." },
        { role: "assistant", content: "News." },
      ],
      wanted: [1],
    });
    expect(lessonOf(row(rows), form, { ...how, templated: false })).toEqual({
      kind: "text",
      prompt: "summarize: Long news.\n",
      completion: "News.",
    });
  });

  test("are found by languages, in a field of both or in a column each", () => {
    for (const fields of [
      { translation: { en: "a dog", de: "ein Hund" } },
      { de: "ein Hund", en: "a dog" },
    ]) {
      const form = instructionForm(columnsOf([row(fields)]), told)!;
      expect(lessonOf(row(fields), form, { turns: "all", templated: false })).toMatchObject({
        prompt: "a dog\n",
        completion: "ein Hund",
      });
    }
  });

  test("have both sides, named by file, line and language", () => {
    const fields = { translation: { en: "a dog", de: "" } };
    const form = instructionForm(columnsOf([row(fields)]), told)!;
    const made = () => lessonOf(row(fields), form, { turns: "all", templated: false });
    expect(made).toThrow(/chats\.jsonl:3.*translation\.de.*is empty/);
  });

  test("a prefix stands before prompts of other records too", () => {
    const fields = { prompt: "a dog", completion: "ein Hund" };
    const form = instructionForm(columnsOf([row(fields)]), recordDefaults)!;
    const how = { turns: "all", templated: false, prefix: "to German: " } as const;
    expect(lessonOf(row(fields), form, how)).toMatchObject({ prompt: "to German: a dog" });
  });
});
