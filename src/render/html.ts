/** HTML by tagged template: whatever is put into one is escaped unless a template made it. */

export interface Html {
  readonly html: string;
}

/** What may stand in a template; false and undefined stand for nothing. */
export type Content = Html | string | number | false | undefined | readonly Content[];

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/**
 * Control and format characters (directions, zero width), line separators, halves of surrogate pairs. Line
 * feeds stay, and so do the joiners of emoji and of several scripts.
 */
const INVISIBLE = /(?![\n\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

const picture = (character: string): string => {
  const code = character.codePointAt(0)!;
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
};

/** Text with every invisible character but the line feed replaced by its picture (U+2400 and on) or code. */
export const visible = (text: string): string => text.replace(INVISIBLE, picture);

/** Text as it stands in HTML, within elements and within quoted attributes. */
export const escapeHtml = (text: string): string => visible(text).replace(/[&<>"']/g, (c) => ENTITIES[c]!);

const render = (content: Content): string => {
  if (content === undefined || content === false) return "";
  if (typeof content === "string") return escapeHtml(content);
  if (typeof content === "number") return String(content);
  if ("html" in content) return content.html;
  return content.map(render).join("");
};

/** Makes HTML; what is put in is escaped, lists are joined, `false` and `undefined` vanish. */
export const html = (strings: TemplateStringsArray, ...contents: readonly Content[]): Html => ({
  html: strings.reduce((text, part, i) => text + render(contents[i - 1]) + part),
});

/** A coordinate of a picture, to a tenth of a pixel. */
export const px = (value: number): string => String(Math.round(value * 10) / 10);
