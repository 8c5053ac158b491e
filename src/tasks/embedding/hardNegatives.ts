/**
 * Hard negatives that a model finds itself (Moreira et al. 2024, https://arxiv.org/abs/2407.15831): the texts
 * that it thinks nearest to an anchor and that are not its positives. Those nearer than a share of the
 * positive are left, since they are most likely right; as mine_hard_negatives of sentence-transformers.
 */
import { compile } from "../../engine/compile.ts";
import type { Engine } from "../../engine/engine.ts";
import { trace } from "../../ir/program.ts";
import { tensor } from "../../ir/tensor.ts";
import { matmul } from "../../ops/linalg.ts";

// Q anchors, N texts, C channels

/** Which of the nearest texts are taken. */
export interface HardNegativeOptions {
  /** Most for each anchor. */
  readonly count?: number;
  /** Nearest texts that are passed over. */
  readonly rangeMin?: number;
  /** Nearest texts that are looked at, those passed over among them. */
  readonly rangeMax?: number;
  /** By what share of the positive's cosine a negative's is smaller, at least. */
  readonly relativeMargin?: number;
  /** By how much it is smaller, at least. */
  readonly margin?: number;
}

/** Anchors and the texts that they are compared with: vectors of length 1 [C]. */
export interface Mined {
  readonly anchors: readonly Float32Array[];
  readonly texts: readonly Float32Array[];
  /** The texts that are right for each anchor, by index; the first is its own. */
  readonly positives: readonly (readonly number[])[];
}

/** Anchors that are compared at once. */
const BLOCK = 64;

const flat = (vectors: readonly Float32Array[], width: number, rows: number): Float32Array => {
  const all = new Float32Array(rows * width);
  for (const [i, vector] of vectors.entries()) all.set(vector, i * width);
  return all;
};

/** The nearest that count, nearest first; of equals the first. */
const chosen = (
  scores: Float32Array,
  positives: readonly number[],
  { count = 3, rangeMin = 0, rangeMax = 100, relativeMargin = 0.05, margin = 0 }: HardNegativeOptions,
): number[] => {
  const own = scores[positives[0]!]!;
  const most = Math.min(own - margin, own - relativeMargin * Math.abs(own));
  const right = new Set(positives);
  // A list of the nearest so far, kept in order: it is short, and most texts are further off.
  const nearest: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    if (nearest.length === rangeMax && scores[i]! <= scores[nearest.at(-1)!]!) continue;
    if (right.has(i)) continue;
    let at = nearest.length;
    while (at > 0 && scores[nearest[at - 1]!]! < scores[i]!) at--;
    nearest.splice(at, 0, i);
    if (nearest.length > rangeMax) nearest.pop();
  }
  return nearest
    .slice(rangeMin)
    .filter((i) => scores[i]! <= most)
    .slice(0, count);
};

/** The hard negatives of each anchor, by index, nearest first: a pure function of the vectors. */
export const hardNegatives = async (
  engine: Engine,
  { anchors, texts, positives }: Mined,
  options: HardNegativeOptions = {},
): Promise<readonly (readonly number[])[]> => {
  const width = texts[0]?.length ?? 1;
  const type = (rows: number) => ({ dtype: "float32", shape: [rows, width] }) as const;
  const program = trace({ anchors: type(BLOCK), texts: type(texts.length) }, (v) => ({
    cosines: matmul(v.anchors, v.texts, { transB: true }),
  }));
  const session = await compile(engine, program);
  const all = tensor("float32", [texts.length, width], flat(texts, width, texts.length));
  const found: (readonly number[])[] = [];
  try {
    for (let at = 0; at < anchors.length; at += BLOCK) {
      const some = flat(anchors.slice(at, at + BLOCK), width, BLOCK);
      const { cosines } = await session.run({ anchors: tensor("float32", [BLOCK, width], some), texts: all });
      const scores = cosines!.data as Float32Array;
      for (let k = 0; k < BLOCK && at + k < anchors.length; k++) {
        const own = scores.subarray(k * texts.length, (k + 1) * texts.length);
        found.push(chosen(own, positives[at + k]!, options));
      }
    }
  } finally {
    await session.dispose();
  }
  return found;
};
