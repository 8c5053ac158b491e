/** Neurons and heads that are cut, of every family: what is left computes what the whole does without them. */
import { beforeAll, describe, expect, test } from "vitest";
import { blockInfluence, mostInfluential } from "../src/compress/pruning/blockInfluence.ts";
import { chooseUnits, unitsToKeep } from "../src/compress/pruning/chooseUnits.ts";
import { unitScores } from "../src/compress/pruning/importance.ts";
import { keepUnits } from "../src/compress/pruning/keepUnits.ts";
import { restored } from "../src/compress/pruning/restore.ts";
import { inputAxis, type UnitKind, type Units, unitsOf } from "../src/compress/pruning/units.ts";
import { quantized } from "../src/compress/quantize.ts";
import { type SparsityName, sparsified, sparsityMethods } from "../src/compress/sparsity/sparsify.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine, Feeds } from "../src/engine/engine.ts";
import { trace } from "../src/ir/program.ts";
import { type Tensor, tensor, tensorOf } from "../src/ir/tensor.ts";
import type { Model } from "../src/models/model.ts";
import { architectures } from "../src/models/registry.ts";
import { asConstants, initialize, type ParamSpec, type Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { languageModelling } from "../src/tasks/index.ts";
import { flatten, mapTree, type Tree } from "../src/util/tree.ts";
import { encoderCases } from "./cases/encoders.ts";
import { modelCases } from "./cases/models.ts";
import { seq2seqCases } from "./cases/seq2seq.ts";
import { draw } from "./reference.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [B, T] = [4, 6];
const ids = (name: string): Tensor => tensorOf("int32", [B, T], draw(name, B * T, 2, 20).map(Math.floor));

/** Weights large enough that every unit tells. */
const modelOf = (name: string, more: object = {}): Model => {
  const arch = architectures[name]!;
  const { config: json } = { ...modelCases, ...encoderCases, ...seq2seqCases }[name]!;
  const config = arch.parse({ ...json, ...more });
  const weights = mapTree<Weight, Weight>(
    initialize(arch.params(config) as Tree<ParamSpec>, 1),
    (w, path) => {
      const more = draw(
        path,
        w.shape.reduce((a, b) => a * b, 1),
        -0.4,
        0.4,
      );
      return { ...(w as Tensor), data: ((w as Tensor).data as Float32Array).map((v, i) => v + more[i]!) };
    },
  );
  return { arch, config, weights, history: [] };
};

const logitsOf = async ({ arch, config, weights }: Model, inputIds: Tensor): Promise<Float32Array> => {
  const type = { dtype: "int32", shape: [B, T] } as const;
  const pair = arch.kind === "seq2seq";
  const program = trace({ inputIds: type }, ({ inputIds: x }) => ({
    out: arch.forward(asConstants(weights), { inputIds: x, ...(pair ? { decoderInputIds: x } : {}) }, config)
      .logits,
  }));
  const session = await compile(engine, program);
  try {
    return (await session.run({ inputIds })).out!.data as Float32Array;
  } finally {
    await session.dispose();
  }
};

/** The model in which what reads the units that are not kept is 0. */
const silenced = (
  model: Model,
  units: readonly Units[],
  kept: ReadonlyMap<string, readonly number[]>,
): Model => {
  const readers = new Map(units.map((own) => [own.reader.path, own]));
  const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
    const own = readers.get(path);
    if (own === undefined) return w;
    const stays = new Set(kept.get(own.name));
    const [axis, columns] = [inputAxis(own.reader), w.shape[1]!];
    const input = (at: number): number => (axis === 0 ? Math.floor(at / columns) : at % columns);
    const data = ((w as Tensor).data as Float32Array).map((v, at) =>
      stays.has(Math.floor(input(at) / own.each)) ? v : 0,
    );
    return { ...(w as Tensor), data };
  });
  return { ...model, weights };
};

const far = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);

const names = Object.keys({ ...modelCases, ...encoderCases, ...seq2seqCases });
const withNeurons = names.filter((name) => Object.keys(architectures[name]!.widths.neurons).length > 0);
const withHeads = names.filter((name) => architectures[name]!.widths.heads !== undefined);
/** One of each kind of stream: the others' bodies are theirs. */
const restores = ["gpt2", "llama", "bert", "t5"];
const cases = [
  ...withNeurons.map((name) => [name, "neurons"] as const),
  ...withHeads.map((name) => [name, "heads"] as const),
];

describe.each(cases)("%s, half of its %s", (name, kind: UnitKind) => {
  const model = modelOf(name);
  const units = unitsOf(model, kind);
  const batches = [ids("a"), ids("b")];

  test("what is left computes what the whole does without the rest; restoration brings it nearer", async () => {
    const kept = await chooseUnits(engine, model, { kind, keep: 0.5, by: "activation", batches });
    const cut = keepUnits(model, kind, kept);
    const [got, want, whole] = await Promise.all(
      [cut, silenced(model, units, kept), model].map((each) => logitsOf(each, batches[0]!)),
    );
    expect(far(got!, want!)).toBeLessThan(1e-4);
    expect(far(got!, whole!)).toBeGreaterThan(1e-2);
    const specs = flatten<ParamSpec>(cut.arch.params(cut.config) as Tree<ParamSpec>);
    for (const [path, w] of flatten<Weight>(cut.weights))
      expect(w.shape, path).toEqual(specs.get(path)!.shape);
    expect(cut.history.at(-1)!.name).toBe("keepUnits");
    if (!restores.includes(name)) return;
    const { model: fitted, matrices } = await restored(engine, cut, { whole: model, batches, damping: 1e-4 });
    expect(matrices).toBeGreaterThan(0);
    const square = (a: Float32Array) => a.reduce((sum, v, i) => sum + (v - whole![i]!) ** 2, 0);
    expect(square(await logitsOf(fitted, batches[0]!))).toBeLessThan(0.8 * square(got!));
  });
});

describe("importance", () => {
  const model = modelOf("llama");
  const units = unitsOf(model, "neurons");
  const batches = [ids("a")];

  test("by gradients is the squared change of a token's loss, to first order", async () => {
    const objective = languageModelling;
    const batch: Feeds = {
      inputIds: ids("a"),
      labels: tensor("int32", [B * T], new Int32Array(B * T).fill(-100)),
    };
    const labels = batch.labels!.data as Int32Array;
    labels[T - 1] = 7; // The loss of one token, which the last MLP's input at it alone changes.
    const scores = await unitScores(engine, model, units, {
      by: "taylor",
      lesson: { objective, batches: [batch] },
    });
    const last = units.at(-1)!;
    const lossOf = async (each: Model): Promise<number> => {
      const logits = await logitsOf(each, ids("a"));
      const vocab = each.config.vocab_size;
      const row = logits.subarray((T - 1) * vocab, T * vocab);
      return Math.log(row.reduce((sum, v) => sum + Math.exp(v), 0)) - row[7]!;
    };
    const step = 0.02;
    const turned = (unit: number): Model => ({
      ...model,
      weights: mapTree<Weight, Weight>(model.weights, (w, path) => {
        if (path !== last.reader.path) return w;
        const columns = w.shape[1]!;
        const data = ((w as Tensor).data as Float32Array).map((v, at) =>
          at % columns === unit ? v * (1 - step) : v,
        );
        return { ...(w as Tensor), data };
      }),
    });
    const before = await lossOf(model);
    for (const unit of [0, 5, 11]) {
      const change = ((await lossOf(turned(unit))) - before) / step;
      expect(Math.sqrt(scores.get(last.name)![unit]!)).toBeCloseTo(Math.abs(change), 2);
    }
  });

  test("units that read nothing go first, by each measure that looks", async () => {
    const idle = mapTree<Weight, Weight>(model.weights, (w, path) => {
      if (!path.endsWith("mlp.up_proj.weight") && !path.endsWith("mlp.up_proj.bias")) return w;
      const columns = w.shape[1] ?? 1;
      const data = ((w as Tensor).data as Float32Array).map((v, at) =>
        Math.floor(at / columns) % 2 === 1 ? 0 : v,
      );
      return { ...(w as Tensor), data };
    });
    const kept = await chooseUnits(
      engine,
      { ...model, weights: idle },
      { kind: "neurons", keep: 0.5, by: "activation", batches },
    );
    for (const own of kept.values()) expect(own.every((unit) => unit % 2 === 0)).toBe(true);
  });

  test("refuses numbers that are not finite, naming the layer, and measures without text", async () => {
    const path = "model.layers.1.mlp.down_proj.weight";
    const broken = mapTree<Weight, Weight>(model.weights, (w, at) =>
      at === path.replace("down", "up")
        ? { ...(w as Tensor), data: new Float32Array((w as Tensor).data.length).fill(Number.NaN) }
        : w,
    );
    const asked = chooseUnits(
      engine,
      { ...model, weights: broken },
      { kind: "neurons", keep: 0.5, by: "activation", batches },
    );
    await expect(asked).rejects.toThrow(/layers.1.mlp.down_proj.weight.*not finite/);
    await expect(unitScores(engine, model, units, { by: "activation" })).rejects.toThrow(
      /by activation needs text/,
    );
    await expect(unitScores(engine, model, units, { by: "taylor" })).rejects.toThrow(/needs text/);
    const packed = quantized(model, { bits: 8 });
    await expect(
      chooseUnits(engine, packed, { kind: "neurons", keep: 0.5, by: "magnitude" }),
    ).rejects.toThrow(/is int8/);
  });
});

describe("block influence", () => {
  test("of a layer that adds nothing is 0, and that layer goes first", async () => {
    const model = modelOf("llama");
    const weights = mapTree<Weight, Weight>(model.weights, (w, path) => {
      if (!/layers\.1\..*(o_proj|down_proj)/.test(path)) return w;
      return { ...(w as Tensor), data: new Float32Array((w as Tensor).data.length) };
    });
    const influence = await blockInfluence(engine, { ...model, weights }, [ids("a"), ids("b")]);
    expect(influence[0]).toBeGreaterThan(0.01);
    expect(influence[1]).toBeCloseTo(0, 5);
    expect(mostInfluential(influence, 1)).toEqual([0]);
  });
});

describe("zeros", () => {
  const model = modelOf("llama");
  const batches = [ids("a"), ids("b")];
  const shareOf = ({ data }: Tensor): number =>
    Array.from(data, Number).filter((v) => v === 0).length / data.length;

  test.each(Object.keys(sparsityMethods) as SparsityName[])(
    "%s: half of each matrix in layers",
    async (method) => {
      const pattern = { zeros: 2, of: 4 };
      const made = await sparsified(engine, model, { method, pattern, batches });
      expect([made.matrices, made.model.history.at(-1)]).toEqual([
        14,
        { name: "sparsify", options: { method, ...pattern } },
      ]);
      const inner = model.arch.linears(model.config).filter(({ layer }) => layer !== undefined);
      const [before, after] = [model, made.model].map(({ weights }) => flatten<Weight>(weights));
      for (const { path } of inner) expect(shareOf(after!.get(path) as Tensor), path).toBe(0.5);
      expect(after!.get("model.embed_tokens.weight")).toBe(before!.get("model.embed_tokens.weight"));
    },
  );

  test("refuses groups that do not divide, text that is not there, numbers that are none", async () => {
    const odd = sparsified(engine, model, { method: "magnitude", pattern: { zeros: 2, of: 5 } });
    await expect(odd).rejects.toThrow(/has 16 inputs, which do not divide into groups of 5/);
    const blind = sparsified(engine, model, { method: "wanda", pattern: { share: 0.5 } });
    await expect(blind).rejects.toThrow(/prune.method.*wanda looks at what layers read/);
    const broken = mapTree<Weight, Weight>(model.weights, (w, path) =>
      path === "model.layers.0.input_layernorm.weight"
        ? { ...(w as Tensor), data: new Float32Array((w as Tensor).data.length).fill(Number.NaN) }
        : w,
    );
    const asked = { method: "sparsegpt", pattern: { share: 0.5 }, batches } as const;
    const noNumbers = sparsified(engine, { ...model, weights: broken }, asked);
    await expect(noNumbers).rejects.toThrow(/layers.0.self_attn.q_proj.weight.*not finite/);
  });
});

describe("numbers of units", () => {
  const heads = { kind: "heads", count: 3, group: 3 } as const;
  const many = { kind: "neurons", count: 512, group: 1 } as const;
  test("shares and counts; neurons in multiples of 32 where there are enough", () => {
    expect([0.5, 0.3, 40, 512].map((asked) => unitsToKeep(asked, many))).toEqual([256, 160, 40, 512]);
    expect([0.34, 0.67, 3, 6, 9].map((asked) => unitsToKeep(asked, heads))).toEqual([1, 2, 1, 2, 3]);
  });
  test.each([
    [0, many, /prune.neurons.*share between 0 and 1 or a number from 1 to 512, not 0/],
    [1.5, many, /not 1.5/],
    [-0.5, many, /not -0.5/],
    [513, many, /not 513/],
    [Number.NaN, many, /not NaN/],
    [0.5, heads, /prune.heads.*0.5 of 9 heads, whose keys and values are shared by 3 each/],
    [4, heads, /prune.heads.*4 of 9 heads.*: it can be 3, 6, 9/],
  ])("%d of %j is refused", (asked, of, message) => {
    expect(() => unitsToKeep(asked, of)).toThrow(message);
  });
  test("families whose config says nothing of a head's width have none to cut, nor those whose gates share a matrix", () => {
    for (const name of names.filter((each) => !withNeurons.includes(each))) {
      expect(() => unitsOf(modelOf(name), "neurons")).toThrow(/neurons.*cannot be cut/);
    }
    for (const name of names.filter((each) => !withHeads.includes(each))) {
      expect(() => unitsOf(modelOf(name), "heads")).toThrow(/heads' widths add up to the hidden width/);
    }
  });
});
