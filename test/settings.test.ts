/** Every setting of generation_config.json in greedy, sampled and beam decoding: golden/settings.py. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { zeros } from "../src/ir/tensor.ts";
import { generationOf } from "../src/models/checkpoint/generationConfig.ts";
import { architectures } from "../src/models/index.ts";
import type { Architecture, Model } from "../src/models/model.ts";
import type { ParamSpec } from "../src/nn/param.ts";
import { nodeEngine } from "../src/node/runtime/engine.ts";
import { beamSearch } from "../src/serve/decode/beam.ts";
import { type Decoder, decoder } from "../src/serve/decode/decoding.ts";
import { generate, generateBeams } from "../src/serve/decode/generate.ts";
import { greedySearch, type Seq2SeqDecoder, seq2seqDecoder } from "../src/serve/decode/seq2seqDecoder.ts";
import { logitsChain } from "../src/serve/logits/index.ts";
import { flatten, mapTree, type Tree } from "../src/util/tree.ts";

type Name = "llama" | "t5" | "marian";
type Over<T> = Readonly<Record<Name, readonly T[]>>;
type Row = readonly (number | null)[];
interface Text {
  readonly ids: readonly number[];
  readonly score: number;
}
interface Searched {
  readonly greedy: readonly number[];
  readonly beams: readonly Text[];
}
interface Drawn {
  readonly ids: readonly number[];
  readonly logits: readonly Row[];
  readonly scores: readonly Row[];
}
interface Case<T> {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly models: Over<T>;
}
const golden = JSON.parse(readFileSync(new URL("golden/settings.json", import.meta.url), "utf8")) as {
  readonly base: Readonly<Record<string, unknown>>;
  readonly models: Readonly<Record<Name, unknown>>;
  readonly prompts: readonly (readonly number[])[];
  readonly searched: readonly Case<Searched>[];
  readonly sampled: readonly Case<Drawn>[];
};

/** See golden/seq2seq.py. */
const sineModel = (name: Name): Model => {
  const arch = architectures[name] as Architecture;
  const config = arch.parse(golden.models[name]);
  const specs = arch.params(config) as Tree<ParamSpec>;
  const order = [...flatten<ParamSpec>(specs).keys()].sort();
  const weights = mapTree<ParamSpec, ReturnType<typeof zeros>>(specs, (spec, path) => {
    const t = zeros(spec);
    const one = path.includes("norm") && path.endsWith("weight") ? 1 : 0;
    (t.data as Float32Array).forEach((_, j, data) => {
      data[j] = 0.3 * Math.sin(0.37 * j + 0.017 * j * j + 1.3 * order.indexOf(path)) + one;
    });
    return t;
  });
  return { arch, config, weights, history: [] };
};

let llama: Decoder;
let pairs: Record<"t5" | "marian", Seq2SeqDecoder>;
beforeAll(async () => {
  const engine = await nodeEngine({ threads: 1 });
  llama = await decoder(engine, sineModel("llama"));
  pairs = {
    t5: await seq2seqDecoder(engine, sineModel("t5")),
    marian: await seq2seqDecoder(engine, sineModel("marian")),
  };
});
afterAll(async () => {
  for (const { dispose } of [llama, pairs.t5, pairs.marian]) await dispose();
});

const read = (settings: Readonly<Record<string, unknown>>, promptTokens: number) => {
  const generation = generationOf({ ...golden.base, ...settings });
  const { stopIds: eos, maxTokens, maxLength, ...rest } = generation;
  return { ...rest, eos, maxTokens: maxTokens ?? maxLength! - promptTokens };
};

const searched = async (name: Name, prompt: readonly number[], settings: object): Promise<Searched> => {
  const beams = 3;
  if (name === "llama") {
    const { eos, ...own } = read(settings as never, prompt.length);
    const greedy: number[] = [];
    for await (const id of generate(llama, prompt, { ...own, stopIds: eos, keepStop: true })) greedy.push(id);
    return { greedy, beams: await generateBeams(llama, prompt, { ...own, eos, beams }) };
  }
  const own = { ...read(settings as never, 1), start: 0, sourceIds: [prompt] };
  const [greedy] = await greedySearch(await pairs[name].encode([prompt]), { ...own, pad: 0 });
  const [found] = await beamSearch(await pairs[name].encode([prompt], beams), { ...own, beams });
  return { greedy: greedy!, beams: found! };
};

const named = <T>(cases: readonly Case<T>[]) =>
  cases.map((one) => [JSON.stringify(one.settings).slice(0, 80), one] as const);

describe.each(["llama", "t5", "marian"] as const)("%s", (name) => {
  test.each(named(golden.searched))("greedy and beams: %s", async (_, { settings, models }) => {
    for (const [i, prompt] of golden.prompts.entries()) {
      const want = models[name][i]!;
      const got = await searched(name, prompt, settings);
      expect(got.greedy).toEqual(want.greedy);
      expect(got.beams.map(({ ids }) => ids)).toEqual(want.beams.map(({ ids }) => ids));
      got.beams.forEach(({ score }, rank) => {
        const wanted = want.beams[rank]!.score;
        expect(Math.abs(score - wanted)).toBeLessThan(1e-3 * Math.max(1, Math.abs(wanted)));
      });
    }
  });

  test.each(named(golden.sampled))("sampling: %s", (_, { settings, models }) => {
    for (const [i, prompt] of golden.prompts.entries()) {
      const { ids, logits, scores } = models[name][i]!;
      const begun = name === "llama" ? prompt : [0];
      const { eos, ...own } = read({ ...settings, do_sample: true, max_new_tokens: 4 }, begun.length);
      const start = { promptTokens: begun.length, maxLength: begun.length + 4, eos, source: prompt };
      const change = logitsChain(own, { ...start, leastKept: 1 }, true);
      for (const [step, row] of logits.entries()) {
        const got = Float32Array.from(row, (x) => x ?? Number.NEGATIVE_INFINITY);
        change(got, [...begun, ...ids.slice(0, step)]);
        const kept = (of: ArrayLike<number | null>) =>
          Array.from(of, (x) => x !== null && Number.isFinite(x));
        expect(kept(got)).toEqual(kept(scores[step]!));
        const want = Float32Array.from(scores[step]!, (x) => x ?? Number.NEGATIVE_INFINITY);
        for (let id = 0; id < want.length; id++) {
          if (Number.isFinite(want[id])) expect(got[id]).toBeCloseTo(want[id]!, 3);
        }
      }
    }
  });
});
