/** Every decoder against itself with a cache, whole and packed. */
import { describe, expect, test } from "vitest";
import { quantized } from "../../src/compress/quantize.ts";
import { compile } from "../../src/engine/compile.ts";
import { type Tensor, tensorOf } from "../../src/ir/tensor.ts";
import { architectures, headOf } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";
import { decoder } from "../../src/serve/decode/decoding.ts";
import { decoderProgram } from "../../src/serve/graphs/decoder.ts";
import { modelCases } from "../cases/models.ts";
import { engine, fullLogits, goldenOf, IDS, sineModel, worst } from "./decoders.ts";

describe.each(Object.entries(modelCases))("%s", (name, row) => {
  const arch = architectures[name]!;
  const golden = goldenOf(row.golden);

  describe("decoding", () => {
    /** Rows of different lengths, padded on the left; then one token at a time. */
    const rows = [
      [3, 10, 17, 1, 8],
      [5, 12, 19],
    ];
    const more = [
      [2, 9, 16],
      [21, 0, 7],
    ];
    const VOCAB = 23;

    const decode = async (model: Model): Promise<Float32Array[][]> => {
      const session = await compile(engine, decoderProgram(model));
      const { layers, kvHeads, headWidth } = arch.cache(model.config);
      const past: Record<string, Tensor> = {};
      for (let i = 0; i < layers; i++) {
        for (const part of ["key", "value"]) {
          past[`past_key_values.${i}.${part}`] = tensorOf("float32", [2, kvHeads, 0, headWidth], []);
        }
      }
      const long = Math.max(...rows.map((r) => r.length));
      const padded = rows.map((r) => long - r.length);
      const seen: Float32Array[][] = rows.map(() => []);
      const call = async (start: number, fresh: readonly (readonly number[])[]): Promise<void> => {
        const n = fresh[0]!.length;
        const total = start + n;
        const positions = padded.flatMap((p) =>
          Array.from({ length: n }, (_, t) => Math.max(0, start + t - p)),
        );
        const mask = padded.flatMap((p) => Array.from({ length: total }, (_, t) => (t < p ? 0 : 1)));
        const out = await session.run({
          input_ids: tensorOf("int64", [2, n], fresh.flat()),
          position_ids: tensorOf("int64", [2, n], positions),
          attention_mask: tensorOf("int64", [2, total], mask),
          num_logits_to_keep: tensorOf("int64", [], [0]),
          ...past,
        });
        expect(out.logits!.shape).toEqual([2, n, VOCAB]);
        for (const [key, t] of Object.entries(out)) {
          if (!key.startsWith("present.")) continue;
          expect(t.shape).toEqual([2, kvHeads, total, headWidth]);
          past[key.replace("present.", "past_key_values.")] = t;
        }
        for (const [b, list] of seen.entries()) {
          for (let t = 0; t < n; t++) {
            if (start + t < padded[b]!) continue;
            const from = (b * n + t) * VOCAB;
            list.push((out.logits!.data as Float32Array).slice(from, from + VOCAB));
          }
        }
      };
      await call(
        0,
        rows.map((r, b) => [...new Array<number>(padded[b]!).fill(0), ...r]),
      );
      for (let i = 0; i < more[0]!.length; i++)
        await call(
          long + i,
          more.map((m) => [m[i]!]),
        );
      await session.dispose();
      return seen;
    };

    /** The row's config and those of the golden that decode. */
    const configs = [
      ["the row's config", row.config] as const,
      ...Object.entries(golden.cases).map(([title, { config }]) => [title, config] as const),
    ].filter(([, config]) => {
      return headOf(arch, arch.parse(config)) === "causal-lm";
    });

    test.each(configs)("with a cache, padded on the left, equals the full forward: %s", async (_, config) => {
      const model = sineModel(name, config);
      const seen = await decode(model);
      for (const [b, list] of seen.entries()) {
        const ids = [...rows[b]!, ...more[b]!];
        expect(list).toHaveLength(ids.length);
        const full = (await fullLogits(model, [ids])).data as Float32Array;
        for (const [t, logits] of list.entries()) {
          const want = full.slice(t * VOCAB, (t + 1) * VOCAB);
          expect(worst(logits, want), `row ${b}, token ${t}`).toBeLessThan(1e-4);
        }
      }
    });
  });

  test("decoding in a shared buffer equals the full forward", async () => {
    const model = sineModel(name, row.config);
    const made = await decoder(engine, model);
    const [ids, vocab] = [IDS[0]!, model.config.vocab_size];
    const want = (await fullLogits(model, [ids])).data as Float32Array;
    const cache = made.cache(ids.length, [0]);
    const first = await made.step(cache, ids.slice(0, 4), 0, 0);
    expect(worst(first, want.slice(0, 4 * vocab))).toBeLessThan(1e-4);
    for (let t = 4; t < ids.length; t++) {
      const logits = await made.step(cache, [ids[t]!], t);
      expect(worst(logits, want.slice(t * vocab, (t + 1) * vocab)), `token ${t}`).toBeLessThan(1e-4);
    }
    await made.dispose();
  });

  test.each([
    [4, 0.2],
    [8, 0.05],
  ] as const)("decoding with weights of %d bits equals the full forward with them", async (bits, far) => {
    const dense = sineModel(name, row.config);
    const model = quantized(dense, { bits });
    const made = await decoder(engine, model);
    const got = await made.step(made.cache(IDS[0]!.length), IDS[0]!, 0, 0);
    await made.dispose();
    const full = (await fullLogits(model, [IDS[0]!])).data as Float32Array;
    expect(worst(got, full)).toBeLessThan(far);
    expect(worst(got, (await fullLogits(dense, [IDS[0]!])).data as Float32Array)).toBeGreaterThan(1e-3);
  });
});
