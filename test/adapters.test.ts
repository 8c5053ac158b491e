/** Adapters on whole models: merged they give the same, trained they alone change, over bases of any kind. */
import { beforeAll, describe, expect, test } from "vitest";
import { type AdaptOptions, adapt, besidesAdapters, isAdapted, merge } from "../src/adapters/index.ts";
import { grad } from "../src/autodiff/grad.ts";
import { quantized } from "../src/compress/quantize.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import type { Value } from "../src/ir/op.ts";
import { trace } from "../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf } from "../src/ir/tensor.ts";
import { isInner, type LinearInfo } from "../src/models/linears.ts";
import type { Model } from "../src/models/model.ts";
import { architectures } from "../src/models/registry.ts";
import {
  asConstants,
  asParams,
  initialize,
  type ParamSpec,
  tensorsOf,
  trainedTensors,
  type Weight,
  withTensors,
} from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { adamw } from "../src/optim/index.ts";
import { languageModelling } from "../src/tasks/languageModelling.ts";
import { maskedLanguageModelling } from "../src/tasks/maskedLm.ts";
import { batchTotals, type Objective } from "../src/tasks/objective.ts";
import { sequenceToSequence } from "../src/tasks/seq2seq/sequenceToSequence.ts";
import { train } from "../src/train/loop.ts";
import { heldOutLoss } from "../src/train/validate.ts";
import type { ConfigError } from "../src/util/errors.ts";
import { flatten, type Tree } from "../src/util/tree.ts";
import { draw } from "./reference.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [B, T] = [2, 6];
const ints = (name: string, shape: readonly number[]): Tensor => {
  const n = shape.reduce((a, b) => a * b, 1);
  return tensorOf("int32", shape, draw(name, n, 2, 20).map(Math.floor));
};

interface Family {
  readonly config: Readonly<Record<string, unknown>>;
  readonly objective: Objective;
  readonly batch: Feeds;
}
const labelled = { inputIds: ints("ids", [B, T]), labels: ints("labels", [B * T]) };
const small = { vocab_size: 23, hidden_size: 16, intermediate_size: 24, initializer_range: 0.2 };
const families: Readonly<Record<string, Family>> = {
  gpt2: {
    config: { vocab_size: 23, n_positions: 8, n_embd: 16, n_layer: 2, n_head: 2, initializer_range: 0.2 },
    objective: languageModelling,
    batch: labelled,
  },
  llama: {
    config: { ...small, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 8 },
    objective: languageModelling,
    batch: labelled,
  },
  bert: {
    config: { ...small, num_hidden_layers: 2, num_attention_heads: 2, max_position_embeddings: 8 },
    objective: maskedLanguageModelling(),
    batch: { ...labelled, attentionMask: tensorOf("int32", [B, T], new Array(B * T).fill(1)) },
  },
  t5: {
    config: { vocab_size: 23, d_model: 16, d_kv: 8, d_ff: 24, num_heads: 2, num_layers: 2 },
    objective: sequenceToSequence({ target: T }),
    batch: {
      ...labelled,
      attentionMask: tensorOf("int32", [B, T], new Array(B * T).fill(1)),
      decoderInputIds: ints("target", [B, T]),
    },
  },
};

const noDropout = { resid_pdrop: 0, embd_pdrop: 0, attn_pdrop: 0, dropout_rate: 0 };
const modelOf = (name: string): Model => {
  const arch = architectures[name]!;
  const zero = { ...noDropout, hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
  const config = arch.parse({ ...zero, ...families[name]!.config, model_type: name });
  return { arch, config, weights: initialize(arch.params(config) as Tree<ParamSpec>, 1), history: [] };
};

/** Adapters that change much: B is not 0. */
const drawn = (model: Model): Model => {
  const given = [...tensorsOf(model.weights)].flatMap(([name, { shape, data }]) =>
    name.endsWith(".weight.b")
      ? [[name, tensorOf("float32", shape, draw(name, data.length, -0.3, 0.3))] as const]
      : [],
  );
  return { ...model, weights: withTensors(model.weights, new Map(given)) };
};

const typesOf = (feeds: Feeds): Record<string, TensorType> =>
  Object.fromEntries(Object.entries(feeds).map(([name, { dtype, shape }]) => [name, { dtype, shape }]));

const logits = async (
  { arch, config, weights }: Model,
  { labels: _, ...feeds }: Feeds,
): Promise<number[]> => {
  const program = trace(typesOf(feeds), (given) => {
    const inputs = given as unknown as { inputIds: Value };
    return { logits: arch.forward(asConstants(weights), inputs, config).logits };
  });
  const session = await compile(engine, program);
  const out = await session.run(feeds);
  await session.dispose();
  return Array.from(out.logits!.data as Float32Array);
};
const worst = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);

const adaptedPaths = ({ weights }: Model): string[] =>
  [...flatten<Weight>(weights)].flatMap(([path, w]) => (isAdapted(w) ? [path] : []));

const trained = (model: Model, { objective, batch }: Family, more: object = {}) =>
  train(engine, model, (i) => ({ ...batch, seed: tensorOf("int32", [], [i]) }), {
    ...{ batch: B, context: T, steps: 15, schedule: () => 2e-2, optimizer: adamw(), objective },
    ...{ validation: [batch], evalEvery: 15, frozen: besidesAdapters(model.weights), ...more },
  });

describe.each(Object.entries(families))("%s", (name, family) => {
  const plain = modelOf(name);
  const options = { rank: 3, alpha: 6 };

  test("an adapter that is new changes nothing", async () => {
    const before = await logits(plain, family.batch);
    expect(worst(await logits(adapt(plain, options), family.batch), before)).toBe(0);
  });

  test("takes every matrix but embeddings and heads unless told", () => {
    const inner = (plain.arch.linears(plain.config) as LinearInfo[]).filter(isInner);
    expect(adaptedPaths(adapt(plain))).toEqual(inner.map(({ path }) => path));
  });

  test("merged and unmerged give the same", async () => {
    const model = drawn(adapt(plain, { ...options, rankStabilized: true }));
    const [apart, merged] = [await logits(model, family.batch), await logits(merge(model), family.batch)];
    expect(adaptedPaths(merge(model))).toEqual([]);
    expect(worst(merged, apart)).toBeLessThan(1e-5 * Math.max(1, ...apart.map(Math.abs)));
    expect(worst(await logits(plain, family.batch), apart)).toBeGreaterThan(0.05);
  });

  test("two on one another merge as they multiply", async () => {
    const model = drawn(adapt(drawn(adapt(plain, options)), { ...options, seed: 1 }));
    const apart = await logits(model, family.batch);
    expect(worst(await logits(merge(model), family.batch), apart)).toBeLessThan(
      1e-5 * Math.max(1, ...apart.map(Math.abs)),
    );
  });

  test.each(["float32", 8, 4] as const)("over a base of %s, training changes A and B alone", async (bits) => {
    const base = bits === "float32" ? plain : quantized(plain, { bits });
    const model = adapt(base, options);
    const before = await heldOutLoss(engine, model, [family.batch], family.objective);
    const result = await trained(model, family);
    expect(result.valLoss).toBeLessThan(before.loss - 0.1);
    const [was, is] = [model, result.model].map((m) => new Map(tensorsOf(m.weights)));
    for (const [tensor, t] of was!) {
      const own = /\.weight\.[ab]$/.test(tensor);
      const same = Buffer.from(t.data.buffer).equals(Buffer.from(is!.get(tensor)!.data.buffer));
      expect(same, tensor).toBe(!own);
    }
    expect([...was!.keys()].filter((n) => /\.weight\.[ab]$/.test(n))).toHaveLength(
      2 * adaptedPaths(model).length,
    );
  });

  test.each([8, 4] as const)("over %i bits the loss falls along its gradient as that says", async (bits) => {
    const model = drawn(adapt(quantized(plain, { bits }), options));
    const frozen = besidesAdapters(model.weights);
    const own = [...trainedTensors(model.weights)].filter(([n]) => !frozen(n));
    const params = typesOf(Object.fromEntries(own));
    const program = trace({ params, batch: typesOf(family.batch) }, (given) => {
      const v = given as unknown as Record<"params" | "batch", Record<string, Value>>;
      const all = asParams(model.weights, new Map(Object.entries(v.params)));
      const { total } = batchTotals(model, all, family.objective, v.batch);
      return { total, grads: grad(total, v.params) as Tree<Value> };
    });
    const session = await compile(engine, program);
    const batch = Object.entries(family.batch).map(([n, t]) => [`batch.${n}`, t]);
    const run = async (moved: (name: string, t: Tensor) => Tensor) =>
      session.run(Object.fromEntries([...batch, ...own.map(([n, t]) => [`params.${n}`, moved(n, t)])]));
    const { total: _, ...grads } = await run((_, t) => t);
    for (const part of [".a", ".b"]) {
      const entries = own.filter(([n]) => n.endsWith(part)).map(([n]) => [n, grads[`grads.${n}`]!] as const);
      const slope = Math.hypot(...entries.flatMap(([, g]) => Array.from(g.data as Float32Array)));
      const by = new Map(entries);
      const lossAt = async (step: number): Promise<number> => {
        const out = await run((n, t) => {
          const g = by.get(n);
          if (g === undefined) return t;
          const values = Array.from(
            t.data as Float32Array,
            (v, i) => v + (step * (g.data[i] as number)) / slope,
          );
          return tensorOf("float32", t.shape, values);
        });
        return Number(out.total!.data[0]);
      };
      // Inputs of products are rounded to 13 bits, and to 8 bits in blocks: the step is far above that.
      const h = 0.05;
      const [near, far] = [
        (await lossAt(h)) - (await lossAt(-h)),
        (await lossAt(2 * h)) - (await lossAt(-2 * h)),
      ];
      const measured = (8 * near - far) / (12 * h);
      expect(Math.abs(measured / slope - 1), part).toBeLessThan(bits === 8 ? 0.03 : 0.1);
    }
    await session.dispose();
  });
});

describe("options", () => {
  const plain = modelOf("llama");
  const chosen = (targets: AdaptOptions["targets"] & object) => adaptedPaths(adapt(plain, { targets }));

  test("targets are ends of names", () => {
    expect(chosen(["q_proj", "layers.1.*.up_proj"])).toEqual([
      "model.layers.0.self_attn.q_proj.weight",
      "model.layers.1.self_attn.q_proj.weight",
      "model.layers.1.mlp.up_proj.weight",
    ]);
    expect(chosen(["embed_tokens"])).toEqual(["model.embed_tokens.weight"]);
  });

  test("an embedding that is adapted is looked up as its merged form is", async () => {
    const model = drawn(adapt(plain, { targets: ["embed_tokens"] }));
    const { batch } = families.llama!;
    expect(worst(await logits(merge(model), batch), await logits(model, batch))).toBeLessThan(1e-5);
  });

  test("dropout is drawn in training alone, anew at each step", async () => {
    const model = drawn(adapt(plain, { dropout: 0.5 }));
    const losses: number[] = [];
    const still = { steps: 2, schedule: () => 0, validation: [] };
    const family = families.llama!;
    const rows = (row: { loss?: number }) => row.loss !== undefined && losses.push(row.loss);
    await trained(model, family, { ...still, validation: undefined, onRow: rows });
    const { loss } = await heldOutLoss(engine, model, [family.batch], family.objective);
    expect(new Set(losses).size).toBe(2);
    for (const noisy of losses) expect(Math.abs(noisy - loss)).toBeGreaterThan(1e-4);
  });

  test.each<[AdaptOptions, RegExp]>([
    [{ rank: 0 }, /field "adapter.rank": must be an integer of at least 1, not 0/],
    [{ rank: 2.5 }, /field "adapter.rank"/],
    [{ alpha: Number.NaN }, /field "adapter.alpha": must be a number/],
    [{ dropout: 1 }, /field "adapter.dropout": must be at least 0 and below 1, not 1/],
    [{ targets: ["q_prok"] }, /field "adapter.targets": "q_prok" names no matrix of the model/],
    [{ targets: [] }, /field "adapter.targets": names no matrix/],
  ])("%j is refused", (options, message) => {
    expect(() => adapt(plain, options)).toThrow(message);
  });

  test("the nearest name is told where a target has none", () => {
    try {
      adapt(plain, { targets: ["q_prok"] });
      expect.unreachable();
    } catch (error) {
      expect((error as ConfigError).details.hint).toMatch(/^did you mean "q_proj"\?/);
    }
  });

  test("a model without adapters has nothing to merge, and one with them says so", () => {
    expect(() => merge(plain)).toThrow(/has no adapter to merge/);
    const { history } = merge(adapt(plain, { rank: 2 }));
    expect(history.map(({ name }) => name)).toEqual(["adapt", "merge"]);
    expect(history[0]!.options).toMatchObject({ rank: 2, alpha: 2, targets: "all-linear" });
  });
});
