import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ChatMessage } from "../../template/chat.ts";
import { charTokenizer } from "../../tokenizer/index.ts";
import { DataError, FormatError } from "../../util/errors.ts";
import { chatWriter, readChatTemplates, renderChat, templateSpecials } from "./template.ts";

/** By transformers' apply_chat_template: test/golden/tokenization.py. */
const golden = JSON.parse(
  readFileSync(new URL("../../../test/golden/tokenization.json", import.meta.url), "utf8"),
) as {
  chats: ChatMessage[][];
  tools: unknown[];
  templates: Record<string, string>;
  rendered: { name: string; chat: number; add: boolean; text: string }[];
};

const specials = { bos_token: "<s>", eos_token: "</s>" };
const hello: ChatMessage[] = [{ role: "user", content: "Hi" }];
const render = (template: string, messages = hello, deadlineMs = 5000): Promise<string> =>
  renderChat({ name: "mine", template }, messages, { specials, deadlineMs });
const failure = async (template: string, messages = hello, deadlineMs = 5000): Promise<Error> => {
  try {
    await render(template, messages, deadlineMs);
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was rendered");
};

describe("renders as transformers does", () => {
  test.each(golden.rendered)(
    "$name, chat $chat, generation prompt $add",
    async ({ name, chat, add, text }) => {
      const template = { name, template: golden.templates[name]! };
      const options = {
        specials,
        addGenerationPrompt: add,
        ...(name === "tools" ? { tools: golden.tools } : {}),
      };
      expect(await renderChat(template, golden.chats[chat]!, options)).toBe(text);
    },
  );
});

describe("a template that goes wrong", () => {
  test("refuses the order of roles: the data is wrong", async () => {
    const error = await failure(golden.templates.inst!, [...hello, ...hello]);
    expect(error).toBeInstanceOf(DataError);
    expect(error.message).toContain("Roles must alternate");
  });

  test("loops: it is stopped at the deadline", async () => {
    const loop = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    const error = await failure(loop, hello, 700);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe('chat template "mine": does not end within its deadline of 700 ms');
  });

  test("loops: 500 ms are what it has unless told, its process's start apart", async () => {
    const loop = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    const rendering = renderChat({ name: "mine", template: loop }, hello);
    await expect(rendering).rejects.toThrow("does not end within its deadline of 500 ms");
  });

  test.each([
    [
      "doubles a text",
      "{% set ns = namespace(x='ab') %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    ],
    [
      "keeps doubled texts",
      "{% set ns = namespace(x='ab', k=[]) %}{% for i in range(26) %}{% set ns.x = (ns.x + ns.x) | upper %}" +
        "{% set ns.k = ns.k + [ns.x] %}{% endfor %}{{ ns.k | length }}",
    ],
    [
      "doubles a list",
      "{% set ns = namespace(x=[1]) %}{% for i in range(64) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
    ],
    ["makes an endless range", "{% for i in range(1000000000000) %}x{% endfor %}"],
  ])("%s: it is stopped", async (_, template) => {
    const error = await failure(template);
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(/takes more than 64 MB|within its deadline|cannot be rendered|characters/);
  });

  test("nests without end: it is stopped", async () => {
    expect(await failure("{{ ".concat("(".repeat(100_000), "1"))).toBeInstanceOf(FormatError);
    expect(await failure("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}")).toBeInstanceOf(FormatError);
  });

  test("is malformed: it is named", async () => {
    const error = await failure("{% for x in %}");
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toContain('chat template "mine": cannot be rendered');
  });
});

describe("messages as templates know them", () => {
  const call = { type: "function", function: { name: "f", arguments: { city: null } } };
  const chat = [
    { role: "user", content: [{ type: "text", text: "Hi" }] },
    { role: "assistant", content: null, tool_calls: [call], reasoning: "hm" },
  ] as ChatMessage[];

  test("fields that are null are not there; what they hold may be", async () => {
    const template =
      "{% for m in messages %}{{ 'content' in m }} {% endfor %}" +
      "{% for k, v in messages[1].tool_calls[0].function.arguments | items %}{{ k }}={{ v }}{% endfor %}";
    expect(await render(template, chat)).toBe("True False city=None");
  });

  test("parts come as they are, reasoning under each of its names", async () => {
    const template =
      "{% for p in messages[0].content %}{{ p.type }}:{{ p.text }}{% endfor %} " +
      "{{ messages[1].thinking }}{{ messages[1].reasoning_content }}{{ messages[1].reasoning }}";
    expect(await render(template, chat)).toBe("text:Hi hmhmhm");
  });

  test("now is the local time", async () => {
    const template = { name: "mine", template: "{{ strftime_now('%d %B %Y %H:%M') }}" };
    const now = new Date(2024, 6, 4, 9, 5);
    expect(await renderChat(template, hello, { now })).toBe("04 July 2024 09:05");
  });
});

describe("a template reaches nothing", () => {
  test.each([
    "{{ messages.constructor }}",
    "{{ ''.constructor }}",
    "{{ messages['__proto__'] }}",
    "{{ messages[0].__proto__ }}{{ messages[0]['constructor'] }}",
    "{% set messages.__proto__ = 1 %}",
    "{{ process }}{{ globalThis }}{{ require }}",
    "{{ range.constructor('return process')() }}",
    "{{ raise_exception.constructor('return process')().env }}",
    "{{ [].constructor.constructor('return this')() }}",
  ])("%s", async (template) => {
    const text = await render(template).catch((error: Error) => {
      expect(error).toBeInstanceOf(FormatError);
      return "";
    });
    expect(text).toBe("");
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test("messages with strange keys are data", async () => {
    const message = JSON.parse('{"role": "user", "content": "a", "__proto__": {"x": 1}}') as ChatMessage;
    expect(await render("{{ messages[0].content }}{{ messages[0].x }}", [message])).toBe("a");
  });
});

describe("the templates of a folder", () => {
  const folder = (files: Record<string, string>): string => {
    const dir = mkdtempSync(join(tmpdir(), "anneal-template-"));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
    return dir;
  };

  test("are those of tokenizer_config.json, and chat_template.jinja before them", async () => {
    const list = [
      { name: "default", template: "a" },
      { name: "tool_use", template: "b" },
    ];
    const config = JSON.stringify({ chat_template: list });
    expect(await readChatTemplates(folder({ "tokenizer_config.json": config }))).toEqual(list);
    const both = folder({ "tokenizer_config.json": config, "chat_template.jinja": "c" });
    expect(await readChatTemplates(both)).toEqual([{ name: "default", template: "c" }, list[1]]);
    expect(await readChatTemplates(folder({}))).toEqual([]);
  });

  test("name the special tokens of the tokenizer", () => {
    const tokenizer = charTokenizer(["ab"]);
    expect(templateSpecials(tokenizer)).toMatchObject({ eos_token: "<|endoftext|>", unk_token: "<unk>" });
  });
});

describe("chats to learn from", () => {
  const template =
    "{% for m in messages %}{% if m.content == 'no' %}{{ raise_exception('no') }}{% endif %}" +
    "<{{ m.role }}>{{ m.content }}</>\n{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}" +
    "{{ strftime_now('%Y') }}";
  const chat = (content: string) => ({
    messages: [...hello, { role: "assistant", content } as const],
    wanted: [1],
  });

  test("are written by one process, each with its turns or its error, on the same day always", async () => {
    const noYear = { name: "mine", template: template.replace("{{ strftime_now('%Y') }}", "") };
    const write = chatWriter(noYear, { specials, tokens: ["</>"] });
    const [one, refused, other] = await write([chat("a"), chat("no"), chat("bc")]);
    expect(one).toEqual({
      text: "<user>Hi</>\n<assistant>a</>\n",
      turns: [{ message: 1, start: 23, end: 27 }],
    });
    expect(refused).toBeInstanceOf(DataError);
    expect(other).toMatchObject({ turns: [{ end: 28 }] });
    const dated = await chatWriter({ name: "dated", template: "{{ strftime_now('%d %b %Y') }}" })([
      { messages: hello, wanted: [] },
    ]);
    expect(dated).toEqual([{ text: "26 Jul 2024", turns: [] }]);
  });

  test("a malformed template fails at each chat; one without an end is stopped", async () => {
    const bad = await chatWriter({ name: "bad", template: "{% for %}" })([chat("a"), chat("b")]);
    expect(bad.map((each) => each instanceof FormatError)).toEqual([true, true]);
    const loop = "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    const stuck = chatWriter({ name: "loop", template: loop }, { deadlineMs: 500 })([chat("a")]);
    await expect(stuck).rejects.toThrow(/deadline/);
  });
});
