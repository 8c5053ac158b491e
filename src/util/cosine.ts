/** Cosine similarity of vectors that come piece by piece. */

/** Adds up what a cosine is made of. */
export interface CosineSum {
  /** Adds pieces of equal length. */
  add(a: ArrayLike<number>, b: ArrayLike<number>): void;
  /** a . b / (|a| |b|): 1 where both are zeros, 0 where one is, NaN where a number is. */
  cosine(): number;
}

/** A sum of nothing yet. */
export const cosineSum = (): CosineSum => {
  let [dot, aa, bb] = [0, 0, 0];
  return {
    add(a, b) {
      for (let i = 0; i < a.length; i++) {
        dot += a[i]! * b[i]!;
        aa += a[i]! ** 2;
        bb += b[i]! ** 2;
      }
    },
    cosine: () => (aa === 0 && bb === 0 ? 1 : aa === 0 || bb === 0 ? 0 : dot / Math.sqrt(aa * bb)),
  };
};
