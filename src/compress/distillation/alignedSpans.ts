/** A text as two tokenizers have it, and the spans at whose ends tokens of both end. */
import type { Tokenizer } from "../../tokenizer/tokenizer.ts";

/** Of a tokenizer, what texts are compared by. */
export type Spelling = Pick<Tokenizer, "encode" | "bytesOf" | "eos">;

/** A span of a text: the tokens from `from` to before `to` of each, and its bytes. */
export interface Span {
  readonly student: readonly [from: number, to: number];
  readonly teacher: readonly [from: number, to: number];
  readonly bytes: number;
}

/** The teacher's tokens of a text, and the spans that both models say: what stands first is said by none. */
export interface Aligned {
  readonly ids: readonly number[];
  readonly spans: readonly Span[];
}

/** Where each token ends, in bytes. */
const endsOf = (ids: readonly number[], { bytesOf }: Spelling): number[] => {
  let at = 0;
  return ids.map((id) => {
    at += bytesOf(id).length;
    return at;
  });
};

const joined = (ids: readonly number[], { bytesOf }: Spelling): Uint8Array =>
  Uint8Array.from(ids.flatMap((id) => Array.from(bytesOf(id))));

/** The text of bytes; undefined where they are none. */
const textOf = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

/** Whether a byte goes on with a character. */
const goesOn = (byte: number | undefined): boolean => byte !== undefined && byte >> 6 === 2;

/** A piece without the tokens at its ends that are parts of characters which it has not whole. */
const whole = (piece: readonly number[], spelling: Spelling): { from: number; to: number; text?: string } => {
  let from = 0;
  while (from < piece.length && goesOn(spelling.bytesOf(piece[from]!)[0])) from++;
  // A character has four bytes at most, and tokens of parts have one at least.
  for (let to = piece.length; to > from && to > piece.length - 4; to--) {
    const text = textOf(joined(piece.slice(from, to), spelling));
    if (text !== undefined) return { from, to, text };
  }
  return { from, to: from };
};

/** The spans of a piece of text, by tokens counted from its beginning. */
const spansIn = (mine: readonly number[], theirs: readonly number[]): Span[] => {
  const spans: Span[] = [];
  let [a, b, from, start] = [0, 0, 0, [0, 0] as readonly [number, number]];
  while (a < mine.length && b < theirs.length) {
    const [x, y] = [mine[a]!, theirs[b]!];
    if (x <= y) a++;
    if (y <= x) b++;
    if (x !== y) continue;
    if (x > from) spans.push({ student: [start[0], a], teacher: [start[1], b], bytes: x - from });
    [from, start] = [x, [a, b]];
  }
  return spans;
};

const moved = ({ student: [a, b], teacher: [c, d], bytes }: Span, by: number, theirs: number): Span => ({
  student: [a + by, b + by],
  teacher: [c + theirs, d + theirs],
  bytes,
});

const same = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((v, i) => v === b[i]);

/** Adds a piece between two end tokens, which begins at token `at` of the row. */
const addPiece = (
  piece: readonly number[],
  at: number,
  made: { readonly ids: number[]; readonly spans: Span[] },
  { student, teacher }: { readonly student: Spelling; readonly teacher: Spelling },
): void => {
  const { from, to, text } = whole(piece, student);
  if (text === undefined) return;
  const own = piece.slice(from, to);
  const ids = Array.from(teacher.encode(text));
  // Where a tokenizer changes a text, the two do not read the same.
  const alike = same(joined(ids, teacher), joined(own, student));
  const found = alike ? spansIn(endsOf(own, student), endsOf(ids, teacher)) : [];
  const before = made.ids.length;
  made.spans.push(...found.map((span) => moved(span, at + from, before)));
  made.ids.push(...ids);
};

/**
 * The teacher's tokens of the text that a row of the student's is, and the spans of both. The tokens that end
 * texts stand for each other; a character that the row has in part is left out.
 */
export const alignedSpans = (
  row: readonly number[],
  both: { readonly student: Spelling; readonly teacher: Spelling },
): Aligned => {
  const { student, teacher } = both;
  const made = { ids: [] as number[], spans: [] as Span[] };
  let start = 0;
  for (let at = 0; at <= row.length; at++) {
    if (at < row.length && student.bytesOf(row[at]!).length > 0) continue;
    addPiece(row.slice(start, at), start, made, both);
    start = at + 1;
    if (at === row.length) continue;
    const place = made.ids.push(teacher.eos) - 1;
    if (row[at] !== student.eos) continue;
    made.spans.push({ student: [at, at + 1], teacher: [place, place + 1], bytes: 0 });
  }
  const spans = made.spans.filter(({ student: [a], teacher: [b] }) => a > 0 && b > 0);
  return { ids: made.ids, spans };
};
