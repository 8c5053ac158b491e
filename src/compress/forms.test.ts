import { beforeAll, describe, expect, test } from "vitest";
import type { Engine } from "../engine/engine.ts";
import type { Tensor } from "../ir/tensor.ts";
import { llama, llamaConfig } from "../models/decoders/llama.ts";
import { bert, bertConfig } from "../models/encoders/bert.ts";
import { packable } from "../models/linears.ts";
import type { Model } from "../models/model.ts";
import { initialize, type ParamSpec, type Weight } from "../nn/param.ts";
import { nodeEngine } from "../node/runtime/engine.ts";
import { mapTree, type Tree } from "../util/tree.ts";
import { int8Forms } from "./forms.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const WIDTH = 384;
const STRONG = [5, 380];
const texts = [Array.from({ length: 60 }, (_, i) => (7 * i + (i % 5)) % 40)];

/** Weights of a seed, in which some channels of every norm are large. */
const planted = (arch: Model["arch"], config: Model["config"]): Model => {
  const plain = initialize(arch.params(config) as Tree<ParamSpec>, 1);
  const weights = mapTree<Weight, Weight>(plain as Tree<Weight>, (w, path) => {
    if (!/norm/i.test(path) || !path.endsWith("weight")) return w;
    const data = Float32Array.from((w as Tensor).data as Float32Array, (v, i) =>
      STRONG.includes(i) ? 30 * v : v,
    );
    return { ...(w as Tensor), data };
  });
  return { arch, config, weights, history: [] };
};

const sizes = {
  ...{ vocab_size: 40, hidden_size: WIDTH, num_hidden_layers: 3, num_attention_heads: 4 },
  ...{ max_position_embeddings: 64, initializer_range: 0.05 },
};
const decoder = () =>
  planted(llama, llamaConfig({ ...sizes, intermediate_size: 512, num_key_value_heads: 2 }));
const encoder = () =>
  planted(bert, bertConfig({ ...sizes, intermediate_size: 512, architectures: ["BertModel"] }));

describe.each([
  ["a decoder", decoder],
  ["an encoder of features", encoder],
])("%s", (_, made) => {
  const model = made();
  const known = packable(model.arch.linears(model.config));

  test("has a form for every matrix that is multiplied by; what is strong stands apart, of a number that is few", async () => {
    const forms = await int8Forms(engine, model, texts);
    const multiplied = [...known.values()].filter(({ reads }) => reads !== undefined);
    expect([...forms.keys()].sort()).toEqual(multiplied.map(({ path }) => path).sort());
    for (const [path, { digits, strong, steps, rotation }] of forms) {
      const { reads } = known.get(path)!;
      expect(strong).toEqual([...strong].sort((a, b) => a - b));
      if (digits === 0) {
        expect(strong).toEqual([]);
        continue;
      }
      if (steps !== undefined) {
        expect([0, 16], path).toContain(strong.length);
        continue;
      }
      const apart = rotation === undefined ? 16 : (/down_proj|output\.dense/.test(path) ? 512 : WIDTH) / 16;
      // Norms have strong channels; what attention or an MLP makes need not have any.
      if (/attention|mlp/.test(reads!)) {
        expect(strong.length, path).toBe(apart);
        expect(strong, path).toEqual(expect.arrayContaining(STRONG));
      } else expect([0, apart], path).toContain(strong.length);
    }
  });

  test("gives products of one input one form, small ones no digits, and some of the others one digit", async () => {
    const forms = await int8Forms(engine, model, texts);
    const byReads = new Map<string, Set<string>>();
    for (const [path, form] of forms) {
      const { reads } = known.get(path)!;
      byReads.set(reads!, (byReads.get(reads!) ?? new Set()).add(JSON.stringify(form)));
    }
    for (const [reads, different] of byReads) expect(different.size, reads).toBe(1);
    const digits = new Set(Array.from(forms.values(), (form) => form.digits));
    expect(digits).toContain(1);
    const head = [...forms].find(([path]) => /embed_tokens/.test(path));
    if (head !== undefined) expect(head[1].digits).toBe(0);
  });

  test("fixes steps of an encoder's inputs alone, longer ones of those that are strong", async () => {
    const fixed = [...(await int8Forms(engine, model, texts))].filter(([, { steps }]) => steps !== undefined);
    expect(fixed.length > 0).toBe(model.arch.kind === "encoder");
    for (const [path, { digits, steps, strong }] of fixed) {
      expect(digits).toBe(1);
      for (const i of strong) expect(steps![i], path).toBe(1);
      if (!/attention|mlp/.test(known.get(path)!.reads!)) continue;
      const middle = [...steps!].sort((a, b) => a - b)[steps!.length >> 1]!;
      for (const i of STRONG) if (!strong.includes(i)) expect(steps![i]! / middle, path).toBeGreaterThan(3);
    }
  });

  test("nothing stands apart where no channel is strong", async () => {
    const plain = { ...model, weights: initialize(model.arch.params(model.config) as Tree<ParamSpec>, 1) };
    // A gate's product with what it lets through has long tails.
    const forms = [...(await int8Forms(engine, plain, texts))].filter(
      ([path]) => !path.includes("down_proj"),
    );
    for (const [path, { strong }] of forms) expect(strong, path).toEqual([]);
  });

  test("finds the same again", async () => {
    expect(await int8Forms(engine, model, texts)).toEqual(await int8Forms(engine, model, texts));
  });
});
