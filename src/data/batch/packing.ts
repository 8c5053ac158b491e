/**
 * Best-fit packing (Ding et al. 2024, https://arxiv.org/abs/2404.10830): documents, cut only where they are
 * longer than a window, are laid into windows so that few tokens of room are left; a document's start is then
 * never in the middle of what a window cannot see. Best-fit decreasing over one block of documents at a time,
 * so that memory is bounded and the result a function of the order alone.
 */
import { ConfigError } from "../../util/errors.ts";

/** Where one piece of a document lies in a window. */
export interface Laid {
  /** Window of the block. */
  readonly window: number;
  /** Place in the window, tokens. */
  readonly at: number;
  readonly piece: number;
}

/**
 * Lays pieces of `sizes` tokens (1 to `window`) into windows, largest first, each where it leaves the least
 * room; of equal windows the latest.
 */
export const bestFit = (sizes: Uint32Array, window: number): Laid[] => {
  const order = Array.from(sizes.keys()).sort((a, b) => sizes[b]! - sizes[a]! || a - b);
  // Windows by the room that is left in them.
  const byRoom: number[][] = Array.from({ length: window + 1 }, () => []);
  const laid: Laid[] = [];
  let windows = 0;
  for (const piece of order) {
    const size = sizes[piece]!;
    if (size < 1 || size > window)
      throw new ConfigError(`a piece of ${size} tokens in a window of ${window}`);
    let room = size;
    while (room < window && byRoom[room]!.length === 0) room++;
    const open = room < window || byRoom[window]!.length > 0 ? byRoom[room]!.pop() : undefined;
    const into = open ?? windows++;
    const left = open === undefined ? window : room;
    laid.push({ window: into, at: window - left, piece });
    byRoom[left - size]!.push(into);
  }
  return laid;
};

/** Tokens that are packed at a time. */
export const BLOCK_TOKENS = 2 ** 20;

/** Windows that are laid out, and the places of the pieces in them. */
export interface PackedBlock {
  /** [windows * window]; what is left of a window is padding. */
  readonly tokens: Uint32Array;
  /** Where each piece begins, ascending; PADDING is added where padding does. */
  readonly starts: Uint32Array;
}

/** Added to the start of what is no document. */
export const PADDING = 2 ** 31;

const blockOf = (ids: Uint32Array, sizes: Uint32Array, window: number, pad: number): PackedBlock => {
  const offsets = new Uint32Array(sizes.length);
  for (let i = 1; i < sizes.length; i++) offsets[i] = offsets[i - 1]! + sizes[i - 1]!;
  const laid = bestFit(sizes, window).sort((a, b) => a.window - b.window || a.at - b.at);
  const windows = laid.at(-1)!.window + 1;
  const tokens = new Uint32Array(windows * window).fill(pad);
  const starts: number[] = [];
  laid.forEach(({ window: w, at, piece }, i) => {
    const [from, size] = [offsets[piece]!, sizes[piece]!];
    tokens.set(ids.subarray(from, from + size), w * window + at);
    starts.push(w * window + at);
    const last = laid[i + 1]?.window !== w;
    if (last && at + size < window) starts.push(w * window + at + size + PADDING);
  });
  return { tokens, starts: Uint32Array.from(starts) };
};

/** Takes documents in order and gives blocks of packed windows. */
export const bestFitPacker = (window: number, pad: number, blockTokens = BLOCK_TOKENS) => {
  const ids = new Uint32Array(blockTokens + window);
  let sizes: number[] = [];
  let held = 0;
  const flush = (): PackedBlock | undefined => {
    if (held === 0) return undefined;
    const block = blockOf(ids.subarray(0, held), Uint32Array.from(sizes), window, pad);
    sizes = [];
    held = 0;
    return block;
  };
  return {
    /** Adds one document with its end-of-text token. */
    *add(doc: Uint32Array): Generator<PackedBlock> {
      for (let at = 0; at < doc.length; at += window) {
        const piece = doc.subarray(at, at + window);
        ids.set(piece, held);
        held += piece.length;
        sizes.push(piece.length);
        if (held < blockTokens) continue;
        const block = flush();
        if (block !== undefined) yield block;
      }
    },
    flush,
  };
};
