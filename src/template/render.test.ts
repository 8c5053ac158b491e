/** What Python's Jinja makes of templates as transformers sets it up: test/golden/templates.py. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Refusal, render, TemplateFault } from "./index.ts";

type Text = string | null | { readonly refused: string };
type Chat = readonly Readonly<Record<string, unknown>>[];

const golden = JSON.parse(
  readFileSync(new URL("../../test/golden/templates.json", import.meta.url), "utf8"),
) as {
  readonly context: Readonly<Record<string, unknown>>;
  readonly cases: readonly (readonly [template: string, text: Text])[];
  readonly tools: unknown;
  readonly chats: Readonly<Record<string, Chat>>;
  readonly templates: Readonly<Record<string, string>>;
  readonly rendered: readonly {
    readonly template: string;
    readonly chat: string;
    readonly tools: boolean;
    readonly add: boolean;
    readonly text: Text;
  }[];
};

const now = new Date(Date.UTC(2024, 6, 4, 9, 5, 3, 120));

/** The text, null for an error, what a refusal says; anything else that is thrown is a mistake of ours. */
const made = (template: string, context: Readonly<Record<string, unknown>>): Text => {
  try {
    return render(template, context, { now });
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.message };
    if (error instanceof TemplateFault) return null;
    throw error;
  }
};

describe("as Python's", () => {
  test.each(golden.cases)("%j", (template, text) => {
    expect(made(template, golden.context)).toEqual(text);
  });
});

/** Without fields that are null, and with the reasoning under its usual names: what `renderChat` does. */
const plain = (chat: Chat) =>
  chat.map((message) => {
    const fields = Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null));
    const { reasoning } = fields;
    return reasoning === undefined
      ? fields
      : { thinking: reasoning, ...fields, reasoning_content: reasoning };
  });

describe("whole templates", () => {
  test.each(golden.rendered)("$template: $chat, tools $tools, prompt $add", (given) => {
    const { template, chat, tools, add, text } = given;
    const context = {
      ...{ bos_token: "<s>", eos_token: "</s>", documents: null },
      messages: plain(golden.chats[chat]!),
      tools: tools ? golden.tools : null,
      add_generation_prompt: add,
    };
    expect(made(golden.templates[template]!, context)).toEqual(text);
  });
});

describe("mistakes name the line and the kind", () => {
  test.each([
    ["a\n{% for x %}", /line 2: expected in/],
    ["\n\n{{ 'a }}", /line 3: unexpected '/],
    ["a\n{{ x\n", /line 2: a tag is not closed: \}\} is missing/],
    ["{% if x", /line 1: a tag is not closed: %\} is missing/],
    ["{# x", /line 1: a comment is not closed/],
    ["{% nope %}", /unknown tag 'nope'/],
    ["{% include 'x' %}", /includes no other/],
    ["{{ x | nope }}", /No filter named 'nope'/],
    ["{{ x is nope }}", /No test named 'nope'/],
    ["{{ x.y.z }}", /UndefinedError: 'int object' has no attribute 'y'/],
    ["{{ 'a' + 1 }}", /TypeError: unsupported operand/],
    ["{{ l.append(1) }}", /access to attribute 'append' of 'list' object is unsafe/],
    ["{{ range(1000000) }}", /Range too big/],
    ["{% macro f(a) %}{% endmacro %}{{ f(b=1) }}", /macro 'f' takes no keyword argument 'b'/],
  ])("%j", (template, message) => {
    expect(() => render(template, { x: 1, l: [] }, { now })).toThrow(message);
    expect(() => render(template, { x: 1, l: [] }, { now })).toThrow(TemplateFault);
  });
});

describe("nothing of JavaScript is reached", () => {
  const names = ["constructor", "__proto__", "prototype", "toString", "valueOf", "hasOwnProperty", "length"];
  test.each(names)("%s", (name) => {
    for (const value of ["''", "1", "1.5", "[]", "{}", "()", "none", "true", "range", "range(2)", "m", "f"]) {
      const template = `{% macro f() %}{% endmacro %}{{ (${value}).${name} }}{{ (${value})['${name}'] }}`;
      expect(made(template, { m: { a: 1 } })).toBe("");
    }
    expect(made(`{{ ${name} }}`, {})).toBe("");
    expect(made(`{{ 1 | ${name} }}`, {})).toBeNull();
    expect(made(`{{ 1 is ${name} }}`, {})).toBeNull();
    expect(made(`{% ${name} %}`, {})).toBeNull();
  });

  test("keys of data may have any name", () => {
    const data = JSON.parse('{"__proto__": {"x": 1}, "constructor": 2}') as object;
    expect(made("{{ d['__proto__'].x }}{{ d.constructor }}{{ d | length }}", { d: data })).toBe("122");
  });
});
