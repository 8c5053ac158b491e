/** Documents as one stream of tokens. */
import { idBuffer, type Tokenizer } from "../../tokenizer/tokenizer.ts";
import { byteCount, type Document } from "../records/document.ts";

/** Documents end to end as token ids. */
export interface TokenStream {
  readonly tokens: Uint32Array;
  /** UTF-8 bytes of the documents' text. */
  readonly bytes: number;
  readonly documents: number;
}

/** Each document's tokens and the end-of-text token, one after another. */
export const pack = (documents: Iterable<Document>, tokenizer: Tokenizer): TokenStream => {
  const out = idBuffer(1 << 16);
  let bytes = 0;
  let count = 0;
  for (const { text } of documents) {
    tokenizer.encodeInto(text, out);
    out.push(tokenizer.eos);
    bytes += byteCount(text);
    count++;
  }
  return { tokens: out.take(), bytes, documents: count };
};
