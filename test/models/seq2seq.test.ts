/** Every sequence-to-sequence architecture against its reference implementation (golden/<name>.py). */
import { describe, expect, test } from "vitest";
import { grad } from "../../src/autodiff/grad.ts";
import type { Feeds } from "../../src/engine/engine.ts";
import { decodeSafetensors, encodeSafetensors } from "../../src/formats/safetensors/safetensors.ts";
import type { Value } from "../../src/ir/op.ts";
import { trace } from "../../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf } from "../../src/ir/tensor.ts";
import { modelOf } from "../../src/models/checkpoint/load.ts";
import { architectures } from "../../src/models/index.ts";
import type { Model } from "../../src/models/model.ts";
import type { T5Config } from "../../src/models/seq2seq/t5Config.ts";
import { bucketOf } from "../../src/nn/attention/relativeBias.ts";
import { meanLoss } from "../../src/nn/loss.ts";
import { asConstants, initialize, type ParamSpec, type Weight } from "../../src/nn/param.ts";
import { adamw } from "../../src/optim/index.ts";
import { beamSearch } from "../../src/serve/decode/beam.ts";
import { greedySearch, seq2seqDecoder } from "../../src/serve/decode/seq2seqDecoder.ts";
import { pairBatch, shiftTokensRight } from "../../src/tasks/seq2seq/pairBatch.ts";
import { sequenceToSequence } from "../../src/tasks/seq2seq/sequenceToSequence.ts";
import { stepper } from "../../src/train/stepper.ts";
import { ConfigError } from "../../src/util/errors.ts";
import { entries, flatten, mapTree, type Tree } from "../../src/util/tree.ts";
import { seq2seqCases } from "../cases/seq2seq.ts";
import {
  archOf,
  engine,
  fullLogits,
  type Golden,
  goldenOf,
  run,
  sineModel,
  sourcesOf,
  specsOf,
  typesOf,
  worst,
} from "./seq2seq.ts";

const norm = (t: Tensor): number => Math.sqrt((t.data as Float32Array).reduce((s, x) => s + x * x, 0));

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
