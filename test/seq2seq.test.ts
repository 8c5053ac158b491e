/**
 * Every sequence-to-sequence architecture against its reference implementation (golden/<name>.py), and its
 * graphs, decoder and objective against its own full forward.
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { grad } from "../src/autodiff/grad.ts";
import { quantize } from "../src/compress/quantize.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import { decodeSafetensors, encodeSafetensors } from "../src/formats/safetensors/safetensors.ts";
import type { Value } from "../src/ir/op.ts";
import { type Program, trace } from "../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf, zeros } from "../src/ir/tensor.ts";
import { modelOf } from "../src/models/checkpoint/load.ts";
import { architectures } from "../src/models/index.ts";
import type { Model, Seq2SeqArchitecture } from "../src/models/model.ts";
import type { T5Config } from "../src/models/seq2seq/t5Config.ts";
import { bucketOf } from "../src/nn/attention/relativeBias.ts";
import { meanLoss } from "../src/nn/loss.ts";
import { asConstants, initialize, type ParamSpec, type Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw } from "../src/optim/index.ts";
import { beamSearch } from "../src/serve/decode/beam.ts";
import { greedySearch, type Seq2SeqDecoder, seq2seqDecoder } from "../src/serve/decode/seq2seqDecoder.ts";
import { graphsOf } from "../src/serve/graphs/graphs.ts";
import { pairBatch, sequenceToSequence, shiftTokensRight } from "../src/tasks/seq2seqLm.ts";
import { stepper } from "../src/train/stepper.ts";
import { ConfigError } from "../src/util/errors.ts";
import { entries, flatten, mapTree, type Tree } from "../src/util/tree.ts";
import { seq2seqCases } from "./cases/seq2seq.ts";

interface GoldenCase {
  readonly config: { readonly vocab_size: number };
  readonly logits: readonly number[];
  readonly loss: number;
  readonly gradNorms: Readonly<Record<string, number>>;
  readonly losses: readonly number[];
  readonly greedy: readonly (readonly number[])[];
  readonly beams: readonly (readonly number[])[];
}
interface Golden {
  readonly ids: readonly (readonly number[])[];
  readonly mask: readonly (readonly number[])[];
  readonly labels: readonly (readonly number[])[];
  readonly buckets?: readonly { options: [number, number, boolean]; buckets: readonly number[] }[];
  readonly cases: Readonly<Record<string, GoldenCase>>;
}

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const goldenOf = (file: string): Golden =>
  JSON.parse(readFileSync(new URL(`golden/${file}`, import.meta.url), "utf8")) as Golden;

const archOf = (name: string): Seq2SeqArchitecture => architectures[name] as Seq2SeqArchitecture;

const specsOf = (name: string, config: unknown): Tree<ParamSpec> =>
  archOf(name).params(archOf(name).parse(config)) as Tree<ParamSpec>;

/** See golden/seq2seq.py. */
const sineWeights = (specs: Tree<ParamSpec>): Tree<Tensor> => {
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  return mapTree<ParamSpec, Tensor>(specs, ({ dtype, shape }, path) => {
    const t = zeros({ dtype, shape });
    const [i, one] = [order.indexOf(path), path.includes("norm") && path.endsWith("weight") ? 1 : 0];
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.3 * Math.sin(0.37 * j + 0.017 * j * j + 1.3 * i) + one;
    });
    return t;
  });
};

const sineModel = (name: string, config: unknown): Model => {
  const arch = archOf(name);
  return { arch, config: arch.parse(config), weights: sineWeights(specsOf(name, config)), history: [] };
};

const norm = (t: Tensor): number => Math.sqrt((t.data as Float32Array).reduce((s, x) => s + x * x, 0));

const worst = (got: ArrayLike<number>, want: ArrayLike<number>): number => {
  expect(got.length).toBe(want.length);
  let most = 0;
  for (let i = 0; i < want.length; i++) most = Math.max(most, Math.abs(got[i]! - want[i]!));
  return most;
};

/** The golden's batch as the objective's inputs. */
const feedsOf = (model: Model, { ids, mask, labels }: Golden): Feeds => {
  const target = labels[0]!.length;
  const shifted = shiftTokensRight(labels.flat(), target, archOf(model.arch.name).tokens(model.config));
  const shape = [ids.length, ids[0]!.length];
  return {
    inputIds: tensorOf("int32", shape, ids.flat()),
    attentionMask: tensorOf("int32", shape, mask.flat()),
    decoderInputIds: tensorOf("int32", [ids.length, target], Array.from(shifted)),
    labels: tensorOf("int32", [labels.flat().length], labels.flat()),
  };
};

const typesOf = (feeds: Feeds): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(feeds).map(([k, { dtype, shape }]) => [k, { dtype, shape }]));

const run = async (program: Program, feeds: Feeds): Promise<Record<string, Tensor>> => {
  const session = await compile(engine, program);
  const out = await session.run(feeds);
  await session.dispose();
  return out;
};

/** Logits [B, U, V] of the full forward; with dropout where a seed is given. */
const fullLogits = async (model: Model, feeds: Feeds, dropoutSeed?: number): Promise<Float32Array> => {
  const { labels: _, ...read } = feeds;
  const seeded = {
    ...read,
    ...(dropoutSeed === undefined ? {} : { seed: tensorOf("int32", [], [dropoutSeed]) }),
  };
  const program = trace(typesOf(seeded), ({ seed, ...inputs }) => {
    const all = { ...inputs, ...(seed === undefined ? {} : { dropoutSeed: seed }) } as never;
    return { logits: model.arch.forward(asConstants(model.weights), all, model.config).logits };
  });
  return (await run(program, seeded)).logits!.data as Float32Array;
};

/** The step's loss and gradients without an optimizer. */
const lossAndGradients = async (model: Model, feeds: Feeds): Promise<Record<string, Tensor>> => {
  const params = mapTree<Weight, TensorType>(model.weights, ({ dtype, shape }) => ({ dtype, shape }));
  const objective = sequenceToSequence({ target: feeds.decoderInputIds!.shape[1]! });
  const program = trace({ params, batch: typesOf(feeds) }, (v) => {
    const outputs = model.arch.forward(v.params, v.batch as never, model.config);
    const loss = meanLoss(objective.totals(outputs, v.batch));
    return { loss, gradients: grad(loss, v.params) };
  });
  const weights = Array.from(entries<Weight>(model.weights), ([path, w]) => [`params.${path}`, w as Tensor]);
  const batch = Object.entries(feeds).map(([key, t]) => [`batch.${key}`, t]);
  return run(program, Object.fromEntries([...weights, ...batch]));
};

/** The sources of a golden without their padding. */
const sourcesOf = ({ ids, mask }: Golden): number[][] =>
  ids.map((row, b) => row.filter((_, t) => mask[b]![t] === 1));

test("every sequence-to-sequence architecture has a row", () => {
  const names = Object.values(architectures).flatMap(({ name, kind }) => (kind === "seq2seq" ? [name] : []));
  expect(Object.keys(seq2seqCases).sort()).toEqual(names.sort());
});

describe("relative positions", () => {
  test.each(goldenOf("t5.json").buckets!)(
    "buckets of $options equal the reference",
    ({ options, buckets }) => {
      const [count, maxDistance, bidirectional] = options;
      const made = buckets.map((_, i) => bucketOf(i - 200, { buckets: count, maxDistance, bidirectional }));
      expect(made).toEqual(buckets);
    },
  );
});

describe.each(Object.entries(seq2seqCases))("%s", (name, row) => {
  const arch = archOf(name);
  const golden = goldenOf(row.golden);
  const [batch, context] = [golden.ids.length, golden.ids[0]!.length];
  const target = golden.labels[0]!.length;

  describe.each(Object.entries(golden.cases))("equals the reference: %s", (_, want) => {
    const model = sineModel(name, want.config);
    const feeds = feedsOf(model, golden);

    test("logits", async () => {
      expect(worst(await fullLogits(model, feeds), want.logits)).toBeLessThan(1e-4);
    });

    test("loss and gradients", async () => {
      const { loss, ...gradients } = await lossAndGradients(model, feeds);
      expect(Math.abs((loss!.data[0] as number) - want.loss)).toBeLessThan(1e-5 * want.loss);
      for (const [key, t] of Object.entries(gradients)) {
        const path = key.replace("gradients.", "");
        const expected = want.gradNorms[path];
        // A buffer there, which nothing reaches.
        if (expected === undefined) expect([path, norm(t)]).toEqual(["final_logits_bias", 0]);
        // Some are zero but for rounding: keys' biases change no softmax.
        else expect(Math.abs(norm(t) - expected), path).toBeLessThan(1e-3 * expected + 1e-6);
      }
      for (const path of Object.keys(want.gradNorms)) expect(gradients).toHaveProperty([`gradients.${path}`]);
    });

    test("ten steps of AdamW", async () => {
      const optimizer = adamw({ weightDecay: 0 });
      const objective = sequenceToSequence({ target });
      const steps = await stepper(engine, model, { batch, context, optimizer, objective });
      for (const [i, expected] of want.losses.entries()) {
        const { loss } = await steps.run([{ ...feeds, seed: tensorOf("int32", [], [0]) }], 1e-2, i + 1);
        expect(Math.abs(loss - expected) / expected, `step ${i + 1}`).toBeLessThan(1e-3);
      }
      await steps.dispose();
    });

    test("greedy and beam search with the cache give what generate() does", async () => {
      const { start, pad, eos } = arch.tokens(model.config);
      const decoder = await seq2seqDecoder(engine, model);
      const maxTokens = want.greedy[0]!.length;
      /** Up to the end: what stands behind it differs between searches. */
      const text = (ids: readonly number[]) => {
        const end = ids.findIndex((id) => eos.includes(id));
        return end < 0 ? ids : ids.slice(0, end + 1);
      };
      const rows = await decoder.encode(sourcesOf(golden));
      expect(await greedySearch(rows, { start, pad, eos, maxTokens })).toEqual(want.greedy.map(text));
      const beams = 3;
      const found = await beamSearch(await decoder.encode(sourcesOf(golden), beams), {
        ...{ beams, sources: batch, start, eos, maxTokens },
      });
      expect(found.map(([best]) => best!.ids)).toEqual(want.beams.map(text));
      await decoder.dispose();
    });
  });

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

  test("weights through safetensors and back give the same logits, bit for bit", async () => {
    const model = sineModel(name, row.config);
    const tensors = flatten<Tensor>(model.weights as Tree<Tensor>);
    // Aliases and buffers of older checkpoints, which are no weights.
    for (const [alias, kept] of Object.entries(row.renamed)) {
      if (kept === null) tensors.set(alias, tensorOf("float32", [1], [7]));
    }
    const bytes = new Uint8Array(Buffer.concat(encodeSafetensors(tensors)));
    const read = decodeSafetensors(bytes, "model.safetensors").tensors;
    const loaded = modelOf(JSON.parse(JSON.stringify(model.config)), read, "model.safetensors");
    expect(loaded.config).toEqual(model.config);
    const feeds = feedsOf(model, golden);
    expect(await fullLogits(loaded, feeds)).toEqual(await fullLogits(model, feeds));
  });

  test("names of checkpoints", () => {
    const config = arch.parse(row.config);
    for (const [from, to] of Object.entries(row.renamed))
      expect([from, arch.rename!(from, config)]).toEqual([from, to]);
    const weights = flatten<ParamSpec>(specsOf(name, row.config)).keys();
    for (const path of weights) expect(arch.rename!(path, config)).toBe(path);
  });

  describe("dropout", () => {
    const dropping = (rate: number): Model =>
      sineModel(name, { ...row.config, ...Object.fromEntries(row.dropout.map((field) => [field, rate])) });

    test("is a function of the seed, and is not there without one", async () => {
      const [model, plain] = [dropping(0.5), sineModel(name, row.config)];
      const feeds = feedsOf(model, golden);
      const one = await fullLogits(model, feeds, 1);
      expect(await fullLogits(model, feeds, 1)).toEqual(one);
      expect(worst(await fullLogits(model, feeds, 2), one)).toBeGreaterThan(1e-2);
      expect(await fullLogits(model, feeds)).toEqual(await fullLogits(plain, feeds));
    });

    test("at a rate that drops nothing, the same attention in other ops gives the same logits", async () => {
      const plain = sineModel(name, row.config);
      const feeds = feedsOf(plain, golden);
      expect(worst(await fullLogits(dropping(1e-7), feeds, 1), await fullLogits(plain, feeds))).toBeLessThan(
        1e-4,
      );
    });

    test.each(row.dropout)("%s alone changes the result", async (field) => {
      const model = sineModel(name, { ...row.config, [field]: 0.5 });
      const feeds = feedsOf(model, golden);
      expect(worst(await fullLogits(model, feeds, 1), await fullLogits(model, feeds))).toBeGreaterThan(1e-3);
    });
  });

  describe("keepLayers", () => {
    const model = sineModel(name, row.config);
    const feeds = feedsOf(model, golden);
    const kept = (layers: readonly number[]): Model => ({
      ...model,
      ...arch.keepLayers(model.config, model.weights, layers),
    });

    test("keeps these layers of encoder and decoder, in this order, and leaves the model alone", async () => {
      const before = new Map(flatten<Weight>(model.weights));
      const [encoder, decoder] = row.layers;
      expect(kept([1]).config).toMatchObject({ [encoder]: 1, [decoder]: 1 });
      for (const layers of [[0, 1], [1], [1, 0]]) {
        const { config, weights } = kept(layers);
        const specs = flatten<ParamSpec>(arch.params(config) as Tree<ParamSpec>);
        expect([...flatten<Weight>(weights).keys()].sort()).toEqual([...specs.keys()].sort());
      }
      expect(await fullLogits(kept([0, 1]), feeds)).toEqual(await fullLogits(model, feeds));
      expect(worst(await fullLogits(kept([1, 0]), feeds), await fullLogits(model, feeds))).toBeGreaterThan(
        1e-2,
      );
      expect(flatten<Weight>(model.weights)).toEqual(before);
    });

    test("refuses stacks of unequal depth and layers that are not there", () => {
      const [, decoder] = row.layers;
      const uneven = sineModel(name, { ...row.config, [decoder]: 1 });
      expect(() => arch.keepLayers(uneven.config, uneven.weights, [0])).toThrow(/have 2 and 1/);
      expect(() => kept([2])).toThrow(ConfigError);
      expect(() => kept([])).toThrow(ConfigError);
    });
  });

  describe("config", () => {
    test("a parsed config parses to itself", () => {
      const parsed = arch.parse(row.config);
      expect(arch.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
      for (const { config } of Object.values(golden.cases)) {
        expect(arch.parse(JSON.parse(JSON.stringify(arch.parse(config))))).toEqual(arch.parse(config));
      }
    });

    test.each(row.wrong)("%j is refused by name", (fields, message) => {
      const json = { ...row.config, ...fields };
      expect(() => arch.parse(json)).toThrow(ConfigError);
      expect(() => arch.parse(json)).toThrow(message);
    });
  });

  test("learns to copy from scratch, and says it back", async () => {
    const config = arch.parse({ ...row.config, d_model: 32, d_kv: 16, init_std: 0.1 });
    const weights = initialize(arch.params(config) as Tree<ParamSpec>, 1);
    const model: Model = { arch, config, weights, history: [] };
    const { start, pad, eos } = arch.tokens(config);
    const pairs = Array.from({ length: 8 }, (_, i) => {
      const source = Array.from({ length: 2 + (i % 3) }, (_, t) => 2 + ((5 * i + 7 * t) % 20));
      return { source, target: [...source, eos[0]!] };
    });
    const lengths = { source: 4, target: 5 };
    const optimizer = adamw({ weightDecay: 0 });
    const objective = sequenceToSequence({ target: lengths.target });
    const steps = await stepper(engine, model, { batch: 8, context: lengths.source, optimizer, objective });
    const feeds = { ...pairBatch(pairs, { start, pad, lengths }), seed: tensorOf("int32", [], [0]) };
    let loss = Number.POSITIVE_INFINITY;
    for (let step = 1; step <= 200 && loss > 0.01; step++) ({ loss } = await steps.run([feeds], 1e-2, step));
    expect(loss).toBeLessThan(0.05);
    const learnt = mapTree<Weight, Tensor>(model.weights, (_, path) => steps.weights().get(path)!);
    const decoder = await seq2seqDecoder(engine, { ...model, weights: learnt });
    const rows = await decoder.encode(pairs.map(({ source }) => source));
    expect(await greedySearch(rows, { start, pad, eos, maxTokens: 6 })).toEqual(
      pairs.map((pair) => pair.target),
    );
    await Promise.all([steps.dispose(), decoder.dispose()]);
  });

  test("training needs the decoder's inputs", () => {
    const model = sineModel(name, row.config);
    const ids = trace({ ids: { dtype: "int32", shape: [1, 2] } as TensorType }, (v) => v).outputs
      .ids as Value;
    expect(() => arch.forward(asConstants(model.weights), { inputIds: ids }, model.config)).toThrow(
      /decoder input ids/,
    );
  });
});

test("T5's decoder is scaled where the config says so, else where the head is tied", () => {
  const { config } = seq2seqCases.t5!;
  const parsed = (fields: object) =>
    (archOf("t5").parse({ ...config, ...fields }) as T5Config).scale_decoder_outputs;
  expect(parsed({ tie_word_embeddings: true, scale_decoder_outputs: false })).toBe(false);
  expect(parsed({ tie_word_embeddings: false, scale_decoder_outputs: true })).toBe(true);
  expect(parsed({ tie_word_embeddings: false })).toBe(false);
  expect(parsed({})).toBe(true);
});

test("T5's activation and gate are those of feed_forward_proj, unless told by fields of their own", () => {
  const parsed = (fields: object) => {
    const c = archOf("t5").parse({ ...seq2seqCases.t5!.config, ...fields }) as T5Config;
    return [c.dense_act_fn, c.is_gated_act];
  };
  expect(parsed({})).toEqual(["relu", false]);
  expect(parsed({ feed_forward_proj: "gated-gelu" })).toEqual(["gelu_new", true]);
  expect(parsed({ feed_forward_proj: "gated-gelu", dense_act_fn: "gelu" })).toEqual(["gelu", true]);
  expect(parsed({ feed_forward_proj: "gated-quick_gelu" })).toEqual(["quick_gelu", true]);
  expect(parsed({ feed_forward_proj: "gelu" })).toEqual(["gelu", false]);
  expect(parsed({ is_gated_act: true })).toEqual(["relu", true]);
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
