/** How well vectors do on held-out records: by what these say of their texts. */
import type { Feeds } from "../../engine/engine.ts";
import type { Tensor } from "../../ir/tensor.ts";
import { rankCorrelation } from "../../metrics/numbers/rankCorrelation.ts";
import { sentenceEmbedding } from "../../models/pooling.ts";
import type { Example } from "../records.ts";
import type { HeldOut, Judge, LessonOptions } from "../task.ts";
import { type GroupKind, keysOf } from "./groupRecords.ts";
import { poolingOf } from "./neighbours.ts";

// B examples, G texts of an example, C channels

/** An example and the vectors of its texts, of length 1. */
export interface Embedded {
  readonly example: Example;
  readonly vectors: readonly Float32Array[];
}

/** a . b */
export const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += a[c]! * b[c]!;
  return sum;
};

/** Most anchors that are measured while training. */
const ANCHORS = 1000;

/** The mean of 1 over the place at which each anchor has its positive among all texts; of equals the last. */
const reciprocalRanks = (all: readonly Embedded[]): number => {
  const candidates = new Map<number, Float32Array>();
  const right = new Map<number, Set<number>>();
  for (const { example, vectors } of all) {
    const [anchor, ...others] = keysOf(example);
    for (const [g, key] of others.entries()) candidates.set(key, vectors[g + 1]!);
    right.set(anchor!, (right.get(anchor!) ?? new Set()).add(others[0]!));
  }
  const asked = all.slice(0, ANCHORS);
  const ranks = asked.map(({ example, vectors: [anchor] }) => {
    const own = right.get(keysOf(example)[0]!)!;
    const best = [...own].reduce((most, key) => Math.max(most, dot(anchor!, candidates.get(key)!)), -2);
    let rank = 1;
    for (const [key, vector] of candidates) rank += Number(!own.has(key) && dot(anchor!, vector) >= best);
    return 1 / rank;
  });
  return ranks.reduce((a, b) => a + b, 0) / ranks.length;
};

/** The share of texts whose nearest other is of their class. */
const nearestOfClass = (all: readonly Embedded[]): number => {
  const asked = all.slice(0, ANCHORS);
  const right = asked.filter(({ example, vectors: [own] }) => {
    let [best, most] = [-1, Number.NEGATIVE_INFINITY];
    for (const [i, { vectors }] of all.entries()) {
      const near = all[i]!.example === example ? Number.NEGATIVE_INFINITY : dot(own!, vectors[0]!);
      if (near > most) [best, most] = [i, near];
    }
    return best >= 0 && all[best]!.example.parts.class![0] === example.parts.class![0];
  });
  return right.length / asked.length;
};

const correlationOf = (all: readonly Embedded[]): number =>
  rankCorrelation(
    all.map(({ vectors: [one, other] }) => dot(one!, other!)),
    all.map(({ example }) => example.parts.score![0]!),
  );

/** The mean cosine with the vectors that are given. */
const cosineToGiven = (all: readonly Embedded[]): number => {
  const cosines = all.map(({ example, vectors: [own] }) => {
    const given = Float32Array.from(Array.from(example.parts.given!));
    return dot(own!, given) / Math.sqrt(dot(given, given) || 1);
  });
  return cosines.reduce((a, b) => a + b, 0) / cosines.length;
};

interface GroupFigure {
  readonly name: string;
  of(all: readonly Embedded[]): number;
}

/** The first figure of each kind of records: what the best weights are told by. */
export const groupFigures: Readonly<Record<GroupKind, GroupFigure>> = {
  pairs: { name: "MRR", of: reciprocalRanks },
  triplets: { name: "MRR", of: reciprocalRanks },
  scored: { name: "Spearman", of: correlationOf },
  classes: { name: "nearest of the class", of: nearestOfClass },
  vectors: { name: "cosine", of: cosineToGiven },
};

/** Which rows of a batch stand for a text: [B, G]. */
const presentIn = ({ present }: Feeds): Tensor => present!;

/** The vectors that were said of held-out batches, by example. */
const embeddedIn = (
  said: readonly Readonly<Record<string, Tensor>>[],
  { windows, examples = [] }: HeldOut,
): readonly Embedded[] => {
  const all: Embedded[] = [];
  for (const [w, { vectors }] of said.entries()) {
    const { shape, data } = presentIn(windows[w]!);
    const [batch, texts] = shape as readonly [number, number];
    const width = vectors!.data.length / (batch * texts);
    for (let b = 0; b < batch && Number(data[b * texts]) === 1; b++) {
      const own = Array.from({ length: texts }, (_, g) => {
        const at = (b * texts + g) * width;
        return vectors!.data.slice(at, at + width) as Float32Array;
      });
      all.push({ example: examples[all.length]!, vectors: own });
    }
  }
  return all;
};

/** Judges held-out batches by the first figure of their kind. */
export const judgeGroups = (kind: GroupKind, heldOut: HeldOut, model: LessonOptions["model"]): Judge => ({
  name: groupFigures[kind].name,
  better: "more",
  says: ({ hidden }, { attentionMask }) => ({
    vectors: sentenceEmbedding(hidden, attentionMask!, { ...poolingOf(model), normalize: true }),
  }),
  figure: (said) => groupFigures[kind].of(embeddedIn(said, heldOut)),
});
