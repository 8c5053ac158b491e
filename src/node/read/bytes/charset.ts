/**
 * Encodings of text other than UTF-8, by the names and tables of the WHATWG
 * (https://encoding.spec.whatwg.org), which the platform has.
 */
import { fromLatin1 } from "../../../data/text/mojibake.ts";
import { ConfigError } from "../../../util/errors.ts";

/** Names that Python and Windows have for encodings of the standard. */
const ALIASES: Readonly<Record<string, string>> = {
  "latin-1": "latin1",
  "latin-2": "latin2",
  "latin-9": "iso-8859-15",
  latin9: "iso-8859-15",
  cp932: "shift_jis",
  cp936: "gbk",
  cp949: "euc-kr",
  cp950: "big5",
  cp874: "windows-874",
  mac_roman: "macintosh",
};

const platformName = (label: string): string | undefined => {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return undefined;
  }
};

/** The standard's name of an encoding, undefined for one that there is not. */
export const charsetName = (label: string): string | undefined => {
  const lower = label.trim().toLowerCase();
  const alias = Object.hasOwn(ALIASES, lower) ? ALIASES[lower]! : lower;
  const dashed = alias.replaceAll("_", "-").replace(/^iso-?8859-?(\d+)$/, "iso-8859-$1");
  return platformName(alias) ?? platformName(dashed);
};

/** The encoding that an option names: "auto", or the standard's name. Throws ConfigError. */
export const encodingNamed = (text: string): string => {
  const name = text === "auto" ? text : charsetName(text);
  if (name !== undefined) return name;
  throw new ConfigError(`there is no encoding ${JSON.stringify(text)}`, {
    field: "data.encoding",
    hint: "utf-8, auto, or a name such as windows-1251, iso-8859-2, shift_jis, gb18030, euc-kr",
  });
};

/** An encoding as messages show it. */
export const shownCharset = (name: string): string => name.replace(/^windows/, "Windows");

/** Decodes bytes piece after piece; what is malformed becomes U+FFFD. */
export const charsetDecoder = (name: string): ((bytes: Uint8Array, more?: boolean) => string) => {
  // Node 20 takes Windows-1252 for Latin-1.
  if (name === "windows-1252")
    return (bytes) =>
      fromLatin1(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1"));
  const decoder = new TextDecoder(name, { ignoreBOM: true });
  return (bytes, more = false) => decoder.decode(bytes, { stream: more });
};

/** Encodings of which two bytes may look like a character of UTF-8. */
const DOUBLE = new Set(["gbk", "gb18030", "big5", "euc-kr", "euc-jp", "shift_jis"]);

/** Whether well-formed UTF-8 is meant as such though it is said to be `name`. */
export const meansUtf8 = (text: string, name: string): boolean => {
  if (/[\u0800-\uffff]/.test(text)) return true;
  return /[\u0080-\u07ff]/.test(text) && !DOUBLE.has(name);
};

/** A byte that no UTF-8 has: it marks what was malformed. */
const MALFORMED = Buffer.of(0xff);

const marked = (text: string): Buffer => {
  if (!text.includes("\ufffd")) return Buffer.from(text);
  const pieces = text.split("\ufffd").flatMap((piece) => [MALFORMED, Buffer.from(piece)]);
  return Buffer.concat(pieces.slice(1));
};

/** Bytes of an encoding as UTF-8; what is malformed stays malformed, and costs its record alone. */
export async function* recoded(source: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer> {
  const decode = charsetDecoder(name);
  for await (const chunk of source) yield marked(decode(chunk, true));
  yield marked(decode(Buffer.alloc(0)));
}
