/**
 * Repair of single documents and of their missing values, as a table of steps. What each step changed is
 * counted with examples, as is what reading changed.
 */

import { maskPersonal, type PersonalOptions } from "../filter/personal.ts";
import type { Document, StageRecorder } from "../records/document.ts";
import { isMissing, NULL_LIKE } from "../records/fields.ts";
import { decodeEntities, isHtml } from "../records/html.ts";
import { textOfTurns } from "../records/rows.ts";
import { tidyLines } from "./clean.ts";
import { CONTROL, removeEscapes, removeHalves, separatorsToSpace } from "./controls.ts";
import { repairMojibake, windowsControls } from "./mojibake.ts";

/** Which repairs are made. */
export interface RepairOptions {
  /** "NFC" unless told; "NFKC" also takes ligatures and full-width forms apart. */
  readonly form?: "NFC" | "NFKC";
  /** Whether UTF-8 read as Windows-1252 is put right; true unless told. */
  readonly mojibake?: boolean;
  /** Whether character references are decoded in texts without tags; true unless told. */
  readonly entities?: boolean;
  /** Turns texts that look like HTML into plain ones; they stay unless told. */
  readonly fromHtml?: (html: string) => string;
  /** Values taken as missing, in lower case. */
  readonly nullLike?: readonly string[];
  /** A text that takes the place of a missing one; such documents are dropped unless told. */
  readonly missing?: string;
  /** Personal data that no example may show; nothing is masked in the documents themselves. */
  readonly personal?: PersonalOptions;
}

interface Step {
  /** What is counted. */
  readonly reason: string;
  readonly run: (text: string) => string;
  /** That it leaves printable ASCII as it is. */
  readonly wide?: boolean;
}

const PLAIN = /^[\t\n\r\x20-\x7e]*$/;

/**
 * Characters without width or with an effect on direction alone. The joiners U+200C and U+200D stay: Persian,
 * the scripts of India and emoji are spelled with them.
 */
const INVISIBLE =
  /[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]/g;

const HAS_ENTITY = /&(?:#|[a-zA-Z])/;

const steps = (options: RepairOptions): readonly Step[] => {
  const { form = "NFC", mojibake = true, entities = true, fromHtml } = options;
  const html: Step = {
    reason: "HTML turned to text",
    run: (text) => (fromHtml !== undefined && isHtml(text) ? fromHtml(text) : text),
  };
  const decode: Step = {
    reason: "character references decoded",
    run: (text) => (HAS_ENTITY.test(text) && !text.includes("<") ? decodeEntities(text) : text),
  };
  return [
    ...(mojibake ? [{ reason: "mojibake repaired", run: repairMojibake, wide: true }] : []),
    ...(fromHtml === undefined ? [] : [html]),
    ...(entities ? [decode] : []),
    { reason: "terminal escapes removed", run: removeEscapes, wide: true },
    { reason: "controls read as Windows-1252", run: windowsControls, wide: true },
    { reason: `normalized to ${form}`, run: (text) => text.normalize(form), wide: true },
    { reason: "invisible characters removed", run: (text) => text.replace(INVISIBLE, ""), wide: true },
    { reason: "separators made white space", run: separatorsToSpace, wide: true },
    { reason: "control characters removed", run: (text) => text.replace(CONTROL, ""), wide: true },
    { reason: "halves of characters removed", run: removeHalves, wide: true },
    // White space at the ends is on every text of a file: it is removed, and not worth a count.
    { reason: "white space and line ends", run: (text) => tidyLines(text.trim()) },
  ];
};

/** What a change made of which place, on one line. */
const difference = (before: string, after: string): string => {
  let at = 0;
  while (at < before.length && before[at] === after[at]) at++;
  const from = Math.max(0, at - 20);
  const show = (text: string): string => JSON.stringify(text.slice(from, at + 40));
  return `${show(before)} -> ${show(after)}`;
};

/** What one step of repair changed. */
export interface Change {
  readonly reason: string;
  /** Before and after, around the first difference. */
  readonly excerpt: string;
}

/** A function that repairs a text and lists what it changed. */
export const textRepairer = (options: RepairOptions = {}) => {
  const table = steps(options);
  return (text: string): { readonly text: string; readonly changes: readonly Change[] } => {
    const changes: Change[] = [];
    let now = text;
    let plain = PLAIN.test(text);
    for (const { reason, run, wide = false } of table) {
      if (wide && plain) continue;
      const next = run(now);
      if (next === now) continue;
      if (next !== now.trim()) changes.push({ reason, excerpt: difference(now.trim(), next) });
      now = next;
      plain &&= PLAIN.test(next);
    }
    return { text: now, changes };
  };
};

type Repairer = ReturnType<typeof textRepairer>;

/** The document repaired, and each kind of change that was made to it once. */
const repaired = ({ notes, ...doc }: Document, run: Repairer): [Document, readonly Change[]] => {
  const told = (notes ?? []).map((reason): Change => ({ reason, excerpt: doc.text }));
  if (doc.turns === undefined) {
    const { text, changes } = run(doc.text);
    return [{ ...doc, text }, [...told, ...changes]];
  }
  const made = doc.turns.map(({ role, content }) => ({ role, ...run(content) }));
  const turns = made.map(({ role, text }) => ({ role, content: text }));
  const all = [...told, ...made.flatMap(({ changes }) => changes)];
  const first = all.filter(({ reason }, i) => all.findIndex((other) => other.reason === reason) === i);
  return [{ ...doc, turns, text: turns.some((t) => t.content !== "") ? textOfTurns(turns) : "" }, first];
};

/** Why a document has nothing to learn from: what a policy said, "empty" or "missing value". */
const lack = (doc: Document, nullLike: readonly string[]): string | undefined => {
  if (doc.dropped !== undefined) return doc.dropped;
  if (doc.text === "") return "empty";
  return isMissing(doc.text, nullLike) ? "missing value" : undefined;
};

/** What may be shown of a change: of a text with personal data, which may be broken in it, the result. */
const shownChange = (excerpt: string, text: string, personal: PersonalOptions | undefined) => {
  if (personal === undefined) return excerpt;
  return (): string => {
    const { text: masked, found } = maskPersonal(text, personal);
    return found.length === 0 ? excerpt : masked;
  };
};

/**
 * Repairs each document; what is missing or empty is dropped, or takes the text of `options.missing`. Each
 * change is told to `record` once a document, with what it made of which place.
 */
export async function* repair(
  documents: AsyncIterable<Document> | Iterable<Document>,
  record: StageRecorder,
  options: RepairOptions = {},
): AsyncGenerator<Document> {
  const run = textRepairer(options);
  const { nullLike = NULL_LIKE, missing, personal } = options;
  for await (const doc of documents) {
    record.in(doc);
    const [made, changes] = repaired(doc, run);
    for (const { reason, excerpt } of changes)
      record.drop(reason, { id: doc.id, text: shownChange(excerpt, made.text, personal) });
    const reason = lack(made, nullLike);
    const filled = reason !== undefined && missing !== undefined && doc.dropped === undefined;
    if (reason !== undefined) record.drop(filled ? "missing text took its default" : reason, doc);
    if (reason !== undefined && !filled) continue;
    const { turns, ...rest } = made;
    const kept = filled ? { ...rest, text: missing } : made;
    record.out(kept);
    yield kept;
  }
}
