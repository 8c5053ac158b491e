/** The graphs, decoder and batches of every sequence-to-sequence architecture against its own full forward. */
import { describe, expect, test } from "vitest";
import { quantize } from "../../src/compress/quantize.ts";
import { compile } from "../../src/engine/compile.ts";
import { type Tensor, tensorOf } from "../../src/ir/tensor.ts";
import type { Weight } from "../../src/nn/param.ts";
import { type Seq2SeqDecoder, seq2seqDecoder } from "../../src/serve/decode/seq2seqDecoder.ts";
import { graphsOf } from "../../src/serve/graphs/graphs.ts";
import { pairBatch, shiftTokensRight } from "../../src/tasks/seq2seq/pairBatch.ts";
import { sequenceToSequence } from "../../src/tasks/seq2seq/sequenceToSequence.ts";
import { ConfigError } from "../../src/util/errors.ts";
import { flatten } from "../../src/util/tree.ts";
import { seq2seqCases } from "../cases/seq2seq.ts";
import { archOf, engine, fullLogits, goldenOf, sineModel, sourcesOf, worst } from "./seq2seq.ts";

describe.each(Object.entries(seq2seqCases))("%s", (name, row) => {
  const arch = archOf(name);
  const golden = goldenOf(row.golden);
  describe("decoding with a cache", () => {
    const model = sineModel(name, row.config);
    const targets = [
      [0, 9, 4, 17, 2, 20, 11],
      [0, 5, 5, 13, 22, 3, 8],
    ];
    const VOCAB = 23;

    /** Logits of each target token by token, beside those of the full forward of its row alone. */
    const compare = async (decoder: Seq2SeqDecoder): Promise<number> => {
      const sources = sourcesOf(golden);
      const rows = await decoder.encode(sources);
      const steps: Float32Array[] = [];
      for (let t = 0; t < targets[0]!.length; t++) steps.push(await rows.step(targets.map((ids) => ids[t]!)));
      let most = 0;
      for (const [b, ids] of targets.entries()) {
        const feeds = {
          inputIds: tensorOf("int32", [1, sources[b]!.length], sources[b]!),
          decoderInputIds: tensorOf("int32", [1, ids.length], ids),
        };
        const full = await fullLogits(model, feeds);
        for (const [t, logits] of steps.entries()) {
          const want = full.subarray(t * VOCAB, (t + 1) * VOCAB);
          most = Math.max(most, worst(logits.subarray(b * VOCAB, (b + 1) * VOCAB), want));
        }
      }
      return most;
    };

    test("in a batch of unequal sources equals the full forward of each row", async () => {
      const decoder = await seq2seqDecoder(engine, model);
      expect(await compare(decoder)).toBeLessThan(1e-4);
      await decoder.dispose();
    });

    test.each([
      [8, 0.3],
      [4, 3],
    ] as const)("of int%i weights, whose matrices are all packed, comes near", async (bits, bound) => {
      const packed = await quantize({ bits }).run(model, {} as never);
      const dense = [...flatten<Weight>(packed.weights)].filter(
        ([, w]) => !("parts" in w) && w.shape.length === 2,
      );
      const left = dense
        .map(([path]) => path)
        .filter((path) => !/relative_attention_bias|final_logits/.test(path));
      expect(left).toEqual([]);
      const decoder = await seq2seqDecoder(engine, packed);
      expect(await compare(decoder)).toBeLessThan(bound);
      await decoder.dispose();
    });

    test("reordered rows go on as if they had seen the other's tokens, and its source", async () => {
      const decoder = await seq2seqDecoder(engine, model);
      const [a, b] = sourcesOf(golden) as [number[], number[]];
      const mixed = await decoder.encode([a, b], 2);
      for (const ids of [
        [0, 0, 0, 0],
        [3, 7, 9, 11],
      ])
        await mixed.step(ids);
      mixed.reorder([1, 1, 0, 3]);
      const got = await mixed.step([5, 6, 5, 6]);
      const plain = await decoder.encode([a, a, a, b]);
      for (const ids of [
        [0, 0, 0, 0],
        [7, 7, 3, 11],
      ])
        await plain.step(ids);
      expect(worst(got, await plain.step([5, 6, 5, 6]))).toBeLessThan(1e-5);
      expect(() => mixed.reorder([0, 1, 2])).toThrow(ConfigError);
      expect(() => mixed.reorder([0, 1, 2, 4])).toThrow(ConfigError);
      await expect(mixed.step([1])).rejects.toThrow(/1 ids are not one for each of 4 rows/);
      await decoder.dispose();
    });

    test("what cannot be encoded is refused", async () => {
      const decoder = await seq2seqDecoder(engine, model);
      await expect(decoder.encode([])).rejects.toThrow(ConfigError);
      await expect(decoder.encode([[3], []])).rejects.toThrow(/source 1 has no tokens/);
      if (Number.isFinite(decoder.shape.positions)) {
        await expect(decoder.encode([new Array<number>(33).fill(3)])).rejects.toThrow(/33 tokens.*takes 32/);
      }
      await decoder.dispose();
    });
  });

  describe("graphs", () => {
    const model = sineModel(name, row.config);
    const { layers, kvHeads, headWidth } = arch.cache(model.config);
    const parts = ["decoder.key", "decoder.value", "encoder.key", "encoder.value"];
    const names = Array.from({ length: layers }, (_, i) => parts.map((part) => `${i}.${part}`)).flat();

    test("have the inputs and outputs that transformers.js feeds and reads", async () => {
      const { encoder_model, decoder_model_merged } = graphsOf(model);
      const encoder = await compile(engine, encoder_model!);
      expect([...encoder.inputNames].sort()).toEqual(["attention_mask", "input_ids"]);
      expect(encoder.outputNames).toEqual(["last_hidden_state"]);
      const decoder = await compile(engine, decoder_model_merged!);
      const own = ["encoder_attention_mask", "encoder_hidden_states", "input_ids", "use_cache_branch"];
      expect([...decoder.inputNames].sort()).toEqual(
        [...own, ...names.map((n) => `past_key_values.${n}`)].sort(),
      );
      expect(decoder.outputNames).toEqual(["logits", ...names.map((n) => `present.${n}`)]);
      await Promise.all([encoder.dispose(), decoder.dispose()]);
    });

    test("without use_cache_branch a past of any length is ignored; with it the source is not read again", async () => {
      const decoder = await compile(engine, graphsOf(model).decoder_model_merged!);
      const hidden = tensorOf(
        "float32",
        [2, 3, 16],
        Array.from({ length: 96 }, (_, i) => Math.sin(i)),
      );
      const call = (ids: number[], use: number, past: (name: string) => Tensor) =>
        decoder.run({
          encoder_attention_mask: tensorOf("int64", [2, 3], [1, 1, 1, 1, 1, 0]),
          encoder_hidden_states: hidden,
          input_ids: tensorOf("int64", [2, ids.length / 2], ids),
          use_cache_branch: tensorOf("bool", [1], [use]),
          ...Object.fromEntries(names.map((n) => [`past_key_values.${n}`, past(n)])),
        });
      const dummy = (length: number) => () => {
        const shape = [2, kvHeads, length, headWidth];
        return tensorOf("float32", shape, new Array<number>(2 * kvHeads * length * headWidth).fill(3));
      };
      const first = await call([0, 4, 0, 5], 0, dummy(0));
      expect(await call([0, 4, 0, 5], 0, dummy(1))).toEqual(first);
      expect(first["present.0.encoder.key"]!.shape).toEqual([2, kvHeads, 3, headWidth]);
      const next = await call([6, 7], 1, (n) => first[`present.${n}`]!);
      expect(next["present.0.encoder.key"]!.shape).toEqual([2, kvHeads, 0, headWidth]);
      expect(next["present.0.decoder.key"]!.shape).toEqual([2, kvHeads, 3, headWidth]);
      const whole = await call([0, 4, 6, 0, 5, 7], 0, dummy(0));
      for (const b of [0, 1]) {
        const got = (next.logits!.data as Float32Array).subarray(b * 23, (b + 1) * 23);
        const want = (whole.logits!.data as Float32Array).subarray((b * 3 + 2) * 23, (b * 3 + 3) * 23);
        expect(worst(got, want)).toBeLessThan(1e-5);
      }
      await decoder.dispose();
    });
  });
});

describe("batches", () => {
  test("labels move to the right behind the start, with padding where they do not count", () => {
    const shifted = shiftTokensRight([5, 6, -100, 7, -100, 8], 3, { start: 2, pad: 0 });
    expect(Array.from(shifted)).toEqual([2, 5, 6, 2, 7, 0]);
    expect(() => shiftTokensRight([1, 2, 3], 2, { start: 0, pad: 0 })).toThrow(ConfigError);
  });

  test("pairs are padded to their lengths, and what is padding is masked or does not count", () => {
    const pairs = [
      { source: [5, 6, 7], target: [8, 1] },
      { source: [9], target: [3, 4, 1] },
    ];
    const batch = pairBatch(pairs, { start: 0, pad: 0, lengths: { source: 3, target: 4 } });
    const listed = Object.fromEntries(Object.entries(batch).map(([k, t]) => [k, Array.from(t.data, Number)]));
    expect(listed).toEqual({
      inputIds: [5, 6, 7, 9, 0, 0],
      attentionMask: [1, 1, 1, 1, 0, 0],
      decoderInputIds: [0, 8, 1, 0, 0, 3, 4, 1],
      labels: [8, 1, -100, -100, 3, 4, 1, -100],
    });
  });

  test("a row that is too long or empty is named", () => {
    const options = { start: 0, pad: 0, lengths: { source: 2, target: 2 } };
    const good = { source: [5], target: [1] };
    expect(() => pairBatch([good, { source: [1, 2, 3], target: [1] }], options)).toThrow(
      /source 1 has 3 tokens/,
    );
    expect(() => pairBatch([{ source: [1], target: [] }], options)).toThrow(/target 0 has 0 tokens/);
    expect(() => sequenceToSequence({ target: 0 })).toThrow(/field "target"/);
  });
});
