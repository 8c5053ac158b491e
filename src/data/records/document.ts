/** Documents, and the record of what each stage of preparation let through. */

import type { Fields } from "./fields.ts";

/** One message of a conversation. */
export interface Turn {
  readonly role: string;
  readonly content: string;
}

/** One text on its way to training, with where it is from. */
export interface Document {
  /** "file" or "file:line". */
  readonly id: string;
  readonly text: string;
  /** Name of the source that it is of, where several are mixed. */
  readonly source?: string;
  /** Documents of one group stay on one side of a split. */
  readonly group?: string;
  /** The messages, or the prompt and its completion, that `text` was made of. */
  readonly turns?: readonly Turn[];
  /** The record itself, where records are read as they are. */
  readonly record?: Fields;
  /** What reading changed, such as "number converted to text"; the stage of repair counts these. */
  readonly notes?: readonly string[];
  /** Why a policy of a field drops the record; the stage of repair drops and counts it. Its text is empty. */
  readonly dropped?: string;
}

/** One victim of a stage, to show. */
export interface Example {
  readonly id: string;
  readonly excerpt: string;
  /** The document that it repeats. */
  readonly matched?: string;
  /** What a rule measured. */
  readonly value?: number;
}

/** Why documents were changed or dropped at a stage, how many, and some of them. */
export interface Reason {
  readonly reason: string;
  readonly count: number;
  readonly examples: readonly Example[];
}

/** What went into a stage and came out of it; bytes are those of UTF-8. */
export interface StageReport {
  readonly name: string;
  readonly docsIn: number;
  readonly docsOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly reasons: readonly Reason[];
}

/** The stages in the order that documents pass them. */
export interface DataReport {
  readonly stages: readonly StageReport[];
}

/** UTF-8 bytes of a text whose surrogates come in pairs; nothing is encoded for it. */
export const byteCount = (text: string): number => {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Each half of a pair counts 2 of the 4 bytes.
    if (unit >= 0x80) bytes += unit >= 0x800 && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return bytes;
};

interface Victim {
  readonly id: string;
  readonly text: string | (() => string);
}

const EXAMPLES = 5;
const EXCERPT = 160;

/** Counts what goes in and out of a stage, with the first few examples of each reason. */
export const stageRecorder = (name: string) => {
  const totals = { docsIn: 0, docsOut: 0, bytesIn: 0, bytesOut: 0 };
  const reasons = new Map<string, { count: number; examples: Example[] }>();
  // What goes out is mostly what has just come in.
  let last = { text: "", bytes: 0 };
  const bytesOf = (text: string): number => {
    if (text !== last.text) last = { text, bytes: byteCount(text) };
    return last.bytes;
  };
  return {
    in(doc: Document): void {
      totals.docsIn++;
      totals.bytesIn += bytesOf(doc.text);
    },
    out(doc: Document): void {
      totals.docsOut++;
      totals.bytesOut += bytesOf(doc.text);
    },
    /** `what` is a document, or a part of one, whose text may be made where it is shown. */
    drop(reason: string, what: Victim, matched?: string, value?: number): void {
      const entry = reasons.get(reason) ?? { count: 0, examples: [] };
      entry.count++;
      if (entry.examples.length < EXAMPLES) {
        const text = typeof what.text === "string" ? what.text : what.text();
        const excerpt = text.trim().slice(0, EXCERPT);
        const more = {
          ...(matched === undefined ? {} : { matched }),
          ...(value === undefined ? {} : { value }),
        };
        entry.examples.push({ id: what.id, excerpt, ...more });
      }
      reasons.set(reason, entry);
    },
    report: (): StageReport => ({
      name,
      ...totals,
      reasons: Array.from(reasons, ([reason, { count, examples }]) => ({ reason, count, examples })),
    }),
  };
};

/** Counts what one stage changes and drops. */
export type StageRecorder = ReturnType<typeof stageRecorder>;
