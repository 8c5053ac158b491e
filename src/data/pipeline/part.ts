/** What the pipeline's phases hand to each other: parts, spools, and what the merge tells. */

import type { DocumentKeys } from "../dedup/documentKeys.ts";
import type { Document, StageReport } from "../records/document.ts";
import type { Wrap } from "./stages.ts";

/** A document with its place among all of all parts. */
export interface Placed extends Document {
  readonly index: number;
}

/** One input after the first phase. */
export interface Part {
  readonly stages: readonly StageReport[];
  keys(): Promise<DocumentKeys> | DocumentKeys;
  documents(): AsyncIterable<Document> | Iterable<Document>;
}

/** Where documents wait between two passes, in lanes that keep their order. */
export interface Spool {
  add(doc: Placed, lane: number): void | Promise<void>;
  /** Ends writing. */
  end(): void | Promise<void>;
  documents(lane: number): AsyncIterable<Placed> | Iterable<Placed>;
}

/** A document that was dropped as a repetition, and what of. */
export interface Dropped {
  readonly id: string;
  readonly reason: string;
  readonly matched: string;
  /** Of a near-duplicate: its similarity as the bands that agree tell it, 0 where it is through others. */
  readonly similarity?: number;
}

/** Makes a spool of so many lanes. */
export type MakeSpool = (lanes: number) => Spool;

/** What the merge of parts is given and tells. */
export interface MergeHooks {
  /** The fields that were to name each record's source and group. */
  readonly labels?: { readonly source?: string; readonly group?: string };
  readonly spool: MakeSpool;
  /** Texts that the selection is to be like. */
  readonly target?: readonly string[];
  readonly onDropped?: (dropped: Dropped, text: string) => void | Promise<void>;
  readonly onProgress?: (documents: number, bytes: number) => void;
  readonly wrap?: Wrap;
  readonly signal?: AbortSignal;
}
