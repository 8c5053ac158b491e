/**
 * Each field of a config.json off its default (golden/configs.py): the reference's numbers, or refused by that
 * field's name.
 */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { compile } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import { trace } from "../src/ir/program.ts";
import { type Tensor, type TensorType, tensorOf, zeros } from "../src/ir/tensor.ts";
import { modelOf } from "../src/models/checkpoint/load.ts";
import { headOf } from "../src/models/head.ts";
import type { Model } from "../src/models/model.ts";
import { architectures } from "../src/models/registry.ts";
import { asConstants, type ParamSpec } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { decoder } from "../src/serve/decode/decoding.ts";
import { ConfigError } from "../src/util/errors.ts";
import { flatten, type Tree } from "../src/util/tree.ts";

type Fields = Readonly<Record<string, unknown>>;

interface Row {
  readonly fields: Fields;
  readonly without?: readonly string[];
  readonly numbers?: readonly number[];
  /** Why the reference refuses it. */
  readonly error?: string;
}

const golden = JSON.parse(readFileSync(new URL("golden/configs.json", import.meta.url), "utf8")) as {
  readonly ids: readonly (readonly (number | null)[])[];
  readonly target: readonly (readonly number[])[];
  readonly small: Readonly<Record<string, Fields>>;
  readonly classes: Readonly<Record<string, string>>;
  readonly rows: Readonly<Record<string, readonly Row[]>>;
};

/** Fields that are refused, by family, off the values that mean what is computed here. */
const grouped = [
  "use_sliding_window",
  "layer_types",
  "rope_scaling",
  "rope_parameters",
  "partial_rotary_factor",
];
const encoders = ["is_decoder", "add_cross_attention", "position_embedding_type", "architectures"];
const refused: Readonly<Record<string, readonly string[]>> = {
  gpt2: ["activation_function", "add_cross_attention", "architectures"],
  // The reference reads no windows for Llama.
  llama: grouped.slice(2),
  qwen2: grouped,
  qwen3: grouped,
  bert: encoders,
  roberta: encoders,
  "xlm-roberta": encoders,
  mpnet: encoders,
  electra: encoders,
  modernbert: ["rope_parameters", "rope_scaling", "architectures"],
  t5: ["architectures"],
  // BART's fields, which the reference reads no more.
  marian: [
    ...["static_position_embeddings", "normalize_before", "add_final_layer_norm", "normalize_embedding"],
    "architectures",
  ],
};

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const hashed = (name: string): number => {
  let h = 2166136261;
  for (const byte of new TextEncoder().encode(name)) h = Math.imul(h ^ byte, 16777619) >>> 0;
  return (h % 1000) / 100;
};

const filled = (name: string, { dtype, shape }: ParamSpec): Tensor => {
  const t = zeros({ dtype, shape });
  const [h, one] = [hashed(name), /norm|ln_/i.test(name) && name.endsWith("weight") ? 1 : 0];
  (t.data as Float32Array).forEach((_, j, data) => {
    data[j] = 0.3 * Math.sin(0.37 * j + 0.017 * j * j + h) + one;
  });
  return t;
};

const configOf = (family: string, { fields, without = [] }: Row): Fields => {
  const all = {
    model_type: family,
    architectures: [golden.classes[family]!],
    ...golden.small[family],
    ...fields,
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !without.includes(name)));
};

/** The model of a config as the reference writes it: no tied weight under two names. */
const modelFor = (config: Fields): Model => {
  const arch = architectures[config.model_type as string]!;
  const parsed = arch.parse(config);
  const specs = flatten<ParamSpec>(arch.params(parsed) as Tree<ParamSpec>);
  for (const [alias, one] of Object.entries(arch.tied!(parsed))) if (specs.has(one)) specs.delete(alias);
  const tensors = new Map(Array.from(specs, ([name, spec]) => [name, filled(name, spec)]));
  return modelOf(config, tensors, "model.safetensors");
};

const grid = (rows: readonly (readonly number[])[]): Tensor =>
  tensorOf("int32", [rows.length, rows[0]!.length], rows.flat());

const logitsOf = async (model: Model): Promise<Tensor> => {
  const { pad_token_id: given } = model.config as { pad_token_id?: number | null };
  const pad = given ?? 0;
  const feeds: Record<string, Tensor> = {
    inputIds: grid(golden.ids.map((text) => text.map((id) => id ?? pad))),
    attentionMask: grid(golden.ids.map((text) => text.map((id) => (id === null ? 0 : 1)))),
    ...(model.arch.kind === "seq2seq" ? { decoderInputIds: grid(golden.target) } : {}),
  };
  const types = Object.fromEntries(
    Object.entries(feeds).map(([k, { dtype, shape }]): [string, TensorType] => [k, { dtype, shape }]),
  );
  const program = trace(types, (inputs) => ({
    logits: model.arch.forward(asConstants(model.weights), inputs as never, model.config).logits,
  }));
  const session = await compile(engine, program);
  const { logits } = await session.run(feeds);
  await session.dispose();
  return logits!;
};

/** The numbers that a row of the golden keeps. */
const kept = ({ data, shape }: Tensor): number[] => {
  const all = Array.from(data as Float32Array);
  if (shape.length === 2) return all;
  const [, t, n] = shape as [number, number, number];
  const at = (row: number) => all.slice(row * n, row * n + Math.min(6, n));
  return [...at(t - 1), ...at(t + 1)];
};

const far = (got: readonly number[], want: readonly number[]): number =>
  got.length === want.length
    ? Math.max(...got.map((x, i) => Math.abs(x - want[i]!) / Math.max(1, Math.abs(want[i]!))))
    : Number.POSITIVE_INFINITY;

test("every architecture has rows", () => {
  // transformers has no static models.
  const known = Object.keys(architectures).filter((name) => name !== "model2vec");
  expect(Object.keys(golden.rows).sort()).toEqual(known.sort());
});

describe.each(Object.entries(golden.rows))("%s", (family, rows) => {
  test.each(rows.map((row) => [JSON.stringify(row.fields), row] as const))("%s", async (_, row) => {
    const config = configOf(family, row);
    const named = Object.keys(row.fields).filter((name) => refused[family]?.includes(name) === true);
    if (row.numbers === undefined && named.length === 0) {
      // What the reference cannot compute is computed in a sensible way or refused; never an untyped error.
      try {
        modelFor(config);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
      }
      return;
    }
    let model: Model;
    try {
      model = modelFor(config);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      expect(named).toContain((error as ConfigError).details.field?.split(".")[0]);
      return;
    }
    expect(far(kept(await logitsOf(model)), row.numbers!)).toBeLessThan(2e-4);
    if (model.arch.kind !== "decoder" || headOf(model.arch, model.config) !== "causal-lm") return;
    // The graph that decodes against a cache is another one.
    const made = await decoder(engine, model);
    const ids = golden.ids[0] as readonly number[];
    const logits = await made.step(made.cache(ids.length + 1, [0]), [...ids], 0, 0);
    const last = Array.from(logits.slice(-model.config.vocab_size)).slice(0, 6);
    expect(far(last, row.numbers!.slice(0, 6))).toBeLessThan(2e-4);
    await made.dispose();
  });
});
