import { describe, expect, test } from "vitest";
import { render, TemplateFault } from "./index.ts";

const made = (template: string): string => render(template, {}, { now: new Date(0) });
const fault = (template: string): string => {
  try {
    made(template);
  } catch (error) {
    expect(error).toBeInstanceOf(TemplateFault);
    return (error as Error).message;
  }
  throw new Error("it was rendered");
};

describe("what would end with the stack, or with memory, is a fault of the template", () => {
  test.each([
    ["an expression of many filters", `{{ 1${"|string".repeat(30_000)} }}`],
    ["brackets within brackets", `{{ ${"(".repeat(30_000)}1${")".repeat(30_000)} }}`],
    ["negations", `{{ ${"not ".repeat(30_000)}1 }}`],
    ["a macro that calls itself", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"],
    ["blocks within blocks", "{% if 1 %}".repeat(20_000) + "{% endif %}".repeat(20_000)],
  ])("%s", (_, template) => expect(fault(template)).toMatch(/^RecursionError: /));

  test.each([
    ["a text", "{{ ('x' * 500000000) ~ ('y' * 500000000) }}"],
    ["an integer", "{{ 2 ** 3000000000 }}"],
  ])("%s that is too large", (_, template) => expect(fault(template)).toMatch(/^\w+Error: /));

  test("what is long but not deep is rendered", () =>
    expect(made(`{{ 1${"|string".repeat(300)} }}`)).toBe("1"));
});
