/**
 * HTML files as documents, and HTML in fields as text. parse5's tokenizer feeds `htmlText` without a tree.
 */
import { type Token, Tokenizer, TokenizerMode } from "parse5";
import type { Document } from "../../data/records/document.ts";
import { htmlText } from "../../data/records/html.ts";
import { DataError } from "../../util/errors.ts";
import { charsetName, meansUtf8 } from "./bytes/charset.ts";
import { type Decoding, decodeText, type Encoding, firstMalformed, recordDecoding } from "./bytes/decode.ts";
import { fileBytes } from "./bytes/lines.ts";
import { guarded, MAX_RECORD, type ReadOptions, withNote } from "./options.ts";

/** How the content of elements that hold no tags is read (HTML, section 13.2.6.2). */
const MODES: Readonly<Record<string, Tokenizer["state"]>> = {
  script: TokenizerMode.SCRIPT_DATA,
  style: TokenizerMode.RAWTEXT,
  xmp: TokenizerMode.RAWTEXT,
  iframe: TokenizerMode.RAWTEXT,
  noembed: TokenizerMode.RAWTEXT,
  noframes: TokenizerMode.RAWTEXT,
  title: TokenizerMode.RCDATA,
  textarea: TokenizerMode.RCDATA,
  plaintext: TokenizerMode.PLAINTEXT,
};

const STEP = 2 ** 16;

type Handlers = Partial<ConstructorParameters<typeof Tokenizer>[1]>;

const ignore = (): void => {};

/** parse5's tokenizer, by itself, with what is told of a page's tags and texts. */
const tokenizerOf = (handlers: Handlers): Tokenizer =>
  new Tokenizer(
    { sourceCodeLocationInfo: false },
    {
      onComment: ignore,
      onDoctype: ignore,
      onEof: ignore,
      onNullCharacter: ignore,
      onCharacter: ignore,
      onWhitespaceCharacter: ignore,
      onStartTag: ignore,
      onEndTag: ignore,
      ...handlers,
    },
  );

/** HTML as plain text: block elements end lines; scripts, styles and navigation are dropped. */
export const htmlToText = (html: string): string => {
  const built = htmlText();
  const characters = ({ chars }: Token.CharacterToken): void => built.text(chars);
  const tokenizer: Tokenizer = tokenizerOf({
    onCharacter: characters,
    onWhitespaceCharacter: characters,
    onStartTag: ({ tagName, selfClosing }) => {
      const foreign = tagName === "svg" || built.isForeign();
      built.open(tagName);
      if (!foreign && Object.hasOwn(MODES, tagName)) tokenizer.state = MODES[tagName]!;
      // Only foreign elements close themselves.
      if (selfClosing && foreign) built.close(tagName);
    },
    onEndTag: ({ tagName }) => built.close(tagName),
  });
  for (let at = 0; at < html.length; at += STEP) tokenizer.write(html.slice(at, at + STEP), false);
  tokenizer.write("", true);
  return built.result();
};

/** Bytes in which a page declares its encoding: of those that do it late, browsers read some this far. */
const HEAD = 2 ** 12;

const inContent = (content: string): string | undefined =>
  /charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;"']+))/i
    .exec(content)
    ?.slice(1)
    .find((name) => name !== undefined);

/** The encoding that a page declares in its head (HTML, section 13.2.3.2) or its XML declaration. */
const declaredCharset = (bytes: Buffer): string | undefined => {
  const head = bytes.subarray(0, HEAD).toString("latin1");
  let label = /^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([^"']+)["']/.exec(head)?.[1];
  const tokenizer: Tokenizer = tokenizerOf({
    onStartTag: ({ tagName, attrs }) => {
      if (Object.hasOwn(MODES, tagName)) tokenizer.state = MODES[tagName]!;
      if (tagName !== "meta") return;
      const given = new Map(attrs.map(({ name, value }) => [name, value]));
      label ??= given.get("charset");
      if (given.get("http-equiv")?.toLowerCase() === "content-type")
        label ??= inContent(given.get("content") ?? "");
    },
  });
  tokenizer.write(head, true);
  if (label === undefined) return undefined;
  if (/^x-user-defined$/i.test(label.trim())) return "windows-1252";
  const name = charsetName(label);
  // A page that can be read so far is not in UTF-16, whatever it says.
  return name?.startsWith("utf-16") ? "utf-8" : name;
};

/** How a page is decoded: as told, else as it declares; where it is UTF-8 it is that whatever is said. */
const pageDecoding = async (bytes: Buffer, encoding: Encoding = "utf-8"): Promise<Decoding> => {
  const told = encoding === "utf-8" || encoding === "auto" ? undefined : encoding;
  const name = told ?? declaredCharset(bytes) ?? "utf-8";
  if (name === "utf-8") return await recordDecoding(encoding);
  const utf8 = firstMalformed(bytes) < 0 && !bytes.includes("\u001b$");
  if (utf8 && meansUtf8(bytes.toString("utf8"), name)) return {};
  return { whole: name };
};

/** The byte order mark of UTF-8, which is more than what a page declares. */
const MARK = Buffer.of(0xef, 0xbb, 0xbf);

/** The document of an HTML file. Throws DataError where it is larger than a record may be. */
export async function* htmlDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const { maxRecordBytes = MAX_RECORD } = options;
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of fileBytes(path, { ...options, keepMark: true }, maxRecordBytes)) {
    size += chunk.length;
    if (size > maxRecordBytes) {
      const hint = "a page is one document; cut the file, or raise the largest size of a record";
      throw new DataError(`is longer than ${maxRecordBytes} bytes`, { file: path, hint });
    }
    pieces.push(chunk);
  }
  if (size === 0) return;
  const all = Buffer.concat(pieces);
  const marked = all.subarray(0, 3).equals(MARK);
  const bytes = marked ? all.subarray(3) : all;
  const decoding = marked ? {} : await pageDecoding(bytes, options.encoding);
  const made = guarded(options, () => {
    const { text, note } = decodeText(bytes, { file: path }, 0, decoding);
    return withNote({ id: path, text: htmlToText(text) }, note);
  });
  if (made !== undefined) yield made;
}
