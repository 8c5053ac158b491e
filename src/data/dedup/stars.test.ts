import { describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { prepare } from "../pipeline/prepare.ts";
import { banding } from "./bands.ts";
import { signer } from "./minhash.ts";
import { jaccard, shingleSets } from "./shingles.ts";
import { sketchOfBoth, sketchSimilarity, sketchWords } from "./sketches.ts";
import { stars } from "./stars.ts";

const random = rng(3, "stars");
const vocabulary = Array.from({ length: 500 }, () => `w${random.word().toString(36)}`);
const draw = (count: number): string =>
  Array.from({ length: count }, () => vocabulary[random.int(vocabulary.length)]!).join(" ");

test("a sketch's estimate is the Jaccard similarity, but for the noise of its hashes", () => {
  const layout = banding();
  const hashes = layout.bands * layout.rows;
  const words = 2 * layout.bands + sketchWords(layout);
  const { keysAndSketch } = signer();
  const sets = shingleSets(layout.ngram);
  for (const common of [20, 60, 120, 400]) {
    let error = 0;
    for (let i = 0; i < 40; i++) {
      const head = draw(common);
      const texts = [`${head} ${draw(40)}`, `${head} ${draw(40)}`];
      const rows = new Uint32Array(2 * words);
      texts.forEach((text, at) => {
        keysAndSketch(text, rows.subarray(at * words, (at + 1) * words));
      });
      const estimate = sketchSimilarity(rows, 2 * layout.bands, words + 2 * layout.bands, { hashes });
      error += (estimate - jaccard(sets(texts[0]!), sets(texts[1]!))) / 40;
    }
    expect(Math.abs(error), `${common}`).toBeLessThan(0.025);
  }
});

test("of a sequence, a hash agrees where those of all its texts do", () => {
  const pairs = Array.from({ length: 200 }, () => [random.word(), random.word()] as const);
  for (const [before, next] of pairs) {
    const both = sketchOfBoth(before, next);
    expect(sketchOfBoth(before, next)).toBe(both);
    for (let i = 0; i < 8; i++) {
      const changed = (sketchOfBoth(before, next ^ (1 << (4 * i))) ^ both) >>> 0;
      // The one hash that differs, and no other.
      expect((changed >>> (4 * i)) & 15).not.toBe(0);
      expect((changed & ~(15 << (4 * i))) >>> 0).toBe(0);
    }
  }
});

describe("stars", () => {
  /** Documents on a line: alike where their places differ by 1 at most; all linked through bands of two. */
  const line = (places: readonly number[]) => {
    const bands = 2;
    const rows = new Uint32Array(places.length * 4);
    places.forEach((place, i) => {
      rows.set([1 + (place >> 1), 1, 1 + ((place + 1) >> 1), 2], 4 * i);
    });
    const similarity = (a: number, b: number): number => 1 - Math.abs(places[a]! - places[b]!) / 10;
    const members = Uint32Array.from(places.keys());
    return Array.from(stars(members, { rows, words: 4, bands }, { similarity, least: 0.9 }));
  };

  test("a chain leaves each document that is like none that stays", () => {
    expect(line([0, 1, 2, 3, 4, 5])).toEqual([0, 0, 2, 2, 4, 4]);
    expect(line([1, 0, 2, 3])).toEqual([0, 0, 0, 3]);
  });

  test("the most similar is named, of equals the first", () => {
    expect(line([0, 2, 1])).toEqual([0, 1, 0]);
    expect(line([4, 4, 4])).toEqual([0, 0, 0]);
  });
});

/** Records of one form: three sentences in common, `own` words of its own behind each. */
const records = (count: number, own: number): string[] => {
  const form = [
    "the customer has ordered from our house the following goods to be sent without delay",
    "we confirm that the parcel leaves the store in the morning of the next working day",
    "please keep this letter as it is the proof of what was ordered and paid for",
  ];
  return Array.from({ length: count }, () => form.map((text) => `${text} ${draw(own)}.`).join(" "));
};

test("records of one form, whose similarity is below the threshold, are not taken for one another", async () => {
  const docs = records(300, 2).map((text, i) => ({ id: `${i}`, text }));
  const { train, validation } = await prepare(docs, { near: "fineweb", validationShare: 0.1 });
  // Their similarity is 0.56; bands alone chain all of them to one.
  expect(train.length + validation.length).toBeGreaterThan(270);
});

test("what goes is like what it went for, and every copy of a text goes", async () => {
  const texts = Array.from({ length: 60 }, () => draw(120));
  const copies = texts.flatMap((text) => [text, `${text} indeed`, `so ${text}`]);
  const docs = copies.map((text, i) => ({ id: `${i}`, text }));
  const { train, validation } = await prepare(docs, { near: "fineweb", validationShare: 0.1 });
  expect([...train, ...validation].map(({ text }) => text).sort()).toEqual(texts.sort());
});
