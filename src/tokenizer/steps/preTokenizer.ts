/**
 * The `pre_tokenizer` and `normalizer` of a tokenizer.json as functions: the forms that byte-level BPE models
 * use.
 */
import { gpt2Splitter, type Splitter, scanSplitter, withPrefixSpace } from "../bpe/byteLevel.ts";
import { scanOf } from "../bpe/scan.ts";
import { type Fields, object, refuse, show, stepsOf } from "../json.ts";
import type { Matcher } from "../pattern/pattern.ts";
import type { Json } from "../tokenizer.ts";
import { matchesOf, regExpMatches } from "./matches.ts";

/** The matches, and what lies between them. */
const isolate =
  (matches: Matcher): Splitter =>
  (text, emit) => {
    let at = 0;
    matches(text, (start, end) => {
      if (start > at) emit(text.slice(at, start));
      if (end > start) emit(text.slice(start, end));
      at = end;
    });
    if (at < text.length) emit(text.slice(at));
  };

/** The matches alone. */
const only =
  (matches: Matcher): Splitter =>
  (text, emit) =>
    matches(text, (start, end) => {
      if (end > start) emit(text.slice(start, end));
    });

const splitOf = (step: Fields): Splitter => {
  const { Regex } = object(step.pattern, "pre_tokenizer.pattern");
  const { behavior, invert = false } = step;
  // These scans leave nothing between their matches: isolated or alone is the same.
  const scan = typeof Regex === "string" ? scanOf(Regex) : undefined;
  if (
    scan !== undefined &&
    (behavior === "Isolated" ? invert === false : behavior === "Removed" && invert === true)
  )
    return scanSplitter(scan);
  if (behavior === "Isolated" && invert === false) return isolate(matchesOf(step.pattern));
  if (behavior === "Removed" && invert === true) return only(matchesOf(step.pattern));
  return refuse(`has a Split of behavior ${show(behavior)}, invert ${show(invert)}`);
};

/** The whole text as one word. */
const asItIs: Splitter = (text, emit) => {
  if (text !== "") emit(text);
};

const byteLevelOf = (step: Fields): Splitter => {
  const split: Splitter = step.use_regex === false ? asItIs : gpt2Splitter();
  if (step.add_prefix_space !== true) return split;
  const prefixed: Splitter = (text, emit) => split(withPrefixSpace(text), emit);
  return split.scan === undefined
    ? prefixed
    : Object.assign(prefixed, { scan: split.scan, prefixSpace: true });
};

const chain = (first: Splitter, second: Splitter): Splitter => {
  if (second === asItIs) return first;
  return (text, emit) => first(text, (piece) => second(piece, emit));
};

const stepOf = (step: Fields): Splitter => {
  if (step.type === "ByteLevel") return byteLevelOf(step);
  if (step.type === "Split") return splitOf(step);
  if (step.type === "Digits")
    return isolate(regExpMatches(step.individual_digits === true ? /\p{N}/gu : /\p{N}+/gu));
  return refuse(`has a pre-tokenizer of type ${show(step.type)}`);
};

/**
 * The splitter of a `pre_tokenizer`, whose last step is the byte level. Throws FormatError for other kinds.
 */
export const preTokenizerOf = (value: Json | undefined): Splitter => {
  const steps = stepsOf(value, "pretokenizers");
  const places = steps.map((step) => step.type === "ByteLevel");
  if (steps.length === 0 || places.indexOf(true) !== steps.length - 1) {
    refuse(
      `has a pre-tokenizer that does not end in one byte level: ${show(steps.map((s) => s.type ?? null))}`,
    );
  }
  return steps.map(stepOf).reduce(chain);
};

const FORMS: ReadonlySet<Json | undefined> = new Set(["NFC", "NFD", "NFKC", "NFKD"]);

/**
 * The function of a `normalizer`; undefined where there is nothing to do. Throws FormatError for other kinds.
 */
export const normalizerOf = (value: Json | undefined): ((text: string) => string) | undefined => {
  const forms = stepsOf(value, "normalizers").map(({ type }) => {
    if (!FORMS.has(type)) refuse(`has a normalizer of type ${show(type)}`);
    return type as string;
  });
  if (forms.length === 0) return undefined;
  return (text) => forms.reduce((current, form) => current.normalize(form), text);
};

/** Throws FormatError where a `decoder` is not the byte level's. */
export const checkDecoder = (value: Json | undefined): void => {
  const types = stepsOf(value, "decoders").map((step) => step.type);
  if (types.length !== 1 || types[0] !== "ByteLevel") refuse(`has a decoder of type ${show(types as Json)}`);
};
