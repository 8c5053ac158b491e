/** Markdown of the cards: whatever text is put in stays text. */
import { visible } from "./html.ts";

/** Text within a line of Markdown: one line, nothing in it read as markup or HTML. */
export const inline = (text: string): string =>
  visible(text.replace(/\s+/g, " ")).replace(/[\\`*_[\]<>|&#~]/g, (c) => `\\${c}`);

/** Text as a fenced block, the fence longer than any run of backticks within. */
export const fenced = (text: string, language = ""): string => {
  const longest = Math.max(2, ...Array.from(text.matchAll(/`+/g), ([run]) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${visible(text)}\n${fence}`;
};

/** A table; columns after the first are aligned as `rest` says. */
export const table = (
  head: readonly string[],
  rows: readonly (readonly string[])[],
  rest = "---:",
): string => {
  const lines = [head, head.map((_, i) => (i === 0 ? "---" : rest)), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
};
