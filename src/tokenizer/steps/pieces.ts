/** Every kind of `pre_tokenizer` of a tokenizer.json: a text is cut into the pieces that the model sees. */
import { bytesToken, WORDS } from "../bpe/byteLevel.ts";
import { asText, type Fields, refuse, show, stepsOf, string } from "../json.ts";
import type { Matcher } from "../pattern/pattern.ts";
import type { Json } from "../tokenizer.ts";
import { matchesOf, regExpMatches } from "./matches.ts";

/** A piece of a text that the model sees by itself. */
export interface Piece {
  readonly text: string;
  /** It begins where the whole text begins: some kinds put a space only there. */
  readonly first: boolean;
}

type Cut = (piece: Piece) => readonly Piece[];
/** What becomes of the matches of a pattern among the rest. */
type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

interface Span {
  start: number;
  end: number;
  readonly match: boolean;
}

/** The matches, empty ones too, and what lies between them. */
const spansOf = (text: string, matches: Matcher): Span[] => {
  const spans: Span[] = [];
  let at = 0;
  matches(text, (start, end) => {
    if (start > at) spans.push({ start: at, end: start, match: false });
    spans.push({ start, end, match: true });
    at = end;
  });
  if (at < text.length) spans.push({ start: at, end: text.length, match: false });
  return spans;
};

/** Joins each match to what stands before it. */
const joinPrevious = (spans: readonly Span[]): Span[] => {
  const out: Span[] = [];
  spans.forEach((span, i) => {
    if (span.match && i > 0 && !spans[i - 1]!.match) out.at(-1)!.end = span.end;
    else out.push({ ...span });
  });
  return out;
};

/** Joins each match to what stands after it. */
const joinNext = (spans: readonly Span[]): Span[] => {
  const out: Span[] = [];
  spans.forEach((span, i) => {
    const before = spans[i - 1];
    if (!span.match && before?.match) out.at(-1)!.end = span.end;
    else out.push({ ...span });
  });
  return out;
};

const joinAlike = (spans: readonly Span[]): Span[] => {
  const out: Span[] = [];
  for (const span of spans) {
    if (out.at(-1)?.match === span.match) out.at(-1)!.end = span.end;
    else out.push({ ...span });
  }
  return out;
};

const behaviors: Readonly<Record<Behavior, (spans: readonly Span[]) => readonly Span[]>> = {
  Removed: (spans) => spans.filter((span) => !span.match),
  Isolated: (spans) => spans,
  MergedWithPrevious: joinPrevious,
  MergedWithNext: joinNext,
  Contiguous: joinAlike,
};

const cutBy = (matches: Matcher, behavior: Behavior, invert = false): Cut => {
  const join = behaviors[behavior];
  return ({ text, first }) => {
    const spans = spansOf(text, matches);
    const flagged = invert ? spans.map((span) => ({ ...span, match: !span.match })) : spans;
    return join(flagged).map(({ start, end }) => ({
      text: text.slice(start, end),
      first: first && start === 0,
    }));
  };
};

const behaviorOf = (step: Fields, otherwise?: Behavior): Behavior => {
  const value = step.behavior ?? otherwise;
  if (typeof value === "string" && Object.hasOwn(behaviors, value)) return value as Behavior;
  return refuse(`has a ${asText(step.type)} of behavior ${show(value)}`);
};

const SPACE = regExpMatches(/\p{White_Space}/gu);
const PUNCTUATION = regExpMatches(/[!-/:-@[-`{-~\p{P}]/gu);
const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";

const words = (): Matcher => regExpMatches(new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, "gu"));

const bert: Cut = (piece) =>
  cutBy(SPACE, "Removed")(piece).flatMap((word) => cutBy(PUNCTUATION, "Isolated")(word));

const utf8 = new TextEncoder();

const byteLevel = (step: Fields): Cut => {
  const cut: Cut = step.use_regex === false ? (piece) => [piece] : cutBy(WORDS, "Isolated");
  const prefix = step.add_prefix_space !== false;
  return ({ text, first }) =>
    cut({ text: prefix && !text.startsWith(" ") ? ` ${text}` : text, first }).map((piece) => ({
      text: bytesToken(utf8.encode(piece.text)),
      first: piece.first,
    }));
};

const schemes: ReadonlySet<Json> = new Set(["always", "first", "never"]);

/** The mark that stands for a space in a Metaspace part. Throws FormatError. */
export const markOf = (step: Fields): string => {
  const mark = string(step, "replacement", "\u2581");
  return [...mark].length === 1 ? mark : refuse(`has a Metaspace with the replacement ${show(mark)}`);
};

/** `prepend_scheme` of a Metaspace part, whose older form is `add_prefix_space`. Throws FormatError. */
export const schemeOf = (step: Fields): "always" | "first" | "never" => {
  const older = step.add_prefix_space === false ? "never" : "always";
  const scheme = step.prepend_scheme ?? older;
  if (!schemes.has(scheme)) return refuse(`has a Metaspace with prepend_scheme ${show(scheme)}`);
  return scheme as "always" | "first" | "never";
};

const metaspace = (step: Fields): Cut => {
  const mark = markOf(step);
  const scheme = schemeOf(step);
  const cut: Cut = step.split === false ? (piece) => [piece] : cutBy(matchesOf(mark), "MergedWithNext");
  return ({ text, first }) => {
    const marked = text.replaceAll(" ", mark);
    const wanted = scheme === "always" || (scheme === "first" && first);
    return cut({ text: wanted && !marked.startsWith(mark) ? mark + marked : marked, first });
  };
};

const delimiter = (step: Fields): Cut => cutBy(matchesOf(string(step, "delimiter")), "Removed");

const kinds: ReadonlyMap<string, (step: Fields) => Cut> = new Map([
  ["BertPreTokenizer", () => bert],
  ["Whitespace", () => cutBy(words(), "Removed", true)],
  ["WhitespaceSplit", () => cutBy(SPACE, "Removed")],
  ["Punctuation", (step: Fields) => cutBy(PUNCTUATION, behaviorOf(step, "Isolated"))],
  [
    "Digits",
    (step: Fields) =>
      cutBy(regExpMatches(/\p{N}/gu), step.individual_digits === true ? "Isolated" : "Contiguous"),
  ],
  ["Split", (step: Fields) => cutBy(matchesOf(step.pattern), behaviorOf(step), step.invert === true)],
  ["CharDelimiterSplit", delimiter],
  ["ByteLevel", byteLevel],
  ["Metaspace", metaspace],
]);

/** The cutter of a `pre_tokenizer`. Throws FormatError, naming it, for a kind that does not exist. */
export const piecesOf = (value: Json | undefined): Cut => {
  const cuts = stepsOf(value, "pretokenizers").map((step) => {
    const make = kinds.get(asText(step.type));
    return make === undefined ? refuse(`has a pre-tokenizer of type ${show(step.type)}`) : make(step);
  });
  return (piece) =>
    cuts.reduce<readonly Piece[]>(
      (pieces, cut) => pieces.flatMap(cut).filter(({ text }) => text !== ""),
      [piece],
    );
};
