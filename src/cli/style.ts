/** What the command line writes to a terminal: colours where they are wanted, and text that cannot steer it. */
import picocolors from "picocolors";

export type Colors = ReturnType<typeof picocolors.createColors>;

/**
 * Whether `stream` gets colours: NO_COLOR (https://no-color.org) and --no-color switch them off, FORCE_COLOR on; else
 * they are for terminals other than TERM=dumb.
 */
export const wantsColor = (stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): boolean => {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== "0";
  return stream.isTTY === true && env.TERM !== "dumb";
};

/** The colours of `stream`: functions that leave text alone where none are wanted. */
export const colorsOf = (stream: { isTTY?: boolean }): Colors => picocolors.createColors(wantsColor(stream));

// C0 but tab and newline, DEL, C1, and the marks that reorder text on the screen.
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** `text` with its control characters written as \u001b and the like; tabs and newlines stay. */
export const escapeControls = (text: string): string =>
  text.replace(CONTROL, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
