/** Band keys and sketches of documents: of a text as a whole, of a conversation line by line. */

import type { PipelineSettings } from "../pipeline/stages.ts";
import { isConversation } from "../records/conversation.ts";
import { banding } from "./bands.ts";
import type { BandSigner } from "./documentKeys.ts";
import { textHasher } from "./hash.ts";
import { signer } from "./minhash.ts";
import { sketchOfBoth, sketchWords } from "./sketches.ts";

const mixed = (before: number, key: number): number => {
  const x = Math.imul(Math.imul(before ^ key, 0xcc9e2d51) ^ ((before << 13) | (before >>> 19)), 0x1b873593);
  return x ^ (x >>> 15);
};

/**
 * What near-duplicates are found by; undefined where they are not looked for. Conversations share a band
 * where each line of the one does with its line of the other (short lines: where they are the same), so that
 * a long instruction in common outweighs no short question or answer.
 */
export const bandSigner = ({ near, banding: own = {}, seed }: PipelineSettings): BandSigner | undefined => {
  if (near === "off") return undefined;
  const layout = banding({ preset: near, ...own });
  const keyWords = 2 * layout.bands;
  const words = keyWords + sketchWords(layout);
  const { keysAndSketch } = signer({ preset: near, ...own, seed });
  const hash = textHasher();
  const [room, short] = [new Uint32Array(words), new Uint32Array(4)];
  const addLine = (line: string, into: Uint32Array): void => {
    keysAndSketch(line, room);
    const isShort = room.every((key) => key === 0);
    if (isShort) hash(line, short);
    for (let i = 0; i < words; i++) {
      const key = isShort ? short[i & 1]! : room[i]!;
      into[i] = i < keyWords ? mixed(into[i]!, key) : sketchOfBoth(into[i]!, key);
    }
  };
  const sign: BandSigner["sign"] = (doc, out, at) => {
    const into = out.subarray(at, at + words);
    keysAndSketch(doc.text, into);
    if (into.every((key) => key === 0) || !isConversation(doc)) return;
    into.fill(0);
    for (const line of doc.text.split("\n")) if (line.trim() !== "") addLine(line, into);
  };
  return { words, sign };
};
