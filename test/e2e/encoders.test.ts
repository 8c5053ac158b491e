/** Encoders of every family and head as the real @huggingface/transformers loads and runs them. */
import { AutoModel, AutoTokenizer, pipeline } from "@huggingface/transformers";
import { describe, expect, test } from "vitest";
import { quantize } from "../../src/compress/quantize.ts";
import type { Tensor } from "../../src/ir/tensor.ts";
import { readsTokenTypes } from "../../src/models/encoders/encoder.ts";
import { usualPooling } from "../../src/models/pooling.ts";
import { encoderOf } from "../../src/serve/graphs/encoder.ts";
import { engine, families, labels, modelOf, ours, shipped } from "./tinyEncoders.ts";

/** Row `at` of the last axis as probabilities. */
const probabilities = (t: Tensor, at: number): number[] => {
  const width = t.shape.at(-1)!;
  const row = Array.from((t.data as Float32Array).subarray(at * width, (at + 1) * width));
  const top = Math.max(...row);
  const exps = row.map((x) => Math.exp(x - top));
  const total = exps.reduce((a, b) => a + b);
  return exps.map((x) => x / total);
};

const best = (probs: readonly number[]): number => probs.indexOf(Math.max(...probs));

const near = (got: ArrayLike<number>, want: ArrayLike<number>): void => {
  expect(got.length).toBe(want.length);
  for (let i = 0; i < want.length; i++) expect(Math.abs(got[i]! - want[i]!)).toBeLessThan(1e-5);
};

describe.each(Object.entries(families))("%s in transformers.js", (name, family) => {
  const texts = ["The cat sat on a red mat.", "dogs ran"];

  test("fill-mask", async () => {
    const model = modelOf(name, "masked-lm");
    const path = await shipped(name, "masked-lm", model);
    const masked = [`The cat sat ${family.mask} a red mat.`, `${family.mask} ran`];
    const fill = await pipeline("fill-mask", path, { dtype: "fp32" });
    const theirs = (await fill(masked, { top_k: 3 })) as { token: number; score: number }[][];
    const { output, encoded } = await ours(model, path, masked);
    for (const [b, { ids }] of encoded.entries()) {
      const at = ids.indexOf(family.tokens.indexOf(family.mask));
      expect(at).toBeGreaterThan(0);
      const probs = probabilities(output, b * output.shape[1]! + at);
      const order = probs.map((p, id) => ({ p, id })).sort((x, y) => y.p - x.p);
      expect(theirs[b]!.map(({ token }) => token)).toEqual(order.slice(0, 3).map(({ id }) => id));
      near(
        theirs[b]!.map(({ score }) => score),
        order.slice(0, 3).map(({ p }) => p),
      );
    }
    await fill.dispose();
  });

  test("text-classification", async () => {
    const model = modelOf(name, "sequence-classification");
    const path = await shipped(name, "sequence-classification", model);
    const classify = await pipeline("text-classification", path, { dtype: "fp32" });
    const theirs = (await classify([...texts], { top_k: 3 })) as {
      label: string;
      score: number;
    }[][];
    const { output } = await ours(model, path, texts);
    expect(output.shape).toEqual([2, 3]);
    for (const [b, found] of theirs.entries()) {
      const probs = probabilities(output, b);
      expect(found[0]!.label).toBe(labels.id2label[best(probs) as 0 | 1 | 2]);
      near(
        Object.keys(labels.label2id).map((label) => found.find((f) => f.label === label)!.score),
        probs,
      );
    }
    await classify.dispose();
  });

  test("token-classification", async () => {
    const model = modelOf(name, "token-classification");
    const path = await shipped(name, "token-classification", model);
    const tag = await pipeline("token-classification", path, { dtype: "fp32" });
    const found = await tag([...texts], { ignore_labels: [] });
    const theirs = found as { entity: string; score: number; index: number }[][];
    const { output, encoded } = await ours(model, path, texts);
    for (const [b, { ids }] of encoded.entries()) {
      const rows = ids.map((_, t) => probabilities(output, b * output.shape[1]! + t));
      // transformers.js leaves out the special tokens.
      const own = rows.flatMap((probs, t) => (ids[t]! < 5 ? [] : [{ probs, t }]));
      expect(theirs[b]!.map(({ index }) => index)).toEqual(own.map(({ t }) => t));
      expect(theirs[b]!.map(({ entity }) => entity)).toEqual(
        own.map(({ probs }) => labels.id2label[best(probs) as 0 | 1 | 2]),
      );
      near(
        theirs[b]!.map(({ score }) => score),
        own.map(({ probs }) => Math.max(...probs)),
      );
    }
    await tag.dispose();
  });

  test("feature-extraction, pooled by the mean and by the first token, of length 1", async () => {
    const model = modelOf(name, "features");
    const path = await shipped(name, "features", { ...model, pooling: usualPooling });
    const { output } = await ours(model, path, texts);
    for (const [dtype, form] of [
      ["fp32", model],
      ["q8", await quantize({ bits: 8 }).run(model, {} as never)],
    ] as const) {
      const extract = await pipeline("feature-extraction", path, { dtype });
      const own = await ours(form, path, texts);
      const raw = await extract([...texts]);
      expect(raw.dims).toEqual(output.shape);
      near(raw.data as Float32Array, own.output.data as Float32Array);
      for (const pooling of ["mean", "cls"] as const) {
        const theirs = await extract([...texts], { pooling, normalize: true });
        const pooled = { ...form, pooling: { mode: pooling, normalize: true } };
        const { sentences } = await ours(pooled, path, texts);
        expect(theirs.dims).toEqual(sentences!.shape);
        near(theirs.data as Float32Array, sentences!.data as Float32Array);
      }
      await extract.dispose();
    }
  });

  test("token types of a pair are fed where the model reads them", async () => {
    const model = modelOf(name, "features");
    const path = await shipped(name, "features", model);
    const tokenizer = await AutoTokenizer.from_pretrained(path);
    const pair = tokenizer("the cat", { text_pair: "a dog ran" }) as Record<string, { data: BigInt64Array }>;
    expect("token_type_ids" in pair).toBe(name === "bert");
    expect(readsTokenTypes(model.config)).toBe(name === "bert");
    const loaded = await AutoModel.from_pretrained(path, { dtype: "fp32" });
    const { last_hidden_state: theirs } = (await loaded(pair)) as {
      last_hidden_state: { data: Float32Array };
    };
    await loaded.dispose();
    const types =
      pair.token_type_ids === undefined ? {} : { types: Array.from(pair.token_type_ids.data, Number) };
    const encoder = await encoderOf(engine, model);
    const { output } = await encoder.run([{ ids: Array.from(pair.input_ids!.data, Number), ...types }]);
    await encoder.dispose();
    near(theirs.data, output.data as Float32Array);
  });
});
