/** A model with fewer tokens computes what it did, under other ids. */
import { beforeAll, describe, expect, test } from "vitest";
import { cutVocabulary, idsNamedIn, withNewIds } from "../src/compress/cutVocabulary.ts";
import { quantized } from "../src/compress/quantize.ts";
import { compile } from "../src/engine/compile.ts";
import type { Engine } from "../src/engine/engine.ts";
import { trace } from "../src/ir/program.ts";
import { tensorOf } from "../src/ir/tensor.ts";
import type { Architecture, Model } from "../src/models/model.ts";
import { architectures } from "../src/models/registry.ts";
import { asConstants, initialize, type ParamSpec } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { ConfigError } from "../src/util/errors.ts";
import type { Tree } from "../src/util/tree.ts";
import { encoderCases } from "./cases/encoders.ts";
import { modelCases } from "./cases/models.ts";
import { seq2seqCases } from "./cases/seq2seq.ts";
import { draw } from "./reference.ts";

let engine: Engine;
beforeAll(async () => {
  engine = await nodeEngine({ threads: 1 });
});

const [B, T] = [2, 5];
const drawn = (name: string): number[] => draw(name, B * T, 2, 20).map(Math.floor);

const modelOf = (arch: Architecture, json: object): Model => {
  const config = arch.parse(json);
  return { arch, config, weights: initialize(arch.params(config) as Tree<ParamSpec>, 1), history: [] };
};

const logitsOf = async ({ arch, config, weights }: Model, ids: readonly (readonly number[])[]) => {
  const type = { dtype: "int32", shape: [B, T] } as const;
  const types = arch.kind === "seq2seq" ? { inputIds: type, decoderInputIds: type } : { inputIds: type };
  const program = trace(types, (inputs) => ({
    logits: arch.forward(asConstants(weights), inputs, config).logits,
  }));
  const session = await compile(engine, program);
  const feeds = Object.keys(types).map((name, i) => [name, tensorOf("int32", [B, T], ids[i]!)]);
  const { logits } = await session.run(Object.fromEntries(feeds));
  await session.dispose();
  return logits!;
};

const rows = Object.entries({ ...modelCases, ...encoderCases, ...seq2seqCases }).flatMap(
  ([name, { config }]) =>
    Object.entries(architectures[name]!.classes).flatMap(([head, kind]) =>
      [true, false].map((tied) => {
        const json = { ...config, tie_word_embeddings: tied, architectures: [kind] };
        return [`${name}, ${head}, ${tied ? "tied" : "untied"}`, architectures[name]!, json] as const;
      }),
    ),
);

describe.each(rows)("%s", (_, arch, json) => {
  test("the same logits of the tokens that are left, and a config that names them", async () => {
    const model = modelOf(arch, json);
    const texts = [drawn("source"), drawn("target")];
    const kept = new Set([...texts.flat(), ...idsNamedIn(model.config)]);
    const ids = Uint32Array.from(kept).sort();
    const newId = (id: number) => ids.indexOf(id);
    const cut = cutVocabulary(model, ids);
    expect(cut.config.vocab_size).toBe(ids.length);
    expect(cut.history.at(-1)).toEqual({
      name: "cutVocabulary",
      options: { from: model.config.vocab_size, to: ids.length },
    });
    for (const [name, value] of Object.entries(model.config)) {
      if (!/_token_id$/.test(name) || typeof value !== "number" || value < 0) continue;
      expect(cut.config[name as keyof typeof cut.config], name).toBe(newId(value));
    }
    const before = await logitsOf(model, texts);
    const after = await logitsOf(
      cut,
      texts.map((text) => text.map(newId)),
    );
    const [all, some] = [before.shape.at(-1)!, after.shape.at(-1)!];
    const columns = all === model.config.vocab_size ? ids : Uint32Array.from({ length: all }, (_, i) => i);
    expect(some).toBe(columns.length);
    for (let i = 0; i < after.data.length; i++) {
      const was = before.data[Math.floor(i / some) * all + columns[i % some]!];
      expect(Math.abs(Number(after.data[i]) - Number(was))).toBeLessThan(1e-5);
    }
  });
});

test("settings that name a token that is gone lose it", () => {
  const config = {
    eos_token_id: [5, 9],
    suppress_tokens: [3, 5],
    bad_words_ids: [[5, 3], [9]],
    pad_token_id: -1,
  };
  expect(withNewIds({ ...config, top_k: 50, forced_eos_token_id: null }, Uint32Array.of(5, 9))).toEqual({
    ...{ eos_token_id: [0, 1], suppress_tokens: [0], bad_words_ids: [[1]], pad_token_id: -1 },
    ...{ top_k: 50, forced_eos_token_id: null },
  });
});

test("packed weights are refused by name", () => {
  const { config } = modelCases.gpt2!;
  const model = modelOf(architectures.gpt2!, config);
  const packed = quantized(model, { bits: 8 });
  expect(() => cutVocabulary(packed, Uint32Array.of(0, 1, 2))).toThrow(ConfigError);
});
