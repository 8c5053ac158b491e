/** Adapters of Python PEFT read and written here; see golden/adapters.py. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { adapt, adapterFiles, isAdapted, merge, withAdapter } from "../src/adapters/index.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import { decodeSafetensors } from "../src/formats/safetensors/safetensors.ts";
import type { Value } from "../src/ir/op.ts";
import { trace } from "../src/ir/program.ts";
import { type Tensor, tensorOf } from "../src/ir/tensor.ts";
import type { Model } from "../src/models/model.ts";
import { architectures } from "../src/models/registry.ts";
import { asConstants, initialize, type ParamSpec, type Weight } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { flatten, mapTree, type Tree } from "../src/util/tree.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

interface Golden {
  readonly config: Readonly<Record<string, unknown>>;
  readonly adapter: Readonly<Record<string, unknown>>;
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly plain: readonly number[];
  readonly logits: readonly number[];
}
const { ids, target, cases } = JSON.parse(
  readFileSync(new URL("golden/adapters.json", import.meta.url), "utf8"),
) as { ids: number[][]; target: number[][]; cases: Record<string, Golden> };

const wave = (shape: readonly number[], at: (j: number) => number): Tensor => {
  const n = shape.reduce((a, b) => a * b, 1);
  return tensorOf(
    "float32",
    shape,
    Array.from({ length: n }, (_, j) => at(j)),
  );
};

const baseOf = (name: string, json: unknown): Model => {
  const arch = architectures[name]!;
  const config = arch.parse(json);
  const specs = arch.params(config) as Tree<ParamSpec>;
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  const weights = mapTree<ParamSpec, Tensor>(specs, ({ shape }, path) => {
    const one = /norm|ln_/i.test(path) && path.endsWith("weight") ? 1 : 0;
    return wave(shape, (j) => 0.3 * Math.sin(0.37 * j + 1.3 * order.indexOf(path)) + one);
  });
  return { arch, config, weights, history: [] };
};

const tensorsOfCase = ({ shapes }: Golden): Map<string, Tensor> =>
  new Map(
    Object.entries(shapes).map(([key, shape], i) => [
      key,
      wave(shape, (j) => 0.2 * Math.sin(0.53 * j + 0.7 * i)),
    ]),
  );

const logits = async ({ arch, config, weights }: Model): Promise<number[]> => {
  const given: Readonly<Record<string, Tensor>> = {
    inputIds: tensorOf("int32", [ids.length, ids[0]!.length], ids.flat()),
    ...(arch.kind === "seq2seq"
      ? { decoderInputIds: tensorOf("int32", [target.length, target[0]!.length], target.flat()) }
      : {}),
  };
  const types = Object.fromEntries(
    Object.entries(given).map(([name, { dtype, shape }]) => [name, { dtype, shape }]),
  );
  const program = trace(types, (values) => {
    const inputs = values as unknown as { inputIds: Value };
    return { logits: arch.forward(asConstants(weights), inputs, config).logits };
  });
  const session = await compile(engine, program);
  const out = await session.run(given);
  await session.dispose();
  return Array.from(out.logits!.data as Float32Array);
};

const worst = (a: readonly number[], b: readonly number[]): number => {
  expect(a.length).toBe(b.length);
  return a.reduce((most, v, i) => Math.max(most, Math.abs(v - b[i]!)), 0);
};

const textOf = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString();
const readBack = (files: ReadonlyMap<string, readonly Uint8Array[]>) => ({
  config: JSON.parse(textOf(files.get("adapter_config.json")!)) as Record<string, unknown>,
  tensors: decodeSafetensors(
    new Uint8Array(Buffer.concat(files.get("adapter_model.safetensors")!)),
    "adapter_model.safetensors",
  ).tensors,
});

describe.each(Object.entries(cases))("%s", (name, golden) => {
  const plain = baseOf(name.split("-")[0]!, golden.config);
  const model = withAdapter(plain, golden.adapter, tensorsOfCase(golden));
  const most = Math.max(1, ...golden.logits.map(Math.abs));
  // PEFT adds the names that a classifier may have.
  const named = golden.adapter.modules_to_save as string[] | null;
  const keys = Object.keys(golden.shapes);
  const saved = named?.filter((module) => keys.some((key) => key.endsWith(`.${module}.weight`))) ?? null;
  const bias = golden.adapter.bias as "none" | "all" | "lora_only";
  const given = { bias, ...(saved === null ? {} : { saved }) };
  // A bias of B's becomes one of the module: it is read, and not written.
  const isWritten = golden.adapter.lora_bias !== true;

  test("gives the logits that PEFT gives, merged too", async () => {
    expect(worst(await logits(plain), golden.plain)).toBeLessThan(1e-5 * most);
    expect(worst(await logits(model), golden.logits)).toBeLessThan(1e-5 * most);
    expect(worst(await logits(merge(model)), golden.logits)).toBeLessThan(1e-5 * most);
  });

  test.runIf(isWritten)("is written as PEFT writes it, but for an embedding's own weight", () => {
    const written = readBack(adapterFiles(model, given));
    const want = [...tensorsOfCase(golden)].filter(([key]) => !key.endsWith(".base_layer.weight"));
    expect(written.tensors).toEqual(new Map(want));
    const same = [
      "peft_type",
      "task_type",
      "r",
      "lora_alpha",
      "lora_dropout",
      "use_rslora",
      "fan_in_fan_out",
    ];
    expect(written.config.modules_to_save).toEqual(saved);
    const ids = golden.adapter.trainable_token_indices as readonly number[] | object | null;
    const tokens = Array.isArray(ids) ? [ids] : Object.values(ids ?? {});
    expect(Object.values(written.config.trainable_token_indices ?? {})).toEqual(tokens);
    for (const field of [...same, "bias", "use_dora"]) {
      expect(written.config[field], field).toEqual(golden.adapter[field]);
    }
    const modules = [...flatten<Weight>(model.weights)].flatMap(([path, w]) =>
      isAdapted(w) && w.kind.name !== "tokens" ? [path.replace(/\.weight$/, "")] : [],
    );
    expect(written.config.target_modules).toEqual(modules);
  });

  test.runIf(isWritten)("comes back from its files as it was", async () => {
    const { config, tensors } = readBack(adapterFiles(model, given));
    // An embedding's own weight is the base's.
    const whole = [...tensorsOfCase(golden)].filter(([key]) => key.endsWith(".base_layer.weight"));
    const again = withAdapter(plain, config, new Map([...tensors, ...whole]));
    expect(flatten<Weight>(again.weights)).toEqual(flatten<Weight>(model.weights));
  });
});

describe("what is refused", () => {
  const golden = cases.llama!;
  const plain = baseOf("llama", golden.config);
  const tensors = tensorsOfCase(golden);
  const key = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
  const without = new Map([...tensors].filter(([name]) => name !== key));

  test.each<[string, object, ReadonlyMap<string, Tensor>, RegExp]>([
    ["another method", { peft_type: "IA3" }, tensors, /adapter_config.json, field "peft_type": "IA3" is not/],
    [
      "repeated layers",
      { layer_replication: [[0, 1]] },
      tensors,
      /field "layer_replication": \[\[0,1\]\] is/,
    ],
    ["biases", { bias: "some" }, tensors, /field "bias": "some" is not supported/],
    [
      "rows of no tokens",
      {},
      new Map([
        ["base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta", wave([1, 16], () => 0)],
      ]),
      /field "trainable_token_indices": names no rows of model.embed_tokens/,
    ],
    [
      "rows of ids that are none",
      { trainable_token_indices: [1, "a"] },
      tensors,
      /field "trainable_token_indices": must be lists of token ids/,
    ],
    [
      "another width in several places",
      {},
      new Map(
        [...tensors].map(([name, t]) => [
          name,
          name.endsWith("q_proj.lora_A.weight") ? wave([4, 9], () => 0) : t,
        ]),
      ),
      /layers.0.self_attn.q_proj": has an adapter .*; so do not fit model.layers.1.self_attn.q_proj/,
    ],
    ["no alpha", { lora_alpha: undefined }, tensors, /field "lora_alpha": must be a number/],
    ["a pattern", { alpha_pattern: { "(q|v)_proj": 4 } }, tensors, /field "alpha_pattern"/],
    ["half an adapter", {}, without, /tensor "model.layers.0.self_attn.q_proj": lacks its lora_A/],
    [
      "another width",
      {},
      new Map([...tensors, [key, wave([4, 9], () => 0)]]),
      /q_proj": has an adapter of A \[4, 9\] and B \[32, 4\], and 16 inputs and 32 outputs/,
    ],
    [
      "another depth",
      {},
      new Map([...tensors, [key.replace("layers.0", "layers.7"), wave([4, 16], () => 0)]]),
      /tensor "model.layers.7.self_attn.q_proj": has an adapter, and is no matrix of the model/,
    ],
    [
      "a head of other labels",
      {},
      new Map([...tensors, ["base_model.model.score.weight", wave([2, 16], () => 0)]]),
      /tensor "score.weight": is \[2, 16\] in the adapter, and the model has nothing of that name/,
    ],
  ])("%s", (_, fields, given, message) => {
    expect(() => withAdapter(plain, { ...golden.adapter, ...fields }, given)).toThrow(message);
  });

  test("to write a model without adapters, with two on one another, or a module that is not there", () => {
    expect(() => adapterFiles(plain)).toThrow(/has no adapter to write/);
    expect(() => adapterFiles(adapt(adapt(plain)))).toThrow(/has two adapters on one another/);
    expect(() => adapterFiles(adapt(plain), { saved: ["classifier"] })).toThrow(/classifier is no module/);
  });
});

test("a bare body has the names of its own class", () => {
  const { arch, config } = baseOf("bert", { ...cases.bert!.config, architectures: ["BertModel"] });
  const weights = initialize(arch.params(config) as Tree<ParamSpec>, 1);
  const model = adapt({ arch, config, weights, history: [] }, { targets: ["query"] });
  const { config: json, tensors } = readBack(adapterFiles(model));
  expect([...tensors.keys()][0]).toBe("base_model.model.encoder.layer.0.attention.self.query.lora_A.weight");
  expect(json.task_type).toBe("FEATURE_EXTRACTION");
  const again = withAdapter({ arch, config, weights, history: [] }, json, tensors);
  expect(flatten<Weight>(again.weights)).toEqual(flatten<Weight>(model.weights));
});
