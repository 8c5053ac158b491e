import { expect, test } from "vitest";
import { dequantized } from "../../compress/rounding/codes.ts";
import { llama, llamaConfig } from "../../models/decoders/llama.ts";
import type { Model } from "../../models/model.ts";
import { initialize, type PackedWeight, type Weight } from "../../nn/param.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { trainBpe } from "../../tokenizer/index.ts";
import { flatten } from "../../util/tree.ts";
import { defaults } from "../config/options.ts";
import { silent } from "../context/ui.ts";
import { methodFor, methodOf } from "./method.ts";
import { inBits, standingCodes } from "./standing.ts";

const tokenizer = trainBpe(["the boats came in and two men carried fish to the market"], { vocab: 270 });
const config = llamaConfig({
  ...{ vocab_size: 270, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2 },
  ...{ num_attention_heads: 4, num_key_value_heads: 4, max_position_embeddings: 128 },
});
const model = { arch: llama, config, weights: initialize(llama.params(config), 1), history: [] };
const options = (rank: number, baseBits: number) => ({
  ...defaults,
  adapter: { ...defaults.adapter, rank, baseBits },
});

test("what stands still in 4 bits is rounded by what layers read, tables and values keep 8, and adapters end on exact weights", async () => {
  const engine = await nodeEngine({ threads: 1 });
  const hooks = { ui: silent };
  const text = tokenizer.encode("By noon the square was full of people. ".repeat(40));
  const material = { kind: "text", train: text, validation: text } as const;
  const subject = { model, tokenizer, material };
  expect(await standingCodes(engine, subject, options(0, 4), hooks)).toBeUndefined();
  expect(await standingCodes(engine, subject, options(4, 8), hooks)).toBeUndefined();
  const codes = (await standingCodes(engine, subject, options(4, 4), hooks))!;
  expect([...codes.keys()].filter((path) => /embed|lm_head|v_proj/.test(path))).toEqual([]);

  const none = { isWhole: () => false };
  const [with_, without] = [
    inBits(model, 4, { ...none, codes }),
    inBits(model, 4, { ...none, codes: undefined }),
  ];
  const kinds = (made: Model) =>
    Object.fromEntries(
      [...flatten<Weight>(made.weights)].map(([path, w]) => [path, (w as PackedWeight).kind?.name]),
    );
  expect(kinds(with_)).toEqual(kinds(without));
  const { "model.embed_tokens.weight": table, ...others } = kinds(with_);
  expect(table).toBe("int8");
  expect(others["model.layers.0.self_attn.v_proj.weight"]).toBe("int8");
  expect(new Set(Object.values(others).filter((kind) => kind !== undefined))).toContain("int4");
  const path = "model.layers.1.mlp.down_proj.weight";
  const packed = (made: Model) => (flatten<Weight>(made.weights).get(path) as PackedWeight).parts.q;
  expect(packed(with_)).not.toEqual(packed(without));
  expect(dequantized(codes.get(path)!).every(Number.isFinite)).toBe(true);

  const method = await methodFor(engine, subject, options(4, 4), hooks);
  const plain = methodOf(model, options(4, 4), { tokenizer, codes });
  const trained = flatten<Weight>(method.model.weights).get(path) as PackedWeight;
  expect(trained.parts.base).toEqual(
    (flatten<Weight>(plain.model.weights).get(path) as PackedWeight).parts.base,
  );
  // Adapters begin with nothing: what is shipped then is what was there.
  const [shipped, exact] = [method.finish(method.model), model].map(
    (m) => flatten<Weight>(m.weights).get(path)!,
  );
  expect(shipped).toEqual(exact);
});
