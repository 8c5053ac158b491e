import { stripVTControlCharacters } from "node:util";
import pc from "picocolors";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { errorText } from "../process/failure.ts";
import { clock, escaped, print, printJson, table, terminalUi, wantsColor } from "./terminal.ts";

const names = ["NO_COLOR", "FORCE_COLOR", "TERM"] as const;
let saved: (string | undefined)[] = [];
beforeEach(() => {
  saved = names.map((name) => process.env[name]);
  for (const name of names) delete process.env[name];
  process.env.TERM = "xterm";
});
afterEach(() => {
  names.forEach((name, i) => {
    if (saved[i] === undefined) delete process.env[name];
    else process.env[name] = saved[i];
  });
});

const stream = (isTTY: boolean, columns = 80) => {
  const texts: string[] = [];
  return { isTTY, columns, texts, write: (text: string) => texts.push(text) };
};

describe("table", () => {
  test("aligns numbers right and names left, without trailing spaces", () => {
    const rows = [
      { name: "whole fp32", ms: 1.5 },
      { name: "q8", ms: 10.25 },
    ];
    const text = table(rows, [
      { title: "candidate", of: (r) => r.name, align: "left" },
      { title: "ms", of: (r) => r.ms.toFixed(2) },
      { title: "front", of: (r) => (r.ms < 2 ? "*" : ""), align: "left" },
    ]);
    expect(text).toBe("candidate      ms  front\nwhole fp32   1.50  *\nq8          10.25");
  });

  test("a cell cannot leave its line or colour the terminal", () => {
    const text = table(["a\nb\tc\x1b[31m"], [{ title: "x", of: (r) => r, align: "left" }]);
    expect(text).toBe("x\na\\nb\\tc\\x1b[31m");
  });

  test("paint does not move columns", () => {
    const columns = [
      { title: "s", of: (r: string) => r, align: "left", paint: (cell: string) => `<${cell}>` },
      { title: "t", of: () => "x" },
    ] as const;
    expect(table(["ok", "warn"], columns)).toBe("s     t\n<ok  >  x\n<warn>  x");
  });

  test("no rows leave the title", () => {
    expect(table([], [{ title: "x", of: String }])).toBe("x");
  });
});

test("print escapes for a terminal alone, printJson always, within JSON", () => {
  const hostile = "a\x1b[2J\u061c\u200f\x7f\x9b\r\n\tb";
  const said = (isTTY: boolean, write: (to: { write(text: string): number; isTTY: boolean }) => void) => {
    const texts: string[] = [];
    write({ write: (text) => texts.push(text), isTTY });
    return texts.join("");
  };
  expect(said(true, (to) => print(hostile, to))).toBe("a\\x1b[2J\\u061c\\u200f\\x7f\\x9b\\x0d\n\tb");
  expect(said(false, (to) => print(hostile, to))).toBe(hostile);
  for (const isTTY of [true, false]) {
    const line = said(isTTY, (to) => printJson({ hostile }, to));
    expect(JSON.parse(line)).toEqual({ hostile });
    expect(line.trimEnd()).toMatch(/^[\x20-\x7e]+$/);
  }
});

test("a message is one line, whatever a name in it holds", () => {
  const to = stream(false);
  const ui = terminalUi({ stream: to });
  ui.line("a\nb");
  ui.warn("c\x1b[2J\td");
  expect(to.texts.join("")).toBe("  a\\nb\n  warning: c\\x1b[2J\\td\n");
  const failure = { name: "DataError", message: "x\ny\u202e: is bad", hint: "did you mean \x9b?" };
  expect(errorText(failure, pc.createColors(false))).toBe(
    "error: x\\ny\\u202e: is bad\nhint: did you mean \\x9b?\n",
  );
});

test("escaped shows what would move the cursor or turn the text round", () => {
  expect(escaped("a\x1b]0;t\x07\r\u202eb\nc\td\x9b")).toBe("a\\x1b]0;t\\x07\\x0d\\u202eb\nc\td\\x9b");
});

test("wantsColor follows the flag, NO_COLOR, FORCE_COLOR, the terminal, in this order", () => {
  const [tty, pipe] = [{ isTTY: true }, { isTTY: false }];
  expect([wantsColor(tty), wantsColor(pipe), wantsColor(tty, false)]).toEqual([true, false, false]);
  process.env.TERM = "dumb";
  expect(wantsColor(tty)).toBe(false);
  process.env.FORCE_COLOR = "1";
  expect([wantsColor(pipe), wantsColor(tty, false)]).toEqual([true, false]);
  process.env.FORCE_COLOR = "0";
  process.env.TERM = "xterm";
  expect(wantsColor(tty)).toBe(false);
  delete process.env.FORCE_COLOR;
  process.env.NO_COLOR = "1";
  expect(wantsColor(tty)).toBe(false);
});

test("clock", () => {
  expect([0, 61.4, 3723, -1].map(clock)).toEqual(["0:00", "1:01", "1:02:03", "0:00"]);
});

describe("terminalUi", () => {
  test("elsewhere than on a terminal: plain lines, none for an update soon after the last", () => {
    const to = stream(false);
    const ui = terminalUi({ stream: to });
    ui.stage("Training");
    ui.line("name\x1b[2J");
    const task = ui.task("train", 10);
    task.update(1, { loss: 2 });
    task.done("trained");
    expect(to.texts.join("")).toBe("\nTraining\n  name\\x1b[2J\n  ✓ trained (0:00)\n");
  });

  test("on a terminal: one line, drawn over, no wider than the terminal", () => {
    const to = stream(true, 40);
    const ui = terminalUi({ stream: to });
    const task = ui.task("train", 4);
    task.update(1, { loss: "2.5", note: "x".repeat(100) });
    const [drawn] = to.texts;
    const shown = stripVTControlCharacters(drawn!);
    expect(shown).toMatch(/^\r {2}█████░{15} train 1\/4 \(25 /);
    expect(shown.length).toBe("\r".length + 39);
    expect(drawn).toContain(`\x1b[36m█████${"░".repeat(15)}\x1b[39m`);
    ui.warn("look");
    expect(to.texts.slice(1).join("")).toBe("\r\x1b[2K\x1b[33m  warning: look\x1b[39m\n");
  });

  test("quiet: warnings only", () => {
    const to = stream(false);
    const ui = terminalUi({ stream: to, quiet: true });
    ui.stage("s");
    ui.line("l");
    ui.task("t", 1).done();
    ui.warn("w");
    expect(to.texts).toEqual(["  warning: w\n"]);
  });
});
