/**
 * 8-bit weights where activations are massive, as in the residual streams of trained models: a few channels,
 * and the first token most of all (Sun et al. 2024, https://arxiv.org/abs/2402.17762).
 */
import { beforeAll, describe, expect, test } from "vitest";
import { int8Forms } from "../src/compress/forms.ts";
import { type Int8FormMap, quantized } from "../src/compress/quantize.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine, Session } from "../src/engine/engine.ts";
import { encodeOnnx } from "../src/formats/onnx/onnx.ts";
import { type Tensor, tensorOf } from "../src/ir/tensor.ts";
import { gpt2, gpt2Config } from "../src/models/decoders/gpt2.ts";
import { llama, llamaConfig } from "../src/models/decoders/llama.ts";
import { bert, bertConfig } from "../src/models/encoders/bert.ts";
import { packable } from "../src/models/linears.ts";
import type { Model } from "../src/models/model.ts";
import { denseWeights, initialize, type ParamSpec, type Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import type { Int8Form } from "../src/ops/int8.ts";
import { decoderProgram } from "../src/serve/graphs/decoder.ts";
import { encoderOf } from "../src/serve/graphs/encoder.ts";
import { exportDtypes } from "../src/ship/onnx/dtype.ts";
import { formGraphs } from "../src/ship/onnx/export.ts";
import { rng } from "../src/util/rng.ts";
import { mapTree, type Tree } from "../src/util/tree.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const VOCAB = 300;
const [FIRST, PAD] = [1, 0];
const WIDTH = 192;
const SPREAD = 0.08;
/** Channels, and how many times as large each is. */
const MASSIVE = new Map([
  [7, 12],
  [101, -9],
]);
/** How much larger they are in the first token's embedding. */
const FIRST_FACTOR = 100;

const isNorm = (path: string): boolean => /norm|ln_/i.test(path) && path.endsWith("weight");
/** The norm before the head, which reads little of the massive channels. */
const isLast = (path: string): boolean => /ln_f|^model\.norm|transform\.LayerNorm/.test(path);
const isEmbedding = (path: string): boolean => /wte|embed_tokens|word_embeddings/.test(path);

/** The weights of a seed with massive channels in embeddings and norms. */
const planted = (arch: Model["arch"], config: Model["config"]): Model => {
  const plain = initialize(arch.params(config) as Tree<ParamSpec>, 1);
  const weights = mapTree<Weight, Weight>(plain as Tree<Weight>, (w, path) => {
    const data = Float32Array.from((w as Tensor).data as Float32Array);
    for (const [channel, factor] of MASSIVE) {
      if (isNorm(path)) data[channel]! *= isLast(path) ? 0.01 : 2;
      for (let at = channel; isEmbedding(path) && at < data.length; at += WIDTH) {
        const own = Math.floor(at / WIDTH) === FIRST ? FIRST_FACTOR : 1;
        data[at] = SPREAD * factor * own * (own === 1 ? Math.sin(1.7 * at) : 1);
      }
    }
    return { ...(w as Tensor), data };
  });
  return { arch, config, weights, history: [] };
};

/** The forms that are found for a model, with so many digits each: its own matrices are so small as to need none. */
const formsOf = async (model: Model, digits: 1 | 2): Promise<Map<string, Int8Form>> => {
  const found = await int8Forms(engine, model, texts);
  return new Map(Array.from(found.keys(), (path) => [path, { digits, strong: strongOf(model, path) }]));
};

/** The massive channels, of a matrix that reads the residual stream. */
const strongOf = (model: Model, path: string): number[] => {
  const info = packable(model.arch.linears(model.config)).get(path)!;
  return ["attention", "mlp", "head"].some((name) => info.reads?.includes(name)) ? [...MASSIVE.keys()] : [];
};

/** The model of the numbers that its 8-bit weights stand for: what differs then is what products do. */
const onGrid = (model: Model, forms: Int8FormMap): Model => ({
  ...model,
  weights: denseWeights(quantized(model, { bits: 8 }, { forms }).weights),
});

const random = rng(17, "massive");
const texts = [24, 9, 17, 31].map((length) => [
  FIRST,
  ...Array.from({ length: length - 1 }, () => 2 + Math.floor(random.uniform() * (VOCAB - 2))),
]);

/** What a model gives for texts as one batch: rows of numbers for each of their tokens. */
type Forward = (batch: readonly (readonly number[])[]) => Promise<Float32Array[][]>;

const rowsOf = (t: Tensor, b: number, from: number, count: number): Float32Array[] => {
  const [, length, width] = t.shape as [number, number, number];
  return Array.from({ length: count }, (_, i) =>
    (t.data as Float32Array).subarray((b * length + from + i) * width, (b * length + from + i + 1) * width),
  );
};

const decoderOf = async (model: Model): Promise<Forward> =>
  decoderOver(await compile(engine, decoderProgram(model)), model);

const decoderOver = (
  session: Pick<Session, "run">,
  model: Model,
  cache: "float32" | "float16" = "float32",
): Forward => {
  const { layers, kvHeads, headWidth } = model.arch.cache(model.config);
  return async (batch) => {
    const length = Math.max(...batch.map((ids) => ids.length));
    const grid = (at: (ids: readonly number[], t: number) => number) =>
      tensorOf(
        "int64",
        [batch.length, length],
        batch.flatMap((ids) => Array.from({ length }, (_, t) => at(ids, t - length + ids.length))),
      );
    const past = Array.from({ length: layers }, (_, i) =>
      ["key", "value"].map((part) => [
        `past_key_values.${i}.${part}`,
        tensorOf(cache, [batch.length, kvHeads, 0, headWidth], []),
      ]),
    );
    const { logits } = await session.run({
      input_ids: grid((ids, t) => ids[t] ?? PAD),
      attention_mask: grid((_, t) => Number(t >= 0)),
      position_ids: grid((_, t) => Math.max(t, 0)),
      num_logits_to_keep: tensorOf("int64", [], [length]),
      ...Object.fromEntries(past.flat()),
    });
    return batch.map((ids, b) => rowsOf(logits!, b, length - ids.length, ids.length));
  };
};

/** An encoder's exported graph. */
const encoderOver =
  (session: Pick<Session, "run">): Forward =>
  async (batch) => {
    const length = Math.max(...batch.map((ids) => ids.length));
    const grid = (at: (ids: readonly number[], t: number) => number) =>
      tensorOf(
        "int64",
        [batch.length, length],
        batch.flatMap((ids) => Array.from({ length }, (_, t) => at(ids, t))),
      );
    const { logits } = await session.run({
      input_ids: grid((ids, t) => ids[t] ?? PAD),
      attention_mask: grid((ids, t) => Number(t < ids.length)),
      token_type_ids: grid(() => 0),
    });
    return batch.map((ids, b) => rowsOf(logits!, b, 0, ids.length));
  };

const encoderForward = async (model: Model): Promise<Forward> => {
  const encoder = await encoderOf(engine, model);
  return async (batch) => {
    const { output } = await encoder.run(batch.map((ids) => ({ ids })));
    return batch.map((ids, b) => rowsOf(output, b, 0, ids.length));
  };
};

const cosine = (a: Float32Array, b: Float32Array): number => {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((s, v, i) => s + v * y[i]!, 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
};
const likeliest = (logits: Float32Array): number => logits.indexOf(Math.max(...logits));
const share = (hits: readonly boolean[]): number => hits.filter(Boolean).length / hits.length;

const sizes = { vocab_size: VOCAB, initializer_range: SPREAD };
const models: Readonly<Record<string, () => Model>> = {
  gpt2: () => planted(gpt2, gpt2Config({ ...sizes, n_positions: 64, n_embd: WIDTH, n_layer: 3, n_head: 4 })),
  llama: () =>
    planted(
      llama,
      llamaConfig({
        ...{ ...sizes, hidden_size: WIDTH, intermediate_size: 320, num_hidden_layers: 3 },
        ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64 },
      }),
    ),
  bert: () =>
    planted(
      bert,
      bertConfig({
        ...{ ...sizes, hidden_size: WIDTH, intermediate_size: 320, num_hidden_layers: 3 },
        ...{ num_attention_heads: 4, max_position_embeddings: 64, pad_token_id: PAD },
        architectures: ["BertForMaskedLM"],
      }),
    ),
};

describe.each(Object.keys(models))("%s with massive activations", (name) => {
  const forward = name === "bert" ? encoderForward : decoderOf;
  const plain = models[name]!();

  test.each([
    [1, false],
    [1, true],
    [2, false],
    [2, true],
  ] as const)("in 8 bits of %i digits says what it says in 32; unsigned: %j", async (digits, unsigned) => {
    const forms = await formsOf(plain, digits);
    const model = onGrid(plain, forms);
    const want = (await (await forward(model))(texts)).flat();
    const packed = await forward(quantized(model, { bits: 8, unsigned }, { forms }));
    const got = (await packed(texts)).flat();
    expect(Math.min(...got.map((row, i) => cosine(row, want[i]!)))).toBeGreaterThan(
      digits === 1 ? 0.999 : 0.9999,
    );
    expect(share(got.map((row, i) => likeliest(row) === likeliest(want[i]!)))).toBeGreaterThan(
      digits === 1 ? 0.93 : 0.97,
    );
    // The answers are several, so agreement is no accident.
    expect(new Set(want.map(likeliest)).size).toBeGreaterThan(5);
  });

  test("one digit without its strong inputs apart is what massive activations spoil", async () => {
    const forms = await formsOf(plain, 1);
    const together = new Map(Array.from(forms.keys(), (path) => [path, { digits: 1, strong: [] } as const]));
    const worst = async (form: Int8FormMap): Promise<number> => {
      const model = onGrid(plain, form);
      const want = (await (await forward(model))(texts)).flat();
      const got = (await (await forward(quantized(model, { bits: 8 }, { forms: form })))(texts)).flat();
      return 1 - Math.min(...got.map((row, i) => cosine(row, want[i]!)));
    };
    expect(await worst(together)).toBeGreaterThan(4 * (await worst(forms)));
  });

  test("in 8 bits says of each text alone what it says in a padded batch", async () => {
    for (const digits of [1, 2] as const) {
      const packed = await forward(quantized(plain, { bits: 8 }, { forms: await formsOf(plain, digits) }));
      const together = await packed(texts);
      for (const [b, text] of texts.entries()) {
        const [alone] = await packed([text]);
        for (const [t, row] of alone!.entries()) {
          expect(cosine(row, together[b]![t]!), `text ${b}, token ${t}`).toBeGreaterThan(1 - 1e-3);
          expect(likeliest(row)).toBe(likeliest(together[b]![t]!));
        }
      }
    }
  });

  test("in 4 bits and float16, with every other matrix spared, says what its numbers say in 32", async () => {
    for (const odd of [0, 1]) {
      const paths = Array.from(packable(plain.arch.linears(plain.config)).keys()).sort();
      const wide = paths.filter((_, i) => i % 2 === odd);
      const packed = quantized(plain, { ...exportDtypes.q4f16.packed!, wide });
      const onnx = formGraphs(packed, "q4f16").get("model")!;
      const weights = new Set(onnx.graph.initializers.map(({ tensor }) => tensor.dtype));
      expect([weights.has("int8"), weights.has("float16")]).toEqual([false, true]);
      const session = await engine.load(encodeOnnx(onnx).model);
      const half = name === "bert" ? encoderOver(session) : decoderOver(session, plain, "float16");
      const exact = await forward({ ...plain, weights: denseWeights(packed.weights) });
      const [want, got] = [(await exact(texts)).flat(), (await half(texts)).flat()];
      // The products of 4 bits round their inputs to 8 in blocks of 32.
      expect(Math.min(...got.map((row, i) => cosine(row, want[i]!)))).toBeGreaterThan(0.99);
      expect(share(got.map((row, i) => likeliest(row) === likeliest(want[i]!)))).toBeGreaterThan(0.9);
      await session.dispose();
    }
  });
});
