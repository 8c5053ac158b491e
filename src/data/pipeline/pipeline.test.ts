/** The pipeline in memory: packing, splits, shards of tokens, and that parts do not change the result. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rng } from "../../util/rng.ts";
import { bestFit, bestFitPacker, PADDING } from "../batch/packing.ts";
import { parseIndex } from "../batch/tokenIndex.ts";
import { dtypeFor, tokenWriter } from "../batch/tokenShards.ts";
import type { Document } from "../records/document.ts";
import { NOWHERE, splitOf, TEST, TRAIN, VALIDATION } from "../records/splits.ts";
import { memorySpool, mergeParts, partOf } from "./pipeline.ts";
import { pipelineDefaults } from "./stages.ts";

describe("best-fit packing", () => {
  test("lays every piece once, none over another, and wastes little", () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 32 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(sizes, (list) => {
        const laid = bestFit(Uint32Array.from(list), 32);
        expect(laid.map(({ piece }) => piece).sort((a, b) => a - b)).toEqual(list.map((_, i) => i));
        const windows = 1 + Math.max(...laid.map(({ window }) => window));
        const taken = new Uint8Array(windows * 32);
        for (const { window, at, piece } of laid) {
          expect(at + list[piece]!).toBeLessThanOrEqual(32);
          for (let i = 0; i < list[piece]!; i++) taken[window * 32 + at + i]!++;
        }
        expect(Math.max(...taken)).toBe(1);
        const total = list.reduce((a, b) => a + b, 0);
        // Best-fit decreasing takes at most 11/9 of the best, and 4 more (Johnson 1973).
        expect(windows).toBeLessThanOrEqual((11 / 9) * Math.ceil(total / 16) + 4);
      }),
    );
  });

  test("keeps documents whole but for those longer than a window", () => {
    const packer = bestFitPacker(8, 0);
    const documents = [3, 20, 8, 5, 1].map((n, d) =>
      Uint32Array.from({ length: n }, (_, i) => 100 * (d + 1) + i),
    );
    const blocks = documents.flatMap((doc) => [...packer.add(doc)]);
    const last = packer.flush();
    expect(blocks).toEqual([]);
    const { tokens, starts } = last!;
    const begins = Array.from(starts, (start) => (start < PADDING ? tokens[start]! : 0)).filter(
      (id) => id > 0,
    );
    expect(begins.sort((a, b) => a - b)).toEqual([100, 200, 208, 216, 300, 400, 500]);
    expect(Array.from(tokens).filter((id) => id > 0)).toHaveLength(37);
    expect(packer.flush()).toBeUndefined();
  });
});

describe("shards of tokens", () => {
  const write = (packing: "concat" | "bestFit", shardTokens: number) => {
    const files = new Map<string, number[]>();
    const append = (file: string, bytes: Uint8Array): void => {
      files.set(file, [...(files.get(file) ?? []), ...bytes]);
    };
    const options = { split: "train", dtype: "uint16", eos: 0, packing, context: 7, shardTokens } as const;
    const writer = tokenWriter(options, append);
    const documents = [5, 17, 2, 9].map((n, d) =>
      Uint32Array.from({ length: n }, (_, i) => (i === n - 1 ? 0 : 10 * d + i + 1)),
    );
    for (const doc of documents) writer.add(doc, doc.length);
    const index = writer.end();
    const ids = (file: string): number[] =>
      Array.from(new Uint16Array(Uint8Array.from(files.get(file) ?? []).buffer));
    const starts = (file: string): number[] =>
      Array.from(new Uint32Array(Uint8Array.from(files.get(file) ?? []).buffer));
    return { index, documents, ids, starts };
  };

  test("are the documents one after another, cut where a file is full", () => {
    const { index, documents, ids, starts } = write("concat", 10);
    expect(index.shards.map(({ tokens }) => tokens)).toEqual([10, 10, 10, 3]);
    expect(index.shards.flatMap(({ file }) => ids(file))).toEqual(
      documents.flatMap((doc) => Array.from(doc)),
    );
    const all = index.shards.flatMap((shard, s) => starts(shard.starts).map((start) => start + 10 * s));
    expect(all).toEqual([0, 5, 22, 24]);
  });

  test("have whole windows in each file", () => {
    const { index, ids } = write("bestFit", 20);
    for (const { tokens, file } of index.shards) expect([tokens % 8, ids(file).length]).toEqual([0, tokens]);
    expect(index.shards.slice(0, -1).every(({ tokens }) => tokens === 16)).toBe(true);
  });

  test("have an index that is read as it was written", () => {
    const { index } = write("concat", 10);
    const shape = { format: "anneal-tokens", version: 1, dtype: dtypeFor(300), vocabSize: 300, eos: 0 };
    const whole = {
      ...shape,
      packing: "concat",
      shardTokens: 10,
      documentMask: false,
      splits: { train: index },
    };
    expect(parseIndex(whole, "index.json")).toBe(whole);
    const packed = { ...whole, packing: "bestFit", window: 8, shardTokens: 16 };
    const { index: train } = write("bestFit", 20);
    expect(parseIndex({ ...packed, splits: { train } }, "index.json")).toEqual({
      ...packed,
      splits: { train },
    });
  });
});

const prose = (seed: number, words: number): string => {
  const random = rng(seed, "prose");
  return Array.from({ length: words }, () => {
    const n = random.int(500);
    return `w${"abcdefgh"[n % 8]}${"ijklmnop"[(n >> 3) % 8]}${"qrstuvwx"[n >> 6]}`;
  }).join(" ");
};

const given = (): Document[] =>
  Array.from({ length: 300 }, (_, i) => {
    const text = prose(i < 250 ? i : i - 250, 80);
    // The last fifty are near copies of the first fifty.
    return { id: `doc${i}`, text: i < 250 ? text : text.replace(/^\S+ \S+/, "another beginning") };
  });

async function* stream(documents: readonly Document[]): AsyncGenerator<Document> {
  yield* documents;
}

describe("merging", () => {
  const settings = { ...pipelineDefaults, near: "fineweb", validationShare: 0.1, testShare: 0.1 } as const;
  const merge = async (documents: readonly Document[], sizes: number, changed = {}) => {
    const own = { ...settings, ...changed };
    const parts = [];
    for (let at = 0; at < documents.length; at += sizes) {
      parts.push(await partOf(stream(documents.slice(at, at + sizes)), own));
    }
    const merged = await mergeParts(parts, own, { spool: memorySpool });
    const out: (readonly [string, number])[] = [];
    for await (const [{ id }, part] of merged.documents()) out.push([id, part]);
    return { out, merged };
  };

  test("gives the same however the documents are parted", async () => {
    const whole = await merge(given(), 300);
    const many = await merge(given(), 7);
    expect(many.out).toEqual(whole.out);
    expect(many.merged.report).toEqual(whole.merged.report);
    expect(whole.out.length).toBeLessThan(265);
    expect(whole.out.length).toBeGreaterThanOrEqual(250);
  });

  test("keeps the longest where that is asked for", async () => {
    const longer = given().map((doc, i) =>
      i < 250 ? doc : { ...doc, text: `${doc.text} and a little more` },
    );
    const { out } = await merge(longer, 300, { keep: "longest" });
    const ids = new Set(out.map(([id]) => id));
    expect(
      Array.from({ length: 50 }, (_, i) => ids.has(`doc${250 + i}`)).filter(Boolean).length,
    ).toBeGreaterThan(40);
  });

  test("keeps the cleanest where the best is asked for, longer ones notwithstanding", async () => {
    const marked = given().map((doc, i) => (i < 250 ? { ...doc, text: `${doc.text} |{}<>|~~^^|` } : doc));
    const { out } = await merge(marked, 300, { keep: "best" });
    const ids = new Set(out.map(([id]) => id));
    expect(
      Array.from({ length: 50 }, (_, i) => ids.has(`doc${250 + i}`)).filter(Boolean).length,
    ).toBeGreaterThan(40);
  });

  test("mixes sources by weights, in the training part alone", async () => {
    const sourced = given()
      .slice(0, 250)
      .map((doc, i) => ({ ...doc, source: i % 10 === 0 ? "small" : "large" }));
    const { out } = await merge(sourced, 300, {
      mix: { weights: { small: 1, large: 1 }, temperature: 1, maxEpochs: 3 },
    });
    const train = out.filter(([, part]) => part === TRAIN).map(([id]) => id);
    const counts = new Map<string, number>();
    for (const id of train) counts.set(id, (counts.get(id) ?? 0) + 1);
    const small = Array.from(counts).filter(([id]) => Number(id.slice(3)) % 10 === 0);
    expect(small.every(([, n]) => n === 3)).toBe(true);
    const held = out.filter(([, part]) => part !== TRAIN).map(([id]) => id);
    expect(new Set(held).size).toBe(held.length);
  });
});

describe("splits", () => {
  test("units stay together, and documents stay where they are when others come", () => {
    const random = rng(3, "splits");
    const n = 4000;
    const keys = Uint32Array.from({ length: n }, () => random.word());
    const bytes = new Uint32Array(n).fill(100);
    const units = Int32Array.from({ length: n }, (_, i) => i - (i % 4));
    const shares = { validation: 0.1, test: 0.05 };
    const places = splitOf({ keys, bytes, units }, shares, 1);
    places.forEach((place, i) => {
      expect(place).toBe(places[units[i]!]);
    });
    const share = (part: number): number => places.filter((place) => place === part).length / n;
    // The least of four keys is below x with the probability 1 - (1 - x)^4; the limit of bytes holds it.
    expect(share(VALIDATION)).toBeLessThanOrEqual(0.2);
    expect(share(TEST)).toBeGreaterThan(0);
    const half = n / 2;
    const few = {
      keys: keys.slice(0, half),
      bytes: bytes.slice(0, half),
      units: Int32Array.from({ length: half }, (_, i) => i),
    };
    const all = { keys, bytes, units: Int32Array.from({ length: n }, (_, i) => i) };
    const [a, b] = [few, all].map((table) => splitOf(table, shares, 1));
    expect(Array.from(b!.subarray(0, half))).toEqual(Array.from(a!));
    bytes[5] = 0;
    expect(splitOf(all, shares, 1)[5]).toBe(NOWHERE);
  });
});
