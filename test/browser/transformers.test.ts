/**
 * Shipped folders of each kind in Chromium, as the real @huggingface/transformers loads them there: what it gives
 * is what anneal's own code gives. A kind more is a row more.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quantized } from "../../src/compress/quantize.ts";
import type { Engine } from "../../src/engine/engine.ts";
import type { Tensor } from "../../src/ir/tensor.ts";
import type { Head, Model, Seq2SeqArchitecture } from "../../src/models/model.ts";
import { openBrowser, type PageHost, WASM_PATHS } from "../../src/node/browser/browser.ts";
import { nodeEngine } from "../../src/node/runtime/engine.ts";
import { decoder } from "../../src/serve/decode/decoding.ts";
import { generate } from "../../src/serve/decode/generate.ts";
import { greedySearch, seq2seqDecoder } from "../../src/serve/decode/seq2seqDecoder.ts";
import { encoderOf } from "../../src/serve/graphs/encoder.ts";
import { type ExportDtype, exportDtypes } from "../../src/ship/onnx/dtype.ts";
import { loadTokenizer, type Tokenizer } from "../../src/tokenizer/index.ts";
import { type Family, families, noBrowser, tinyModel, writeModel } from "./folders.ts";

interface Kind {
  readonly family: Family;
  readonly task: Head;
  /** What the page does with the pipeline `p`: an expression that gives JSON. */
  readonly theirs: string;
  /** The same by our own code. */
  readonly ours: (model: Model, tokenizer: Tokenizer) => Promise<unknown>;
}

/** Row `at` of the last axis as probabilities. */
const probabilities = ({ data, shape }: Tensor, at: number): number[] => {
  const width = shape.at(-1)!;
  const exps = Array.from((data as Float32Array).subarray(at * width, (at + 1) * width), Math.exp);
  const total = exps.reduce((a, b) => a + b);
  return exps.map((x) => x / total);
};

const best = (probs: readonly number[]): number => probs.indexOf(Math.max(...probs));
const labelOf = (at: number): string => families.bert.config.id2label[at as 0 | 1 | 2];

const encoded = async (model: Model, ids: ArrayLike<number>) => {
  const encoder = await encoderOf(engine, model);
  const out = await encoder.run([{ ids }]);
  await encoder.dispose();
  return out;
};

const text = "The old cat sat on a red mat.";
const masked = "the old [MASK] ran away.";
const source = "the old cat sat on a red mat";
/** An end that no token is, so that both go on for as long as they are told. */
const ENDLESS = 1e6;

const translation = (family: "t5" | "marian", theirs: string): Kind => ({
  family,
  task: "seq2seq-lm",
  theirs,
  async ours(model, tokenizer) {
    const { tokens } = model.arch as Seq2SeqArchitecture;
    const seq2seq = await seq2seqDecoder(engine, model);
    const rows = await seq2seq.encode([tokenizer.encodeInputs(source).ids]);
    const [made] = await greedySearch(rows, { ...tokens(model.config), maxTokens: 12 });
    await seq2seq.dispose();
    expect(made!.length).toBeGreaterThan(2);
    return tokenizer.decode(made!);
  },
});

const kinds: Readonly<Record<string, Kind>> = {
  "text-generation": {
    family: "gpt2",
    task: "causal-lm",
    theirs: `p.model.generate({
      ...p.tokenizer(${JSON.stringify(text)}), max_new_tokens: 32, do_sample: false, eos_token_id: ${ENDLESS}
    }).then((out) => out.tolist()[0].map(Number))`,
    async ours(model, tokenizer) {
      const prompt = Array.from(tokenizer.encode(text));
      const made = await decoder(engine, model);
      const ids: number[] = [];
      for await (const id of generate(made, prompt, { maxTokens: 32, temperature: 0 })) ids.push(id);
      await made.dispose();
      expect(ids).toHaveLength(32);
      return [...prompt, ...ids];
    },
  },
  "fill-mask": {
    family: "bert",
    task: "masked-lm",
    theirs: `p(${JSON.stringify(masked)}, { top_k: 3 })
      .then((all) => all.map(({ token, score }) => ({ token, score })))`,
    async ours(model, tokenizer) {
      const { ids } = tokenizer.encodeInputs(masked, { special: true });
      const { output } = await encoded(model, ids);
      const probs = probabilities(output, ids.indexOf(tokenizer.idOf("[MASK]")!));
      const order = probs.map((score, token) => ({ token, score })).sort((a, b) => b.score - a.score);
      return order.slice(0, 3);
    },
  },
  "text-classification": {
    family: "bert",
    task: "sequence-classification",
    theirs: `p(${JSON.stringify(text)})`,
    async ours(model, tokenizer) {
      const probs = probabilities((await encoded(model, tokenizer.encodeInputs(text).ids)).output, 0);
      return [{ label: labelOf(best(probs)), score: Math.max(...probs) }];
    },
  },
  "token-classification": {
    family: "bert",
    task: "token-classification",
    theirs: `p(${JSON.stringify(text)}, { ignore_labels: [] })
      .then((all) => all.map(({ entity, score, index }) => ({ entity, score, index })))`,
    async ours(model, tokenizer) {
      const { ids } = tokenizer.encodeInputs(text);
      const { output } = await encoded(model, ids);
      const rows = Array.from(ids, (_, index) => ({ index, probs: probabilities(output, index) }));
      // Without [CLS] and [SEP].
      return rows.slice(1, -1).map(({ index, probs }) => {
        return { entity: labelOf(best(probs)), score: Math.max(...probs), index };
      });
    },
  },
  "feature-extraction": {
    family: "bert",
    task: "features",
    theirs: `p(${JSON.stringify(text)}, { pooling: "mean", normalize: true }).then((out) => Array.from(out.data))`,
    async ours(model, tokenizer) {
      const { sentences } = await encoded(model, tokenizer.encodeInputs(text).ids);
      return Array.from(sentences!.data as Float32Array);
    },
  },
  translation: translation(
    "marian",
    `p(${JSON.stringify(source)}, { max_new_tokens: 12 }).then(([out]) => out.translation_text)`,
  ),
  "text2text-generation": translation(
    "t5",
    `p(${JSON.stringify(source)}, { max_new_tokens: 12 }).then(([out]) => out.generated_text)`,
  ),
};

/** Numbers may differ by `by`, nothing else may. */
const expectNear = (found: unknown, wanted: unknown, by: number): void => {
  if (typeof wanted === "number" && !Number.isInteger(wanted)) {
    expect(Math.abs((found as number) - wanted)).toBeLessThan(by);
  } else if (typeof wanted === "object" && wanted !== null) {
    expect(Object.keys(found as object)).toEqual(Object.keys(wanted));
    for (const [key, value] of Object.entries(wanted)) {
      expectNear((found as Record<string, unknown>)[key], value, by);
    }
  } else {
    expect(found).toEqual(wanted);
  }
};

const dir = mkdtempSync(join(tmpdir(), "anneal-pages-"));
const resolved = (name: string): string => dirname(createRequire(import.meta.url).resolve(name));
let engine: Engine;
let host: PageHost;

const open = (gpu: "none" | "software"): Promise<PageHost> =>
  openBrowser({
    gpu,
    folders: { models: dir, tjs: resolved("@huggingface/transformers") },
  });

type Case = readonly [kind: string, dtype: "fp32" | "q8"];

/** What pipelines give, one after the other in one page: to start it takes longer than they do. */
const inPage = (page: PageHost, cases: readonly Case[], device: "wasm" | "webgpu") =>
  page.run<
    readonly { readonly gives?: unknown; readonly fails?: string }[]
  >(`import("/tjs/transformers.min.js")
    .then(async ({ env, pipeline }) => {
      env.allowRemoteModels = false;
      env.allowLocalModels = true;
      env.localModelPath = "/models/";
      env.useBrowserCache = false;
      env.backends.onnx.wasm.wasmPaths = "${WASM_PATHS}";
      env.backends.onnx.wasm.numThreads = 1;
      const all = [];
      for (const made of [${cases.map(
        ([kind, dtype]) => `async () => {
          const p = await pipeline("${kind}", "${kind}", { dtype: "${dtype}", device: "${device}" });
          return { gives: await ${kinds[kind]!.theirs} };
        }`,
      )}]) all.push(await made().catch((error) => ({ fails: String(error) })));
      return all;
    })`);

const formOf = (model: Model, dtype: ExportDtype): Model => {
  const { packed } = exportDtypes[dtype];
  return packed === undefined ? model : quantized(model, packed);
};

const tokenizerOf = (family: Family): Tokenizer => {
  const { tokenizer, config } = families[family].files();
  return loadTokenizer(tokenizer as never, config as never);
};

describe.skipIf(noBrowser !== undefined)(
  `in Chromium${noBrowser === undefined ? "" : `: ${noBrowser}`}`,
  () => {
    const models = new Map<string, Model>();

    beforeAll(async () => {
      engine = await nodeEngine({ threads: 1 });
      for (const [kind, { family, task }] of Object.entries(kinds)) {
        const model = tinyModel(family, task);
        models.set(kind, model);
        await writeModel(join(dir, kind), model, ["fp32", "q8"]);
      }
      host = await open("none");
    }, 120_000);
    afterAll(async () => {
      await host?.close();
      rmSync(dir, { recursive: true, force: true });
    });

    const cases: readonly Case[] = [
      ...Object.keys(kinds).map((kind) => [kind, "fp32"] as const),
      ["text-generation", "q8"],
      ["translation", "q8"],
    ];
    let theirs: Awaited<ReturnType<typeof inPage>>;
    beforeAll(async () => {
      theirs = await inPage(host, cases, "wasm");
    }, 120_000);

    test.each(cases.map(([kind, dtype], at) => ({ kind, dtype, at })))(
      "$kind $dtype on WebAssembly",
      async ({ kind, dtype, at }) => {
        const { family, ours } = kinds[kind]!;
        const wanted = await ours(formOf(models.get(kind)!, dtype), tokenizerOf(family));
        expect(theirs[at]!.fails).toBeUndefined();
        expectNear(theirs[at]!.gives, wanted, dtype === "fp32" ? 1e-4 : 1e-2);
      },
    );

    test("text-generation fp32 on WebGPU", async () => {
      const kind = "text-generation";
      const wanted = await kinds[kind]!.ours(models.get(kind)!, tokenizerOf("gpt2"));
      const page = await open("software");
      try {
        const [found] = await inPage(page, [[kind, "fp32"]], "webgpu");
        expect(found!.fails).toBeUndefined();
        expectNear(found!.gives, wanted, 1e-3);
      } finally {
        await page.close();
      }
    });
  },
);
