/**
 * Patterns of Oniguruma's Ruby syntax (https://github.com/kkos/oniguruma/blob/master/doc/RE), which is what
 * the Rust library tokenizers reads. What it knows and this does not is refused, never read as something
 * else.
 */
import { concat, EMPTY, either, hasAtomic, type Node, type Place, widthOf } from "./ast.ts";
import { caseFolds, type Folds } from "./caseFold.ts";
import { codeEscape, kindEscape } from "./escapes.ts";
import { blindNode, classNode, literalNode } from "./folded.ts";
import { parseClass } from "./parseClass.ts";
import { refusePattern, type Scanner, scanner } from "./scanner.ts";

/** Options that groups set. */
interface Flags {
  /** `i` */
  readonly blind: boolean;
  /** `m`: a dot matches newlines. */
  readonly dotAll: boolean;
  /** `x`: white space and comments are left out. */
  readonly spaced: boolean;
}

interface Parser {
  readonly scan: Scanner;
  readonly folds: () => Folds;
}

const MAX_DEPTH = 100;

const places: Readonly<Record<string, Place>> = {
  b: "word",
  B: "notWord",
  A: "textStart",
  z: "textEnd",
  Z: "lastLineEnd",
};

const newline: Node = {
  type: "atomic",
  body: either([
    concat([
      { type: "char", code: 13 },
      { type: "char", code: 10 },
    ]),
    { type: "set", test: (c) => (c >= 10 && c <= 13) || c === 0x85 || c === 0x2028 || c === 0x2029 },
  ]),
};
const anything: Node = { type: "set", test: () => true };
const notNewline: Node = { type: "set", test: (code) => code !== 10 };

/** A literal character, or what else stands at a place. */
type Atom = { readonly literal: number } | { readonly node: Node };

const escaped = (parser: Parser): Atom => {
  const { scan } = parser;
  const letter = scan.next();
  const place = places[letter];
  if (place !== undefined) return { node: { type: "place", place } };
  if (letter === "R") return { node: newline };
  if (letter === "N") return { node: notNewline };
  if (letter === "O") return { node: anything };
  const test = kindEscape(scan, letter);
  return test === undefined ? { literal: codeEscape(scan, letter) } : { node: { type: "set", test } };
};

/** Takes the `)` that ends a group. */
const closed = <T>({ scan }: Parser, value: T): T =>
  scan.take(")") ? value : refusePattern(scan.source, "has a group without its end");

const looks: readonly (readonly [start: string, behind: boolean, negative: boolean])[] = [
  ["?=", false, false],
  ["?!", false, true],
  ["?<=", true, false],
  ["?<!", true, true],
];

/** Widest text that is looked behind for, code points. */
const MAX_BEHIND = 255;

const look = (parser: Parser, flags: Flags, depth: number): Node | undefined => {
  const { scan } = parser;
  const kind = looks.find(([start]) => scan.take(start));
  if (kind === undefined) return undefined;
  const body = closed(parser, alternatives(parser, flags, depth));
  if (kind[1] && widthOf(body)[1] > MAX_BEHIND)
    refusePattern(scan.source, `looks behind for more than ${MAX_BEHIND} characters`);
  if (kind[1] && hasAtomic(body)) refusePattern(scan.source, "looks behind for what is possessive");
  return { type: "look", body, behind: kind[1], negative: kind[2] };
};

const withFlags = (flags: Flags, on: string, off: string): Flags => {
  const is = (letter: string, was: boolean) => (was || on.includes(letter)) && !off.includes(letter);
  return { blind: is("i", flags.blind), dotAll: is("m", flags.dotAll), spaced: is("x", flags.spaced) };
};

/** The group whose `(` has been taken; undefined for a comment. */
const group = (parser: Parser, flags: Flags, depth: number): Node | undefined => {
  const { scan } = parser;
  if (depth > MAX_DEPTH) refusePattern(scan.source, "has groups within groups without end");
  if (scan.match(/\?#(?:[^)\\]|\\[\s\S])*\)/y)) return undefined;
  const found = look(parser, flags, depth);
  if (found !== undefined) return found;
  if (scan.take("?>")) return { type: "atomic", body: closed(parser, alternatives(parser, flags, depth)) };
  const options = scan.match(/\?([imx]*)(?:-([imx]*))?([:)])/y);
  if (options !== null) {
    const inner = withFlags(flags, options[1]!, options[2] ?? "");
    const body = alternatives(parser, inner, depth);
    // Without a colon they hold to the end of the group around, which takes its own ")".
    return options[3] === ":" ? closed(parser, body) : body;
  }
  const named = scan.match(/\?(?:<[\p{L}_][\p{L}\p{M}\p{N}_]*>|'[\p{L}_][\p{L}\p{M}\p{N}_]*')/uy) !== null;
  if (!named && (scan.peek() === "?" || scan.peek() === "*"))
    return refusePattern(
      scan.source,
      `has a group that starts with (${scan.source.slice(scan.at, scan.at + 3)}`,
    );
  return closed(parser, alternatives(parser, flags, depth));
};

interface Times {
  readonly min: number;
  readonly max: number;
  readonly kind: "" | "?" | "+";
}

const MAX_TIMES = 100_000;

/** The `*`, `+`, `?` or `{n,m}` that comes next; undefined where none does. */
const times = ({ scan }: Parser): Times | undefined => {
  const simple = scan.match(/([*+?])([?+]?)/y);
  if (simple !== null) {
    const [, sign, kind] = simple;
    const max = sign === "?" ? 1 : Number.POSITIVE_INFINITY;
    return { min: sign === "+" ? 1 : 0, max, kind: kind as Times["kind"] };
  }
  const braces = scan.match(/\{(?:(\d{1,6})(,(\d{1,6})?)?|,(\d{1,6}))\}(\??)/y);
  if (braces === null) return undefined;
  const [, least, comma, most, only, lazy] = braces;
  const min = Number(least ?? 0);
  const max = only ?? most ?? (comma === undefined ? least! : Number.POSITIVE_INFINITY);
  if (min > MAX_TIMES || (max !== Number.POSITIVE_INFINITY && Number(max) > MAX_TIMES) || min > Number(max))
    return refusePattern(scan.source, `repeats ${braces[0]}`);
  // Of a fixed number a "?" makes it optional.
  if (lazy === "?" && least !== undefined && comma === undefined) scan.at--;
  return { min, max: Number(max), kind: lazy === "?" && (only ?? comma) !== undefined ? "?" : "" };
};

/** Whether one repetition is as good as two: `(a*)+`. */
const simpler = (body: Node, { min, max, kind }: Times): Node | undefined => {
  if (body.type !== "repeat" || body.lazy || kind !== "" || max !== Number.POSITIVE_INFINITY)
    return undefined;
  const isStar = body.min <= 1 && (body.max === 1 || body.max === Number.POSITIVE_INFINITY);
  if (!isStar || min > 1) return undefined;
  return { type: "repeat", body: body.body, min: Math.min(body.min, min), max, lazy: false };
};

const repeated = ({ scan }: Parser, body: Node, asked: Times): Node => {
  if (body.type === "look" || body.type === "place")
    return refusePattern(scan.source, "repeats what has no width");
  const reduced = simpler(body, asked);
  if (reduced !== undefined) return reduced;
  if (asked.max === Number.POSITIVE_INFINITY && widthOf(body)[0] === 0)
    return refusePattern(scan.source, "repeats what can be empty without end");
  const { min, max, kind } = asked;
  const node: Node = { type: "repeat", body, min, max, lazy: kind === "?" };
  return kind === "+" ? { type: "atomic", body: node } : node;
};

const atom = (parser: Parser, flags: Flags, depth: number): Atom | undefined => {
  const { scan, folds } = parser;
  const char = scan.next();
  if (char === "(") {
    const node = group(parser, flags, depth + 1);
    return node && { node };
  }
  if (char === "[") {
    const parsed = parseClass(scan);
    return { node: flags.blind ? classNode(parsed, folds()) : classNode(parsed) };
  }
  if (char === "\\") return escaped(parser);
  if (char === ".") return { node: flags.dotAll ? anything : notNewline };
  if (char === "^" || char === "$")
    return { node: { type: "place", place: char === "^" ? "lineStart" : "lineEnd" } };
  if (/[*+?]/.test(char)) return refusePattern(scan.source, "repeats nothing");
  return { literal: char.codePointAt(0)! };
};

const sequence = (parser: Parser, flags: Flags, depth: number): Node => {
  const { scan, folds } = parser;
  const parts: Node[] = [];
  let literals: number[] = [];
  const refuse = (): never =>
    refusePattern(scan.source, "has too many ways to be read without regard to case");
  const literal = (codes: readonly number[]): Node =>
    flags.blind ? blindNode(codes, folds(), refuse) : literalNode(codes);
  const flush = (): void => {
    if (literals.length > 0) parts.push(literal(literals));
    literals = [];
  };
  while (scan.at < scan.source.length && !/[|)]/.test(scan.peek())) {
    if (flags.spaced && scan.match(/[ \t\n\r\f\v]+|#[^\n]*/y) !== null) continue;
    const found = atom(parser, flags, depth);
    if (found === undefined) continue;
    let asked = times(parser);
    if (asked === undefined && "literal" in found) {
      literals.push(found.literal);
      continue;
    }
    flush();
    let node = "literal" in found ? literal([found.literal]) : found.node;
    for (; asked !== undefined; asked = times(parser)) node = repeated(parser, node, asked);
    parts.push(node);
  }
  flush();
  return parts.length === 0 ? EMPTY : concat(parts);
};

const alternatives = (parser: Parser, flags: Flags, depth: number): Node => {
  const options = [sequence(parser, flags, depth)];
  while (parser.scan.take("|")) options.push(sequence(parser, flags, depth));
  return either(options);
};

/** Longest pattern that is read, characters. */
const MAX_SOURCE = 1 << 16;

/** The parts of a pattern. Throws FormatError where it is malformed, or has what is not known here. */
export const parse = (source: string): Node => {
  if (source.length > MAX_SOURCE) refusePattern(source, `has ${source.length} characters`);
  const scan = scanner(source);
  let folds: Folds | undefined;
  const parser: Parser = {
    scan,
    folds: () => {
      folds ??= caseFolds();
      return folds;
    },
  };
  const node = alternatives(parser, { blind: false, dotAll: false, spaced: false }, 0);
  if (scan.at < source.length) refusePattern(source, "has a ) too many");
  return node;
};
