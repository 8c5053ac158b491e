/** Progress on stderr: one line that moves on a terminal, plain lines every few seconds elsewhere. */
import pc from "picocolors";
import type { Progress, Ui } from "../../recipes/context/ui.ts";

/** Lines of a task that is not on a terminal come at most this often, milliseconds. */
const PLAIN_EVERY = 3000;
const REDRAW_EVERY = 80;

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is made visible.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Foreign text with control and direction-changing characters made visible; line feeds and tabs stay. */
export const escaped = (text: string): string =>
  text.replace(INVISIBLE, (c) => {
    const code = c.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });

/** Escaped text on one line. */
export const inLine = (text: string): string => escaped(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");

interface Stream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

/** Writes text to stdout: escaped where a terminal reads it, else to the byte, as programs need it. */
export const print = (text: string, stream: Stream = process.stdout): void =>
  void stream.write(stream.isTTY === true ? escaped(text) : text);

/** Writes one line of JSON to stdout, with what a terminal would obey as escapes of JSON's own. */
export const printJson = (value: unknown, stream: Stream = process.stdout): void => {
  const hex = (c: string): string => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  stream.write(`${JSON.stringify(value).replace(INVISIBLE, hex)}\n`);
};

/** Whether to colour: NO_COLOR, FORCE_COLOR and TERM=dumb decide before the terminal does. */
export const wantsColor = (stream: { isTTY?: boolean }, flag?: boolean): boolean => {
  if (flag === false || process.env.NO_COLOR) return false;
  const force = process.env.FORCE_COLOR;
  if (force) return force !== "0" && force !== "false";
  return stream.isTTY === true && process.env.TERM !== "dumb";
};

/** Seconds as 1:02 or 1:02:03. */
export const clock = (seconds: number): string => {
  const s = Math.max(0, Math.round(seconds));
  const two = (x: number): string => String(x).padStart(2, "0");
  const minutes = Math.floor(s / 60);
  return minutes < 60
    ? `${minutes}:${two(s % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(s % 60)}`;
};

const bar = (share: number): string => {
  const full = Math.round(20 * Math.min(1, share));
  return "█".repeat(full) + "░".repeat(20 - full);
};

/** Where progress is printed, and whether. */
export interface TerminalOptions {
  readonly quiet?: boolean;
  readonly stream?: Stream;
}

type Color = ReturnType<typeof pc.createColors>;

/** Writes lines that stay, and one below them that is drawn over. */
const screen = ({ quiet, stream }: Required<TerminalOptions>, color: Color) => {
  let drawn = false;
  const clear = (): void => {
    if (drawn) stream.write("\r\x1b[2K");
    drawn = false;
  };
  return {
    write(text: string, always = false): void {
      if (quiet && !always) return;
      clear();
      stream.write(`${text}\n`);
    },
    draw(share: number | undefined, text: string): void {
      if (quiet) return;
      const line = `  ${share === undefined ? "" : `${bar(share)} `}${text}`.slice(
        0,
        (stream.columns ?? 100) - 1,
      );
      stream.write(`\r\x1b[2K${line.replace(/[█░]+/, (cells) => color.cyan(cells))}`);
      drawn = true;
    },
  };
};

/** "1.5/s"; of what takes longer "20 s each". */
const paceText = (perSec: number): string =>
  perSec >= 1 ? `${Number(perSec.toPrecision(3))}/s` : `${Number((1 / perSec).toPrecision(2))} s each`;

/**
 * "train 3/10 (30 %)  loss 2.100  1.5/s  0:05 left"; `from` is where this process took the task up. What is
 * not counted has no share.
 */
const progressText = (
  name: string,
  { done, total, from, seconds }: { done: number; total: number; from: number; seconds: number },
  fields: Readonly<Record<string, string | number>>,
): string => {
  const perSec = seconds > 0.5 ? (done - from) / seconds : 0;
  const counted = done === 0 ? "" : ` ${done}`;
  const share = total > 0 ? ` ${done}/${total} (${Math.floor((100 * done) / total)} %)` : counted;
  const extra = Object.entries(fields).map(([key, value]) => inLine(`${key} ${value}`));
  if (perSec > 0) extra.push(paceText(perSec));
  extra.push(perSec > 0 && total > 0 ? `${clock((total - done) / perSec)} left` : clock(seconds));
  return [`${inLine(name)}${share}`, ...extra].join("  ");
};

/** A Ui for the terminal. Warnings are told even when it is to be quiet. */
export const terminalUi = ({ quiet = false, stream = process.stderr }: TerminalOptions = {}): Ui => {
  const color = pc.createColors(wantsColor(stream));
  const live = stream.isTTY === true && process.env.TERM !== "dumb";
  const { write, draw } = screen({ quiet, stream }, color);
  const task = (name: string, total: number): Progress => {
    const start = performance.now();
    let last = live ? Number.NEGATIVE_INFINITY : start;
    let from: number | undefined;
    return {
      update: (done, fields = {}) => {
        const now = performance.now();
        // A resumed task begins in the middle: what an earlier run did says nothing about this one's rate.
        from ??= Math.max(0, done - 1);
        if (now - last < (live ? REDRAW_EVERY : PLAIN_EVERY)) return;
        last = now;
        const text = progressText(name, { done, total, from, seconds: (now - start) / 1000 }, fields);
        if (live) draw(total > 0 ? done / total : undefined, text);
        else write(`  ${text}`);
      },
      done: (summary) => {
        const took = clock((performance.now() - start) / 1000);
        write(`  ${color.green("✓")} ${inLine(summary ?? name)} ${color.dim(`(${took})`)}`);
      },
    };
  };
  return {
    stage: (title) => write(`\n${color.bold(inLine(title))}`),
    line: (text) => write(`  ${inLine(text)}`),
    warn: (text) => write(color.yellow(`  warning: ${inLine(text)}`), true),
    task,
  };
};

/** One column of a printed table. */
export interface Column<T> {
  readonly title: string;
  readonly of: (row: T) => string;
  readonly align?: "left" | "right";
  /** Colours a cell that is already padded. */
  readonly paint?: (cell: string, row: T) => string;
}

/** Rows as aligned text, a title line first. */
export const table = <T>(rows: readonly T[], columns: readonly Column<T>[]): string => {
  const cells = rows.map((row) => columns.map((column) => inLine(column.of(row))));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const padded = (texts: readonly string[]): string[] =>
    texts.map((text, i) => {
      if (columns[i]!.align !== "left") return text.padStart(widths[i]!);
      return i === columns.length - 1 ? text : text.padEnd(widths[i]!);
    });
  const painted = (row: T, texts: readonly string[]): string[] =>
    texts.map((text, i) => columns[i]!.paint?.(text, row) ?? text);
  const title = padded(columns.map((column) => column.title));
  return [title, ...rows.map((row, i) => painted(row, padded(cells[i]!)))]
    .map((texts) => texts.join("  ").trimEnd())
    .join("\n");
};
