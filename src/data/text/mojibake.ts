/**
 * UTF-8 that was read as Windows-1252 or Latin-1 ("cafÃ©"), once or more often. A sequence of such
 * characters is repaired only where its bytes are exactly one UTF-8 character, and where that reading is
 * the likely one: "Ã”" closes a quotation in a Portuguese headline as well as it spells "Ô".
 */

const SPECIALS =
  "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f" +
  "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";

/**
 * Text of which each character is a byte as Windows-1252 reads it. Given as Latin-1: the TextDecoder of
 * Node 20 takes the one for the other.
 */
export const fromLatin1 = (text: string): string =>
  text.replace(/[\u0080-\u009f]/g, (c) => SPECIALS[c.charCodeAt(0) - 0x80]!);

const C1 = /[\u0080-\u009f]/g;
/** Those that Windows-1252 has a character for, but for the next line, which ends lines elsewhere. */
const WINDOWS = /[\u0080\u0082-\u0084\u0086-\u008c\u008e\u0091-\u009c\u009e\u009f]/;
const ELLIPSIS = /\p{L}\u0085[ \u00a0]/u;

/**
 * Control characters 0x80 to 0x9f as what Windows-1252 has there, as browsers take them. The next line (0x85)
 * is an ellipsis beside others of them, or between a letter and a space.
 */
export const windowsControls = (text: string): string => {
  const windows = WINDOWS.test(text);
  const ellipsis = windows || ELLIPSIS.test(text);
  if (!ellipsis) return text;
  return text.replace(C1, fromLatin1);
};

/** What Windows-1252 has at 0x80-0x9f where it differs from Latin-1 (WHATWG Encoding, index windows-1252). */
const HIGH: Readonly<Record<string, number>> = Object.fromEntries(
  Array.from(SPECIALS, (c, i) => [c, 0x80 + i]),
);

const byteOf = (c: string): number => HIGH[c] ?? c.charCodeAt(0);

const TAIL = `[\\u0080-\\u00bf${Object.keys(HIGH).join("")}]`;
const ONE = `(?:[\\u00c2-\\u00df]${TAIL}|[\\u00e0-\\u00ef]${TAIL}{2}|[\\u00f0-\\u00f4]${TAIL}{3})`;
const RUN = new RegExp(`${ONE}+`, "g");
const EACH = new RegExp(ONE, "g");
const ANY = new RegExp(ONE);

/** Punctuation that may follow a capital letter in plain text. */
const PUNCTUATION = /[\u00a0«»‘’“”‚„…–—™®©°ºª•·%]/;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The character that the bytes of `sequence` spell; undefined where they spell none. */
const decoded = (sequence: string): string | undefined => {
  try {
    return strict.decode(Uint8Array.from(sequence, byteOf));
  } catch {
    return undefined;
  }
};

interface Found {
  readonly run: string;
  readonly repaired: string;
  /** That no other reading is likely. */
  readonly sure: boolean;
}

const LETTER = /\p{L}/u;
const CAPITAL = /\p{Lu}/u;

/** Two characters in a row, three bytes for one, or an accent; not a letter and the punctuation after it. */
const isSure = (run: string, made: readonly string[], before: string): boolean => {
  const [first, ...rest] = run;
  if (first! >= "\u00e0" && rest.every((c) => PUNCTUATION.test(c))) return false;
  if (made.length >= 2 || run.length >= 3) return true;
  const [lead, tail = ""] = run;
  if (lead === "Â") return /[\u00a0-\u00bf]/.test(made[0]!) && !CAPITAL.test(before);
  if (lead !== "Ã") return false;
  return LETTER.test(made[0]!) && !(CAPITAL.test(before) && PUNCTUATION.test(tail));
};

const look = (run: string, before: string): Found | undefined => {
  const made = (run.match(EACH) ?? []).map(decoded);
  if (made.length === 0 || made.some((each) => each === undefined)) return undefined;
  const repaired = made.join("");
  return { run, repaired, sure: isSure(run, made as string[], before) };
};

/** A byte A0, a no-break space as Windows-1252 reads it, that became a plain space. */
const LOST_SPACE = /(?<=[ÂÅÎÐÙ]) /g;
/** "à" whose second byte did. The space after the word is lost with it, as two spaces are made one. */
const LOST_GRAVE = /(?<!\p{Lu})Ã(?: |(?=\n|$))/gu;
/** Where no space was: another is there, a mark without one before it, or a Portuguese word goes on. */
const UNSPACED = /^(?:[\s,.)\]'’”…-]|$|(?:quel[ea]s?|quilo|s)(?!\p{L}))/u;
/** A closing quotation mark, whose last byte (9D) no character of Windows-1252 stands for. */
const LOST_QUOTE = new RegExp(`â€(?!${TAIL})`, "g");

/** `text` with the bytes put back that were lost as white space, or had no character. */
const restored = (text: string): string =>
  text
    .replace(LOST_GRAVE, (all: string, at: number) => {
      const rest = text.slice(at + all.length, at + all.length + 8);
      return UNSPACED.test(rest) ? "Ã\u00a0" : "Ã\u00a0 ";
    })
    .replace(LOST_SPACE, "\u00a0")
    .replace(LOST_QUOTE, "â€\u009d");

/** One round. Unlikely readings are taken only beside sure ones. */
const once = (text: string): string => {
  const found = (run: string, at: number): Found | undefined => look(run, text[at - 1] ?? " ");
  let sure = false;
  for (const { 0: run, index } of text.matchAll(RUN)) sure ||= found(run, index)?.sure ?? false;
  if (!sure) return text;
  const whole = restored(text);
  return whole.replace(RUN, (run: string, at: number) => look(run, whole[at - 1] ?? " ")?.repaired ?? run);
};

/** `text` with UTF-8 read as Windows-1252 or Latin-1 put right; the same string where there is none. */
export const repairMojibake = (text: string): string => {
  let now = text;
  // Three rounds: text that went wrong more often than that is lost in other ways.
  for (let round = 0; round < 3 && ANY.test(now); round++) {
    const next = once(now);
    if (next === now) break;
    now = next;
  }
  return now;
};
