import { describe, expect, test } from "vitest";
import { sizeOf, type Tensor, tensor, tensorOf, zeros } from "../../ir/tensor.ts";
import { initialize, type ParamSpec } from "../../nn/param.ts";
import { ConfigError, FormatError } from "../../util/errors.ts";
import { narrowBfloat16, narrowFloat16, widenBfloat16, widenFloat16 } from "../../util/float16.ts";
import { flatten, type Tree } from "../../util/tree.ts";
import type { Model } from "../model.ts";
import { architectures } from "../registry.ts";
import type { LoadOptions } from "./config.ts";
import { modelOf } from "./load.ts";

type Config = Readonly<Record<string, unknown>>;
type Tensors = ReadonlyMap<string, Tensor>;

const bert: Config = {
  model_type: "bert",
  architectures: ["BertForMaskedLM"],
  vocab_size: 11,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 12,
  max_position_embeddings: 6,
};
const gpt2: Config = { model_type: "gpt2", vocab_size: 11, n_positions: 6, n_embd: 8, n_layer: 2, n_head: 2 };
const llama: Config = {
  model_type: "llama",
  architectures: ["LlamaForCausalLM"],
  vocab_size: 11,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  intermediate_size: 12,
  max_position_embeddings: 6,
};

/** The weights of a config's own class, made from a seed. */
const checkpoint = (config: Config, seed = 1): Map<string, Tensor> => {
  const arch = architectures[config.model_type as string]!;
  return flatten<Tensor>(initialize(arch.params(arch.parse(config)) as Tree<ParamSpec>, seed));
};

const weightsOf = ({ weights }: Model): Map<string, Tensor> => flatten<Tensor>(weights as Tree<Tensor>);
const load = (config: Config, tensors: Tensors, options: LoadOptions = {}) =>
  modelOf(config, tensors, "model.safetensors", options);
const refusal = (config: Config, tensors: Tensors, options: LoadOptions = {}): FormatError | ConfigError => {
  try {
    load(config, tensors, options);
  } catch (error) {
    if (error instanceof FormatError || error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error("nothing was refused");
};

describe("names", () => {
  test.each([
    ["bert.", { ...bert, architectures: ["BertModel"] }],
    ["transformer.", gpt2],
    ["model.", llama],
  ])("a bare body, whose names lack %s, is the same model", (prefix, config) => {
    const tensors = checkpoint(config);
    const bare = new Map(
      [...tensors].map(([name, t]) => [name.startsWith(prefix) ? name.slice(prefix.length) : name, t]),
    );
    expect([...bare.keys()]).not.toEqual([...tensors.keys()]);
    const model = load(config, bare);
    expect(weightsOf(model)).toEqual(tensors);
    expect(model.history).toEqual([]);
  });

  test("buffers are no weights, under both names and of any dtype", () => {
    const tensors = checkpoint(gpt2);
    const more = new Map(tensors)
      .set("transformer.h.0.attn.bias", zeros({ dtype: "uint8", shape: [1, 1, 6, 6] }))
      .set("h.1.attn.masked_bias", zeros({ dtype: "int64", shape: [] }));
    expect(weightsOf(load(gpt2, more))).toEqual(tensors);
  });

  test("a weight that is given under both names is refused", () => {
    const tensors = checkpoint(gpt2);
    const twice = new Map(tensors).set("wpe.weight", tensors.get("transformer.wpe.weight")!);
    expect(refusal(gpt2, twice)).toMatchObject({ details: { tensor: "transformer.wpe.weight" } });
    expect(refusal(gpt2, twice).message).toMatch(/as "transformer.wpe.weight" and as "wpe.weight"/);
  });

  test("names of JavaScript's own are plain names", () => {
    const odd = new Map(checkpoint(gpt2)).set("__proto__", zeros({ dtype: "float32", shape: [1] }));
    expect(refusal(gpt2, odd).message).toMatch(/__proto__ is not part of the model \(found \[1\]\)/);
  });
});

describe("dtypes", () => {
  test.each([
    ["float16", narrowFloat16, widenFloat16],
    ["bfloat16", narrowBfloat16, widenBfloat16],
  ] as const)("%s becomes float32", (dtype, narrow, widen) => {
    const exact = new Map<string, Tensor>();
    const halves = new Map<string, Tensor>();
    for (const [name, t] of checkpoint(gpt2)) {
      const bits = new Uint16Array(sizeOf(t.shape));
      narrow(t.data as Float32Array, bits);
      const values = new Float32Array(bits.length);
      widen(bits, values);
      halves.set(name, tensor(dtype, t.shape, bits));
      exact.set(name, tensor("float32", t.shape, values));
    }
    expect(weightsOf(load(gpt2, halves))).toEqual(exact);
  });

  test("others are refused, with the tensor", () => {
    const wrong = new Map(checkpoint(gpt2)).set(
      "transformer.ln_f.bias",
      zeros({ dtype: "int64", shape: [8] }),
    );
    expect(refusal(gpt2, wrong).message).toMatch(/ln_f\.bias is int64 \(expected float32, float16 or/);
  });
});

describe("another task", () => {
  const pairs = Object.entries({ n: "negative", p: "positive" });
  const labels = pairs.map(([, label]) => label);

  test("the old head goes, the new one comes from the seed, and the history says so", () => {
    const tensors = checkpoint(bert);
    const options: LoadOptions = { task: "sequence-classification", labels, seed: 5 };
    const model = load(bert, tensors, options);
    expect(model.config).toMatchObject({
      architectures: ["BertForSequenceClassification"],
      id2label: { 0: "negative", 1: "positive" },
      label2id: { negative: 0, positive: 1 },
    });
    const fresh = [
      "classifier.bias",
      "classifier.weight",
      "bert.pooler.dense.bias",
      "bert.pooler.dense.weight",
    ];
    const [step, ...more] = model.history;
    expect(more).toEqual([]);
    const { task, dropped, initialized, seed } = step!.options as Record<string, unknown>;
    expect([step!.name, task, seed]).toEqual(["newHead", "sequence-classification", 5]);
    expect([...(initialized as string[])].sort()).toEqual([...fresh].sort());
    expect([...(dropped as string[])].sort()).toEqual(
      [...tensors.keys()].filter((n) => /^cls\./.test(n)).sort(),
    );
    const weights = weightsOf(model);
    for (const [name, t] of weights) if (!fresh.includes(name)) expect(t, name).toEqual(tensors.get(name));
    const again = weightsOf(load(bert, tensors, options));
    const other = weightsOf(load(bert, tensors, { ...options, seed: 6 }));
    expect(again).toEqual(weights);
    expect(other.get("classifier.weight")).not.toEqual(weights.get("classifier.weight"));
  });

  test("the checkpoint's own task changes nothing", () => {
    const tensors = checkpoint(bert);
    const model = load(bert, tensors, { task: "masked-lm", seed: 5 });
    expect(weightsOf(model)).toEqual(tensors);
    expect(model.history).toEqual([]);
  });

  test("other labels than the checkpoint's need a new head, of the same task too", () => {
    const config = { ...bert, architectures: ["BertForSequenceClassification"] };
    const tensors = checkpoint(config);
    expect(load(config, tensors, { labels }).history).toEqual([]);
    const model = load(config, tensors, { labels: ["a", "b", "c"], seed: 2 });
    expect(weightsOf(model).get("classifier.weight")!.shape).toEqual([3, 8]);
    expect(weightsOf(model).get("bert.pooler.dense.weight")).toEqual(tensors.get("bert.pooler.dense.weight"));
    const head = ["classifier.weight", "classifier.bias"];
    expect(model.history[0]!.options).toMatchObject({ dropped: head, initialized: head, seed: 2 });
    const short = new Map(tensors).set("bert.pooler.dense.bias", zeros({ dtype: "float32", shape: [7] }));
    expect(refusal(config, short, { labels }).message).toMatch(
      /pooler\.dense\.bias is \[7\] \(expected \[8\]\)/,
    );
  });

  test("a head of the same name and shape, of another task, is made anew", () => {
    const config = { ...bert, architectures: ["BertForTokenClassification"] };
    const tensors = checkpoint(config);
    const model = load(config, tensors, { task: "sequence-classification", seed: 2 });
    expect(weightsOf(model).get("classifier.weight")).not.toEqual(tensors.get("classifier.weight"));
    expect(model.history[0]!.options).toMatchObject({ dropped: ["classifier.weight", "classifier.bias"] });
  });

  test("the body is never made anew", () => {
    const short = checkpoint(bert);
    short.delete("bert.encoder.layer.1.output.dense.weight");
    const error = refusal(bert, short, { task: "features" });
    expect(error.message).toMatch(/layer\.1\.output\.dense\.weight is missing \(expected \[8, 12\]\)/);
  });

  test("a class that is not known can give its body to a task that is", () => {
    const config = { ...bert, architectures: ["BertForQuestionAnswering"] };
    const body = checkpoint({ ...bert, architectures: ["BertModel"] });
    const tensors = new Map(body).set("qa_outputs.weight", zeros({ dtype: "float32", shape: [2, 8] }));
    expect(refusal(config, tensors)).toMatchObject({
      details: { file: "config.json", field: "architectures" },
    });
    const model = load(config, tensors, { task: "features" });
    expect(weightsOf(model)).toEqual(body);
    expect(model.history[0]!.options).toMatchObject({ dropped: ["qa_outputs.weight"], initialized: [] });
    const odd = new Map(tensors).set("bert.more.weight", zeros({ dtype: "float32", shape: [1] }));
    expect(refusal(config, odd, { task: "features" }).message).toMatch(/bert\.more\.weight is not part/);
    body.delete("bert.embeddings.LayerNorm.bias");
    expect(refusal(config, body, { task: "features" }).message).toMatch(/LayerNorm\.bias is missing/);
  });

  test("weights of another head of the family are left out, and that is said", () => {
    const tensors = checkpoint(bert);
    const more = new Map(tensors).set("classifier.weight", zeros({ dtype: "float32", shape: [2, 8] }));
    const model = load(bert, more);
    expect(weightsOf(model)).toEqual(tensors);
    expect(model.history[0]!.options).toMatchObject({ dropped: ["classifier.weight"] });
  });

  test("a task that the family has no head for is refused, with those that it has", () => {
    const error = refusal(gpt2, checkpoint(gpt2), { task: "masked-lm" });
    expect(error.message).toMatch(/has no head for masked-lm/);
    expect(error.details.hint).toMatch(/causal-lm/);
  });
});

describe("configs", () => {
  const none: Tensors = new Map();
  test.each([
    [null, "model_type"],
    [[], "model_type"],
    [{ model_type: 3 }, "model_type"],
    [{ model_type: "__proto__" }, "model_type"],
    [{ ...gpt2, n_head: 3 }, "n_head"],
    [{ ...gpt2, auto_map: { AutoModel: "modeling.Model" } }, "auto_map"],
    [{ ...gpt2, quantization_config: { bits: 4 } }, "quantization_config"],
    [{ ...gpt2, architectures: ["GPT2LMHead"] }, "architectures"],
    [{ model_type: "modernbert", architectures: [], num_hidden_layers: 2 ** 40 }, "num_hidden_layers"],
  ])("%j is refused with the file and the field", (config, field) => {
    const error = refusal(config as Config, none, { configFile: "dir/config.json" });
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain(`dir/config.json, field "${field}": `);
    expect(error.message.split("field ").length).toBe(2);
  });

  test.each([
    [{ ...gpt2, n_layer: 2 ** 40 }, "n_layer"],
    [{ ...llama, num_hidden_layers: 2 ** 40 }, "num_hidden_layers"],
    [{ ...bert, num_hidden_layers: 2 ** 40 }, "num_hidden_layers"],
  ])("more layers than there can be are refused before any is made", (config, field) => {
    const error = refusal(config, checkpoint({ ...config, [field]: 2 }));
    expect(error.message).toMatch(
      new RegExp(`field "${field}": is 1099511627776, but the checkpoint has \\d+`),
    );
  });

  test("the nearest names are offered", () => {
    expect(refusal({ ...llama, model_type: "lama" }, none).details.hint).toMatch(/did you mean "llama"\?/);
    expect(refusal({ ...llama, model_type: "zamba" }, none).details.hint).toMatch(/known: .*gpt2.*llama/);
  });
});

test("everything that does not fit is listed at once, up to a length", () => {
  const tensors = new Map(checkpoint(gpt2));
  for (const name of [...tensors.keys()].filter((n) => n.startsWith("transformer.h."))) tensors.delete(name);
  tensors.set("transformer.ln_f.weight", tensorOf("float32", [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]));
  tensors.set("extra", zeros({ dtype: "float32", shape: [3] }));
  const { message } = refusal(gpt2, tensors);
  expect(message).toMatch(/transformer\.h\.0\.ln_1\.weight is missing \(expected \[8\]\)/);
  expect(message).toMatch(/; and 18 more$/);
});
