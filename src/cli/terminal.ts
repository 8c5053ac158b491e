/** Progress on stderr: one line that moves on a terminal, plain lines every few seconds elsewhere. */
import pc from "picocolors";
import type { Task, Ui } from "../recipes/ui.ts";

/** Lines of a task that is not on a terminal come at most this often, milliseconds. */
const PLAIN_EVERY = 3000;
const REDRAW_EVERY = 80;

/** Text from files and models with its control characters made visible. */
export const escaped = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is made visible.
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);

/** Whether to colour: NO_COLOR, FORCE_COLOR and TERM=dumb decide before the terminal does. */
export const wantsColor = (stream: { isTTY?: boolean }, flag?: boolean): boolean => {
  if (flag === false || process.env.NO_COLOR) return false;
  if (process.env.FORCE_COLOR) return true;
  return stream.isTTY === true && process.env.TERM !== "dumb";
};

/** Seconds as 1:02 or 1:02:03. */
export const clock = (seconds: number): string => {
  const s = Math.max(0, Math.round(seconds));
  const two = (x: number): string => String(x).padStart(2, "0");
  const minutes = Math.floor(s / 60);
  return minutes < 60 ? `${minutes}:${two(s % 60)}` : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(s % 60)}`;
};

const bar = (share: number): string => {
  const full = Math.round(20 * Math.min(1, share));
  return "█".repeat(full) + "░".repeat(20 - full);
};

export interface TerminalOptions {
  readonly quiet?: boolean;
  readonly stream?: { write(text: string): unknown; isTTY?: boolean; columns?: number };
}

/** A Ui for the terminal. */
export const terminalUi = ({ quiet = false, stream = process.stderr }: TerminalOptions = {}): Ui => {
  const color = pc.createColors(wantsColor(stream));
  const live = stream.isTTY === true && process.env.TERM !== "dumb";
  let drawn = false;
  const write = (text: string): void => {
    if (quiet) return;
    if (drawn) stream.write("\r\x1b[2K");
    drawn = false;
    stream.write(`${text}\n`);
  };
  const draw = (text: string): void => {
    if (quiet) return;
    stream.write(`\r\x1b[2K${text.slice(0, (stream.columns ?? 100) - 1)}`);
    drawn = true;
  };
  const task = (name: string, total: number): Task => {
    const start = performance.now();
    let last = live ? Number.NEGATIVE_INFINITY : start;
    return {
      update: (done, fields = {}) => {
        const now = performance.now();
        if (now - last < (live ? REDRAW_EVERY : PLAIN_EVERY)) return;
        last = now;
        const seconds = (now - start) / 1000;
        const extra = Object.entries(fields).map(([key, value]) => `${key} ${value}`);
        const left = total > 0 && done > 0 ? `${clock((seconds * (total - done)) / done)} left` : clock(seconds);
        const rate = `${(done / seconds).toPrecision(3)}/s`;
        const share = total > 0 ? `${done}/${total} (${((100 * done) / total).toFixed(0)} %)` : String(done);
        const text = [`${name} ${share}`, ...extra, rate, left].join("  ");
        if (live) draw(`  ${total > 0 ? `${color.cyan(bar(done / total))} ` : ""}${text}`);
        else write(`  ${text}`);
      },
      done: (summary) => {
        const took = clock((performance.now() - start) / 1000);
        write(`  ${color.green("✓")} ${escaped(summary ?? name)} ${color.dim(`(${took})`)}`);
      },
    };
  };
  return {
    stage: (title) => write(`\n${color.bold(title)}`),
    line: (text) => write(`  ${escaped(text)}`),
    warn: (text) => stream.write(`${color.yellow(`  warning: ${escaped(text)}`)}\n`),
    task,
  };
};

export interface Column<T> {
  readonly title: string;
  readonly of: (row: T) => string;
  readonly align?: "left" | "right";
}

/** Rows as aligned text, a title line first. */
export const table = <T>(rows: readonly T[], columns: readonly Column<T>[]): string => {
  const cells = rows.map((row) => columns.map((column) => escaped(column.of(row))));
  const widths = columns.map(({ title }, i) => Math.max(title.length, ...cells.map((row) => row[i]!.length)));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => (columns[i]!.align === "left" ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [line(columns.map((c) => c.title)), ...cells.map(line)].join("\n");
};
