/** Forms that are GGUF files: which there are, how large they are, and what is foretold of them. */
import { expect, test } from "vitest";
import type { Model } from "../../../models/model.ts";
import { architectures } from "../../../models/registry.ts";
import { initialize, type ParamSpec } from "../../../nn/param.ts";
import { nodeEngine } from "../../../node/runtime/engine.ts";
import { trainBpe } from "../../../tokenizer/bpe/trainBpe.ts";
import type { Tree } from "../../../util/tree.ts";
import { withForms } from "../candidate.ts";
import { formOf } from "../shape.ts";
import { fullSpace, smallSpace, startIn } from "../space.ts";
import { ggufFormat, ggufOf } from "./gguf.ts";

const { tokenizer: json, config } = trainBpe(["the quick brown fox jumps over it"], { vocab: 280 }).files();
const about = { tokenizer: { tokenizer: json, config }, name: "tiny" };

const modelOf = (width: number): Model => {
  const arch = architectures.llama!;
  const parsed = arch.parse({
    ...{ model_type: "llama", vocab_size: 280, hidden_size: width, intermediate_size: 2 * width },
    ...{ num_hidden_layers: 4, num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64 },
  });
  return {
    arch,
    config: parsed,
    weights: initialize(arch.params(parsed) as Tree<ParamSpec>, 1),
    history: [],
  };
};

test("kinds that are the same file are tried once", () => {
  const wide = ggufFormat(modelOf(256), about).usual;
  expect(wide).toEqual(["fp32", "q8_0", "q6_k", "q5_k_m", "q4_k_m", "q4_0", "q3_k_m"]);
  // Rows of 64 are no blocks of 256: six bits become eight.
  const narrow = ggufFormat(modelOf(64), about).usual;
  expect(narrow).not.toContain("q6_k");
  expect(narrow.slice(0, 2)).toEqual(["fp32", "q8_0"]);
  // Three bits become four where they have to, and five in places: a larger file than four bits.
  expect(narrow.slice(-2)).toEqual(["q3_k_m", "q4_0"]);
});

test("a space of files has no roundings, and begins with the exact one", () => {
  const format = ggufFormat(modelOf(256), about);
  const cut = { layers: 4, neurons: true, steps: 10, fits: true, format };
  for (const space of [smallSpace(cut), fullSpace(cut)]) {
    expect(Object.keys(space)).not.toContain("rounding");
    expect(startIn(space, { layers: 4, neurons: true }).dtype).toBe("fp32");
  }
});

test("files are as large as is foretold of their shapes, and weigh inputs by the user's text", async () => {
  const dense = modelOf(64);
  const format = ggufFormat(dense, about);
  const engine = await nodeEngine({ threads: 1 });
  const calibration = [Array.from({ length: 200 }, (_, i) => (i * 7) % 280)];
  const context = { engine, seed: 1, calibration, log: () => {} };
  const start = await withForms({ name: "full", dense, forms: {} }, ["fp32", "q8_0", "q4_0"], {
    context,
    format,
  });
  for (const form of Object.values(start.forms)) {
    const { chunks, sizeBytes } = ggufOf(form);
    const written = [...chunks].reduce((sum, { length }) => sum + length, 0);
    expect([written, format.bytes(form)]).toEqual([sizeBytes, sizeBytes]);
  }
  expect(start.forms.q8_0!.gguf!.importance.size).toBe(0);
  expect(start.forms.q4_0!.gguf!.importance.size).toBeGreaterThan(4 * 7 - 1);
  expect(start.forms.q4_0!.history.at(-1)).toEqual({ name: "gguf", options: { type: "q4_0" } });
  expect(start.forms.fp32!.history).toEqual([]);

  const known = { start, format, sizes: new Map(), speeds: async () => undefined };
  for (const dtype of ["fp32", "q8_0", "q4_0"]) {
    const shape = formOf(known, { layers: 2, neurons: 0.5, dtype });
    const cut = await format.make({ ...shape, history: [] }, dtype as "q8_0", context);
    expect(format.bytes(shape)).toBe(format.bytes(cut));
    expect([...ggufOf(shape).chunks].length).toBeGreaterThan(1);
  }
});
