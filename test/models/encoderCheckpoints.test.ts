/** Every encoder's checkpoints, configs and objectives, and the masking of its texts. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { maskTokens } from "../../src/data/batch/masking.ts";
import { input } from "../../src/ir/op.ts";
import { type Tensor, tensorOf } from "../../src/ir/tensor.ts";
import { modelOf } from "../../src/models/checkpoint/load.ts";
import { headOf } from "../../src/models/head.ts";
import { architectures } from "../../src/models/index.ts";
import type { Model, ModelConfig } from "../../src/models/model.ts";
import type { ParamSpec, Weight } from "../../src/nn/param.ts";
import { encoderObjective } from "../../src/tasks/encoderObjective.ts";
import { sequenceClassification } from "../../src/tasks/sequenceClassification.ts";
import { ConfigError } from "../../src/util/errors.ts";
import { flatten, type Tree } from "../../src/util/tree.ts";
import { encoderCases } from "../cases/encoders.ts";
import { type Case, sineModel, specsOf } from "./encoders.ts";

describe.each(Object.entries(encoderCases))("%s", (name, row) => {
  const arch = architectures[name]!;
  const url = new URL(`../golden/${row.golden}`, import.meta.url);
  const { cases } = JSON.parse(readFileSync(url, "utf8")) as { cases: Readonly<Record<string, Case>> };
  describe("checkpoints", () => {
    const load = (config: object, tensors: ReadonlyMap<string, Tensor>, options = {}): Model =>
      modelOf({ ...row.config, ...config }, tensors, "model.safetensors", options);
    const body = (kind: string) =>
      sineModel({ ...row.config, architectures: [arch.classes[kind as "features"]] });
    const bare = (model: Model): Map<string, Tensor> =>
      new Map(
        [...flatten<Tensor>(model.weights as Tree<Tensor>)].map(([path, t]) => [
          path.replace(`${arch.base}.`, ""),
          t,
        ]),
      );

    test("of a bare body load with and without a pooler, whatever its names of old", async () => {
      const model = body("features");
      const config = { architectures: [arch.classes.features] };
      const plain = bare(model);
      expect(load(config, plain).weights).toEqual(model.weights);
      const square = tensorOf(
        "float32",
        [16, 16],
        Array.from({ length: 256 }, () => 1),
      );
      const pooled = new Map([...plain, ["pooler.dense.weight", square]]);
      if (!["distilbert", "electra", "modernbert"].includes(name))
        expect(load(config, pooled).weights).toEqual(model.weights);
      const old = [...plain].map(([path, t]): [string, Tensor] => [
        path.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"),
        t,
      ]);
      const ids: [string, Tensor] = ["embeddings.position_ids", tensorOf("int64", [1, 2], [0, 1])];
      expect(load(config, new Map([...old, ids])).weights).toEqual(model.weights);
    });

    test("of a masked language model load as it and become a classifier with a new head", () => {
      const model = body("masked-lm");
      const weights = flatten<Tensor>(model.weights as Tree<Tensor>);
      const twins = Object.entries(arch.tied!(model.config)).map(
        ([alias, one]) => [alias, weights.get(one)!] as const,
      );
      expect(twins.length).toBeGreaterThan(0);
      const tensors = new Map([...weights, ...twins]);
      const config = { architectures: [arch.classes["masked-lm"]] };
      expect(load(config, tensors).weights).toEqual(model.weights);
      const made = load(config, tensors, { task: "sequence-classification", labels: ["no", "yes", "maybe"] });
      expect(headOf(arch, made.config)).toBe("sequence-classification");
      expect((made.config as { id2label?: object }).id2label).toEqual({ 0: "no", 1: "yes", 2: "maybe" });
      const [before, after] = [flatten<Weight>(model.weights), flatten<Weight>(made.weights)];
      for (const [path, t] of after) if (before.has(path)) expect(t, path).toEqual(before.get(path));
      expect([...after.keys()].sort()).toEqual(
        [...flatten<ParamSpec>(specsOf(made.config as never)).keys()].sort(),
      );
    });
  });

  test.each(row.names)("of %s, %s is %s", (kind, theirs, ours) => {
    const config = arch.parse({ ...row.config, architectures: [kind] }) as ModelConfig;
    expect(arch.rename!(theirs, config)).toBe(ours);
    if (ours === null || kind.endsWith("Model")) return;
    expect([...flatten<ParamSpec>(specsOf(config as never)).keys()]).toContain(ours);
  });

  test("names that are right stay", () => {
    for (const { config } of Object.values(cases)) {
      const parsed = arch.parse(config) as ModelConfig;
      for (const path of flatten<ParamSpec>(specsOf(config)).keys()) {
        expect(arch.rename!(path, parsed)).toBe(path);
      }
    }
  });

  describe("config", () => {
    test("a parsed config parses to itself, of every task", () => {
      for (const kind of Object.values(arch.classes)) {
        const parsed = arch.parse({ ...row.config, architectures: [kind] });
        expect(arch.parse(JSON.parse(JSON.stringify(parsed)))).toEqual(parsed);
      }
    });

    test("labels have Hugging Face's default names, those given, or a number", () => {
      const labels = (fields: object) =>
        (arch.parse({ ...row.config, ...fields }) as { id2label: unknown }).id2label;
      expect(labels({})).toEqual({ 0: "LABEL_0", 1: "LABEL_1" });
      expect(labels({ num_labels: 3 })).toEqual({ 0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2" });
      expect(labels({ id2label: { 0: "O", 1: "B-PER" }, num_labels: 2 })).toEqual({ 0: "O", 1: "B-PER" });
    });

    test.each(row.wrong)("%j is refused by name", (fields, message) => {
      const json = { ...row.config, ...fields };
      expect(() => arch.parse(json)).toThrow(ConfigError);
      expect(() => arch.parse(json)).toThrow(message);
    });

    test.each([[null], [[]], ["bert"], [3]])("%j is no config", (json) => {
      expect(() => arch.parse(json)).toThrow(ConfigError);
    });
  });
});

describe("objectives", () => {
  const { config } = (
    JSON.parse(readFileSync(new URL("../golden/bert.json", import.meta.url), "utf8")) as {
      cases: Record<string, Case>;
    }
  ).cases["sequence-classification"]!;

  test("the features of a text are no task to train", () => {
    const model = sineModel({ ...config, architectures: ["BertModel"] });
    expect(() => encoderObjective(model)).toThrow(/field "architectures": names a model for features/);
  });

  test.each(["multi_label_classification", "regression"])("%s can be loaded, not learnt", (problem_type) => {
    const model = sineModel({ ...config, problem_type });
    expect(() => encoderObjective(model)).toThrow(/field "problem_type": is "\w+"; only one label/);
  });

  test("a classifier of one label is refused", () => {
    const one = input("one", { dtype: "float32", shape: [2, 1] });
    const outputs = { hidden: one, logits: one, present: [] };
    expect(() => sequenceClassification().totals(outputs, { labels: one })).toThrow(/field "num_labels"/);
  });
});

describe("masking", () => {
  const special = new Set([0, 1, 2, 3]);
  const base = { vocab: 50, maskId: 3, special, seed: 7, step: 5 };
  const tokens = Array.from({ length: 40_000 }, (_, i) => (i % 10 === 0 ? i % 3 : 4 + (i % 46)));

  test("takes 15 % of the tokens: 80 % masks, 10 % others, 10 % as they were", () => {
    const { ids, labels } = maskTokens(tokens, base);
    const count = { taken: 0, masks: 0, others: 0, same: 0, free: 0 };
    tokens.forEach((id, i) => {
      if (!special.has(id)) count.free++;
      if (labels[i] === -100) {
        expect(ids[i]).toBe(id);
        return;
      }
      expect(labels[i]).toBe(id);
      expect(special.has(id)).toBe(false);
      count.taken++;
      if (ids[i] === 3) count.masks++;
      else if (ids[i] === id) count.same++;
      else count.others++;
      if (ids[i] !== 3) expect(special.has(ids[i]!)).toBe(false);
    });
    expect(count.taken / count.free).toBeCloseTo(0.15, 2);
    expect(count.masks / count.taken).toBeCloseTo(0.8, 1);
    expect(count.others / count.taken).toBeCloseTo(0.1, 1);
    expect(count.same / count.taken).toBeCloseTo(0.1, 1);
  });

  test("is a function of seed and step", () => {
    expect(maskTokens(tokens, base)).toEqual(maskTokens(tokens, base));
    for (const other of [{ seed: 8 }, { step: 6 }, { step: 5 + 2 ** 20 }]) {
      expect(maskTokens(tokens, { ...base, ...other }).labels).not.toEqual(maskTokens(tokens, base).labels);
    }
  });

  test.each([
    [{ rate: 0 }, /field "rate"/],
    [{ rate: 1.1 }, /field "rate"/],
    [{ maskId: 50 }, /field "maskId": is 50, outside the vocabulary of 50/],
    [{ vocab: 4 }, /field "vocab": has no tokens but special ones/],
  ])("%j is refused", (fields, message) => {
    expect(() => maskTokens(tokens, { ...base, ...fields })).toThrow(message);
  });
});
