/**
 * HTML files as documents, and HTML in fields as text. parse5's tokenizer feeds `htmlText` without a tree.
 */
import { type Token, Tokenizer, TokenizerMode } from "parse5";
import type { Document } from "../data/document.ts";
import { htmlText } from "../data/html.ts";
import { DataError } from "../util/errors.ts";
import { decodeText, fileBytes } from "./lines.ts";
import { guarded, MAX_RECORD, type ReadOptions, withNote } from "./readOptions.ts";

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

/** HTML as plain text: block elements end lines; scripts, styles and navigation are dropped. */
export const htmlToText = (html: string): string => {
  const built = htmlText();
  const characters = ({ chars }: Token.CharacterToken): void => built.text(chars);
  const tokenizer: Tokenizer = new Tokenizer(
    { sourceCodeLocationInfo: false },
    {
      onComment: () => {},
      onDoctype: () => {},
      onEof: () => {},
      onNullCharacter: () => {},
      onCharacter: characters,
      onWhitespaceCharacter: characters,
      onStartTag: ({ tagName, selfClosing }) => {
        built.open(tagName);
        if (Object.hasOwn(MODES, tagName)) tokenizer.state = MODES[tagName]!;
        // Only foreign elements close themselves.
        if (selfClosing && tagName === "svg") built.close(tagName);
      },
      onEndTag: ({ tagName }) => built.close(tagName),
    },
  );
  for (let at = 0; at < html.length; at += STEP) tokenizer.write(html.slice(at, at + STEP), false);
  tokenizer.write("", true);
  return built.result();
};

/** The document of an HTML file. Throws DataError where it is larger than a record may be. */
export async function* htmlDocuments(path: string, options: ReadOptions): AsyncGenerator<Document> {
  const { maxRecordBytes = MAX_RECORD } = options;
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const chunk of fileBytes(path, options, maxRecordBytes)) {
    size += chunk.length;
    if (size > maxRecordBytes) {
      const hint = "a page is one document; cut the file, or raise the largest size of a record";
      throw new DataError(`is longer than ${maxRecordBytes} bytes`, { file: path, hint });
    }
    pieces.push(chunk);
  }
  if (size === 0) return;
  const made = guarded(options, () => {
    const { text, note } = decodeText(Buffer.concat(pieces), { file: path }, 0, options.encoding);
    return withNote({ id: path, text: htmlToText(text) }, note);
  });
  if (made !== undefined) yield made;
}
