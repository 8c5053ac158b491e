/** Every kind of `decoder` of a tokenizer.json: tokens become texts, which are joined. */
import { tokenBytes } from "../bpe/byteLevel.ts";
import { asText, type Fields, refuse, show, stepsOf, string } from "../json.ts";
import type { Json } from "../tokenizer.ts";
import { matchesOf, replacer } from "./matches.ts";
import { markOf, schemeOf } from "./pieces.ts";

type Step = (tokens: readonly string[]) => string[];

const utf8 = new TextEncoder();

const byteLevel: Step = (tokens) => {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const parts = tokens.map((token) =>
    decoder.decode(tokenBytes(token) ?? utf8.encode(token), { stream: true }),
  );
  return [parts.join("") + decoder.decode()];
};

/** English as BERT's words are joined. */
const tidy = (text: string): string =>
  text
    .replaceAll(" .", ".")
    .replaceAll(" ?", "?")
    .replaceAll(" !", "!")
    .replaceAll(" ,", ",")
    .replaceAll(" ' ", "'")
    .replaceAll(" n't", "n't")
    .replaceAll(" 'm", "'m")
    .replaceAll(" do not", " don't")
    .replaceAll(" 's", "'s")
    .replaceAll(" 've", "'ve")
    .replaceAll(" 're", "'re");

const wordPiece = (step: Fields): Step => {
  const prefix = string(step, "prefix", "##");
  const clean = step.cleanup !== false;
  return (tokens) =>
    tokens.map((token, i) => {
      const continues = i > 0 && token.startsWith(prefix);
      const text = continues ? token.slice(prefix.length) : i > 0 ? ` ${token}` : token;
      return clean ? tidy(text) : text;
    });
};

const metaspace = (step: Fields): Step => {
  const mark = markOf(step);
  const bare = schemeOf(step) !== "never";
  return (tokens) => tokens.map((token, i) => token.replaceAll(mark, i === 0 && bare ? "" : " "));
};

/** The byte of a token `<0xXX>`; undefined for others. */
export const byteOf = (token: string): number | undefined => {
  const found = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
  return found === null ? undefined : Number.parseInt(found[1]!, 16);
};

const textOfBytes = (bytes: readonly number[]): string => {
  try {
    const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    return strict.decode(Uint8Array.from(bytes));
  } catch {
    return "\ufffd".repeat(bytes.length);
  }
};

const byteFallback: Step = (tokens) => {
  const out: string[] = [];
  let run: number[] = [];
  const flush = (): void => {
    if (run.length > 0) out.push(textOfBytes(run));
    run = [];
  };
  for (const token of tokens) {
    const byte = byteOf(token);
    if (byte !== undefined) run.push(byte);
    else {
      flush();
      out.push(token);
    }
  }
  flush();
  return out;
};

const strip = (step: Fields): Step => {
  const { start = 0, stop = 0 } = step;
  const content = string(step, "content", " ");
  if (typeof start !== "number" || typeof stop !== "number" || content === "")
    return refuse(`has a Strip of ${show(content)}, ${show(start)} and ${show(stop)}`);
  return (tokens) =>
    tokens.map((token) => {
      let [from, to] = [0, token.length];
      while (from / content.length < start && token.startsWith(content, from)) from += content.length;
      for (let i = 0; i < stop && to > from && token.slice(from, to).endsWith(content); i++)
        to -= content.length;
      return token.slice(from, to);
    });
};

const replace = (step: Fields): Step => {
  const replaced = replacer(matchesOf(step.pattern), string(step, "content"));
  return (tokens) => tokens.map(replaced);
};

const suffixed = (step: Fields): Step => {
  const suffix = string(step, "suffix", "</w>");
  return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? "" : " "));
};

const kinds: ReadonlyMap<string, (step: Fields) => Step> = new Map([
  ["ByteLevel", () => byteLevel],
  ["WordPiece", wordPiece],
  ["Metaspace", metaspace],
  ["ByteFallback", () => byteFallback],
  ["Fuse", () => (tokens: readonly string[]) => [tokens.join("")]],
  ["Strip", strip],
  ["Replace", replace],
  ["BPEDecoder", suffixed],
]);

/** How tokens become text. */
export interface TokenDecoder {
  /** The text of tokens. */
  readonly text: (tokens: readonly string[]) => string;
  readonly byteLevel: boolean;
  /** Tokens `<0xXX>` stand for bytes. */
  readonly byteFallback: boolean;
  /** The end of a text depends on what is not there yet. */
  readonly trims: boolean;
}

/** The function of a `decoder`; without one spaces join tokens. Throws FormatError for other kinds. */
export const decoderOf = (value: Json | undefined): TokenDecoder => {
  const fields = stepsOf(value, "decoders");
  const steps = fields.map((step) => {
    const make = kinds.get(asText(step.type));
    return make === undefined ? refuse(`has a decoder of type ${show(step.type)}`) : make(step);
  });
  const has = (type: string): boolean => fields.some((step) => step.type === type);
  return {
    text: (tokens) =>
      steps.length === 0
        ? tokens.join(" ")
        : steps.reduce<readonly string[]>((current, step) => step(current), tokens).join(""),
    byteLevel: has("ByteLevel"),
    byteFallback: has("ByteFallback"),
    trims: has("BPEDecoder") || fields.some((step) => step.type === "Strip" && step.stop !== 0),
  };
};
