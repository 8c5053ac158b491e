import { describe, expect, test } from "vitest";
import { type Tensor, zeros } from "../ir/tensor.ts";
import { initialize, type ParamSpec } from "../nn/param.ts";
import { flatten, type Tree } from "../util/tree.ts";
import { modelOf } from "./checkpoint/load.ts";
import { architectures } from "./registry.ts";

type Config = Readonly<Record<string, unknown>>;

const size = { vocab_size: 11, hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2 };
const small = { ...size, intermediate_size: 12, max_position_embeddings: 8 };

const checkpoint = (config: Config, seed = 1): Map<string, Tensor> => {
  const arch = architectures[config.model_type as string]!;
  return flatten<Tensor>(initialize(arch.params(arch.parse(config)) as Tree<ParamSpec>, seed));
};
const load = (config: Config, tensors: ReadonlyMap<string, Tensor>) => {
  const { config: own, weights, history } = modelOf(config, tensors, "model.safetensors");
  return { own: own as Config, weights: flatten<Tensor>(weights as Tree<Tensor>), history };
};

describe("a config without a class", () => {
  const config = { model_type: "bert", ...small };
  test.each([[[]], [null], [undefined]])(
    "(%j) has the first that the weights suffice for",
    (architectures) => {
      const classOf = (name: string): unknown => {
        const tensors = checkpoint({ ...config, architectures: [name] });
        return load({ ...config, architectures }, tensors).own.architectures;
      };
      for (const name of ["MaskedLM", "SequenceClassification", "TokenClassification"]) {
        expect(classOf(`BertFor${name}`)).toEqual([`BertFor${name}`]);
      }
      expect(classOf("BertModel")).toEqual(["BertModel"]);
    },
  );

  test("and asked for another task has its own head still", () => {
    const classes = { architectures: ["BertForSequenceClassification"] };
    const tensors = checkpoint({ ...config, ...classes });
    const model = modelOf({ ...config, architectures: [] }, tensors, "model.safetensors", {
      task: "sequence-classification",
    });
    expect(flatten<Tensor>(model.weights as Tree<Tensor>)).toEqual(tensors);
    expect(model.history).toEqual([]);
  });

  test("has the family's first class where they suffice for none", () => {
    const body = checkpoint({ ...config, architectures: ["BertModel"] });
    body.delete("bert.embeddings.LayerNorm.bias");
    expect(() => load({ ...config, architectures: [] }, body)).toThrow(/cls\.predictions\.bias is missing/);
  });
});

describe("a config that names a head of which there is nothing", () => {
  test.each([
    ["bert", "BertForMaskedLM", "BertModel"],
    ["mpnet", "MPNetForMaskedLM", "MPNetModel"],
    ["xlm-roberta", "XLMRobertaForSequenceClassification", "XLMRobertaModel"],
  ])("(%s, %s) is of features, and that is said", (model_type, named, features) => {
    const body = checkpoint({ model_type, ...small, architectures: [features] });
    const base = architectures[model_type]!.base!;
    const bare = new Map([...body].map(([name, t]) => [name.replace(`${base}.`, ""), t]));
    bare.set("pooler.dense.weight", zeros({ dtype: "float32", shape: [8, 8] }));
    const { own, weights, history } = load({ model_type, ...small, architectures: [named] }, bare);
    expect(own.architectures).toEqual([features]);
    expect(weights).toEqual(body);
    expect(history).toMatchObject([{ name: "bareBody", options: { named } }]);
  });

  test("is refused where it is asked for, where a part of it is there, and of a decoder", () => {
    const config = { model_type: "bert", ...small, architectures: ["BertForMaskedLM"] };
    const body = checkpoint({ ...config, architectures: ["BertModel"] });
    const missing = /cls\.predictions\.transform\.dense\.weight is missing/;
    expect(() => modelOf(config, body, "model.safetensors", { task: "masked-lm" })).toThrow(missing);
    const part = new Map(body).set("cls.predictions.bias", zeros({ dtype: "float32", shape: [11] }));
    expect(() => load(config, part)).toThrow(missing);
    const llama = { model_type: "llama", ...small, architectures: ["LlamaForCausalLM"] };
    const headless = checkpoint({ ...llama, architectures: ["LlamaModel"] });
    expect(() => load(llama, headless)).toThrow(/lm_head\.weight is missing/);
  });
});
