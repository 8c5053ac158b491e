/**
 * Lines or paragraphs that many documents share (licences, menus, notices), found in two passes over the
 * stream by 64-bit hashes: a line that comes once costs a few bits, one that comes again about 30 bytes.
 */
import { ConfigError } from "../../util/errors.ts";
import { isConversation } from "../records/conversation.ts";
import type { Document, StageRecorder } from "../records/document.ts";
import { withText } from "../text/cuts.ts";
import { hash64, nameList, type RepeatedKeys, repeatedKeys } from "./repeats.ts";

/** What two paragraphs must have in common to count as the same: case and white space do not matter. */
export const normalized = (text: string): string => text.toLowerCase().replace(/\s+/g, " ").trim();

/** What counts as a shared line, and how many documents may keep it. */
export interface RepeatedLineOptions {
  /** What is compared: single lines, or blocks between blank lines (the default). */
  readonly scope?: "line" | "paragraph";
  /** One stays in the first of this many documents that have it, and goes from all others: 1, lines 5. */
  readonly keep?: number;
  /** Shorter ones (headings, rules) are left alone: 80 characters, for lines 40. */
  readonly minChars?: number;
  /** Most memory of the counts, in bytes. */
  readonly maxBytes?: number;
}

type Documents = AsyncIterable<Document> | Iterable<Document>;

const DEFAULTS = {
  paragraph: { cut: /\n{2,}/, glue: "\n\n", keep: 1, minChars: 80 },
  line: { cut: /\n/, glue: "\n", keep: 5, minChars: 40 },
} as const;

const rulesOf = (options: RepeatedLineOptions) => {
  const scope = options.scope ?? "paragraph";
  const { keep = DEFAULTS[scope].keep, minChars = DEFAULTS[scope].minChars } = options;
  if (!(Number.isInteger(keep) && keep >= 1)) {
    throw new ConfigError(`must be a whole number from 1, not ${keep}`, { field: "keep" });
  }
  return { ...DEFAULTS[scope], scope, keep, minChars };
};

type Rules = ReturnType<typeof rulesOf>;

/** What the first pass has found. */
export interface RepeatedLines {
  readonly rules: Rules;
  readonly keys: RepeatedKeys;
  /** Documents of the first pass. */
  readonly documents: number;
}

/**
 * First pass: which lines or paragraphs come more than once, conversations apart. What does not fit into
 * `maxBytes` stays in the text, and is counted in `keys.untracked`.
 */
export const countLines = async (
  documents: Documents,
  options: RepeatedLineOptions = {},
): Promise<RepeatedLines> => {
  const rules = rulesOf(options);
  const keys = repeatedKeys(options.maxBytes ?? 192 * 2 ** 20);
  const hash = new Uint32Array(2);
  let count = 0;
  for await (const doc of documents) {
    const { text } = doc;
    count++;
    if (isConversation(doc)) continue;
    for (const part of text.split(rules.cut)) {
      const plain = part.length < rules.minChars ? "" : normalized(part);
      if (plain.length < rules.minChars) continue;
      hash64(plain, hash);
      keys.see(hash[0]!, hash[1]!);
    }
  }
  return { rules, keys, documents: count };
};

/** Per slot of a repeated line: how many documents had it so far, the first and the last of them. */
const places = ({ rules, keys }: RepeatedLines) => {
  const counts = new Uint32Array(keys.capacity);
  const firsts = new Uint32Array(keys.capacity);
  const lasts = new Uint32Array(keys.capacity);
  const names = nameList();
  const hash = new Uint32Array(2);
  let index = 0;
  let name = -1;
  return {
    next(): void {
      index++;
      name = -1;
    },
    /** The document that had `part` first, where it has stood in `keep` others. */
    firstOf(part: string, id: string): string | undefined {
      const plain = part.length < rules.minChars ? "" : normalized(part);
      if (plain.length < rules.minChars) return undefined;
      hash64(plain, hash);
      const slot = keys.slot(hash[0]!, hash[1]!);
      if (slot < 0) return undefined;
      if (counts[slot] === 0) {
        if (name < 0) name = names.add(id);
        firsts[slot] = name;
      }
      // A refrain within one document is that document's own.
      if (lasts[slot] !== index) counts[slot]!++;
      lasts[slot] = index;
      return counts[slot]! > rules.keep ? names.at(firsts[slot]!) : undefined;
    },
  };
};

/** What is left of a document's parts, with one blank line where two would meet around what went. */
const joined = (parts: readonly string[], gone: readonly boolean[], glue: string): string => {
  const kept: string[] = [];
  let cut = false;
  for (const [i, part] of parts.entries()) {
    if (gone[i]) {
      cut = true;
      continue;
    }
    const blank = part.trim() === "";
    if (cut && blank && (kept.length === 0 || kept.at(-1)!.trim() === "")) continue;
    cut = blank && cut;
    kept.push(part);
  }
  return kept.join(glue).trim();
};

/**
 * Second pass, over the same documents in the same order: drops each repeated line or paragraph beyond the
 * first `keep` documents. A document goes when it is left empty; conversations stay whole.
 */
export async function* dropRepeatedLines(
  documents: Documents,
  record: StageRecorder,
  lines: RepeatedLines,
): AsyncGenerator<Document> {
  const { scope, cut, glue } = lines.rules;
  const seen = places(lines);
  for await (const doc of documents) {
    record.in(doc);
    seen.next();
    if (isConversation(doc)) {
      record.out(doc);
      yield doc;
      continue;
    }
    const parts = doc.text.split(cut);
    let changed = false;
    const gone = parts.map((text) => {
      const first = seen.firstOf(text, doc.id);
      if (first === undefined) return false;
      changed = true;
      record.drop(`repeated ${scope}`, { id: doc.id, text }, first);
      return true;
    });
    const text = changed ? joined(parts, gone, glue) : doc.text;
    if (changed && text === "") {
      record.drop(`only repeated ${scope}s`, doc);
      continue;
    }
    const rest = changed ? withText(doc, text) : doc;
    record.out(rest);
    yield rest;
  }
}
