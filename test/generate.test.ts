/** Beam search against the reference implementation (golden/beam.py), and batches against single prompts. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { zeros } from "../src/ir/tensor.ts";
import { gpt2 } from "../src/models/decoders/gpt2.ts";
import type { Model } from "../src/models/model.ts";
import type { ParamSpec } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import {
  type BeamOptions,
  type Decoder,
  decoder,
  generate,
  generateBatch,
  generateBeams,
} from "../src/serve/index.ts";
import { flatten, mapTree } from "../src/util/tree.ts";

interface Golden {
  readonly config: { readonly vocab_size: number };
  readonly prompts: readonly (readonly number[])[];
  readonly cases: readonly {
    readonly options: Readonly<Record<string, never>>;
    readonly texts: readonly (readonly {
      readonly ids: readonly number[];
      readonly score: number | null;
    }[])[];
  }[];
}
const golden = JSON.parse(readFileSync(new URL("golden/beam.json", import.meta.url), "utf8")) as Golden;

/** 0.5 sin(0.7 j^2 + 1.3 i), plus 1 for the weights of the layer norms; see beam.py. */
const model = (): Model => {
  const config = gpt2.parse({ model_type: "gpt2", ...golden.config });
  const specs = gpt2.params(config);
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  const weights = mapTree<ParamSpec, ReturnType<typeof zeros>>(specs, (spec, path) => {
    const t = zeros(spec);
    const one = path.includes("ln_") && path.endsWith("weight") ? 1 : 0;
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.5 * Math.sin(0.7 * j * j + 1.3 * order.indexOf(path)) + one;
    });
    return t;
  });
  return { arch: gpt2, config, weights, history: [] };
};

let made: Decoder;
beforeAll(async () => {
  made = await decoder(await nodeEngine({ threads: 1 }), model());
});
afterAll(() => made.dispose());

/** Options of generate as ours. */
const beamOptions = (given: Readonly<Record<string, unknown>>): Omit<BeamOptions, "start"> => {
  const optional = {
    minTokens: given.min_new_tokens,
    lengthPenalty: given.length_penalty,
    earlyStopping: given.early_stopping,
    noRepeatNgram: given.no_repeat_ngram_size,
    badIds: given.bad_words_ids,
    forcedEos: given.forced_eos_token_id === undefined ? undefined : [given.forced_eos_token_id],
  };
  return {
    beams: given.num_beams as number,
    eos: [given.eos_token_id].flat() as number[],
    maxTokens: given.max_new_tokens as number,
    ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
  };
};

describe("beam search gives the texts and scores of the reference", () => {
  test.each(golden.cases.map((c) => [JSON.stringify(c.options), c] as const))(
    "%s",
    async (_, { options, texts }) => {
      for (const [i, prompt] of golden.prompts.entries()) {
        const got = await generateBeams(made, prompt, beamOptions(options));
        expect(got.map(({ ids }) => ids)).toEqual(texts[i]!.map(({ ids }) => ids));
        texts[i]!.forEach(({ score }, rank) => {
          if (score !== null) expect(got[rank]!.score).toBeCloseTo(score, 4);
        });
      }
    },
  );
});

const single = async (prompt: readonly number[], options: object): Promise<number[]> => {
  const ids: number[] = [];
  for await (const id of generate(made, prompt, options)) ids.push(id);
  return ids;
};

describe("a batch of unequal prompts", () => {
  const options = [
    { temperature: 0, maxTokens: 9 },
    { temperature: 0.9, topK: 7, seed: 5, maxTokens: 12 },
    { temperature: 1, topP: 0.8, repetitionPenalty: 1.3, seed: 2, maxTokens: 19 },
    { temperature: 1, minP: 0.05, stopIds: [4, 9, 11], seed: 3, maxTokens: 40 },
  ];
  test.each(options)("gives each row what it would get alone: %j", async (given) => {
    const rows: number[][] = golden.prompts.map(() => []);
    for await (const { row, id } of generateBatch(made, golden.prompts, given)) rows[row]!.push(id);
    const longest = Math.max(...rows.map((ids) => ids.length));
    for (const [row, prompt] of golden.prompts.entries()) {
      const seed = ((given as { seed?: number }).seed ?? 1) + row;
      const alone = await single(prompt, { ...given, seed });
      // The batch ends where its longest prompt fills the positions.
      expect(rows[row]).toEqual(alone.slice(0, longest));
    }
    expect(longest).toBeGreaterThan(2);
  });
});

test("generation ends at the model's positions", async () => {
  // 24 positions: five prompt tokens leave 19 to be read, and one more to be predicted.
  expect(await single([3, 10, 17, 1, 8], { temperature: 0, maxTokens: 100 })).toHaveLength(20);
});

test("empty prompts and silly beams are refused", async () => {
  await expect(single([], {})).rejects.toThrow(/the prompt has no tokens/);
  const batch = generateBatch(made, [[1], []], {});
  await expect(batch.next()).rejects.toThrow(/prompt 1 has no tokens/);
  await expect(generateBeams(made, [1], { beams: 0, eos: [0], maxTokens: 3 })).rejects.toThrow(/beams/);
});
