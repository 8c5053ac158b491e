// What planted duplicates do to a model, and what dropping them undoes (after Lee et al. 2021, https://arxiv.org/abs/2107.06499):
// documents of wikitext2.valid are planted 64 times, every second copy with a few words changed; one model learns
// from all of it, one from what the pipeline leaves of it, for equally many tokens. Metrics: how many windows of 32 tokens of what
// they write are verbatim in the planted documents, unprompted and after the first 16 tokens of each, and the
// held-out loss of both. Arguments: --steps N, --copies N.
import { readFileSync } from "node:fs";
import { batches, evalBatches, pack } from "../../dist/data/index.js";
import { memorySpool, mergeParts, partOf } from "../../dist/data/pipeline/pipeline.js";
import { pipelineDefaults } from "../../dist/data/pipeline/stages.js";
import { tensor } from "../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { initialize } from "../../dist/nn/param.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { muon } from "../../dist/optim/index.js";
import { cosineSchedule } from "../../dist/optim/schedule.js";
import { decoder, generateBatch } from "../../dist/serve/index.js";
import { trainBpe } from "../../dist/tokenizer/bpe/trainBpe.js";
import { train } from "../../dist/train/loop.js";
import { heldOutLoss } from "../../dist/train/validate.js";
import { rng } from "../../dist/util/rng.js";
import { dataFile } from "../texts.mjs";

const BATCH = 8;
const CONTEXT = 128;
const SPAN = 32;
const PLANTED = 12;

const text = () => readFileSync(dataFile("wikitext2.valid.txt"), "utf8");

/** Sections of the articles, of 400 to 4,000 characters. */
const sections = () =>
  text()
    .split(/\n(?= =)/)
    .map((part) => part.trim())
    .filter((part) => part.length > 400 && part.length < 4000)
    .map((part, i) => ({ id: `section ${i}`, text: part }));

/** A few words of a hundred are replaced by others of the text. */
const edited = (words, random) =>
  words.map((word) => (random.uniform() < 0.01 ? words[random.int(words.length)] : word)).join(" ");

const corpus = (copies) => {
  const random = rng(1, "planted");
  const all = sections().sort((a, b) => (a.text < b.text ? -1 : 1));
  const order = all.map((doc) => ({ doc, key: random.uniform() })).sort((a, b) => a.key - b.key);
  const shuffled = order.map(({ doc }) => doc);
  const held = shuffled.slice(0, Math.floor(0.12 * shuffled.length));
  const learn = shuffled.slice(held.length);
  const planted = learn.filter((doc) => doc.text.length > 800).slice(0, PLANTED);
  const extra = planted.flatMap((doc) =>
    Array.from({ length: copies - 1 }, (_, i) => ({
      id: `${doc.id} copy ${i}`,
      text: i % 2 === 0 ? doc.text : edited(doc.text.split(" "), random),
    })),
  );
  const raw = [...learn, ...extra].map((doc) => ({ doc, key: random.uniform() }));
  return { raw: raw.sort((a, b) => a.key - b.key).map(({ doc }) => doc), planted, held };
};

async function* each(documents) {
  yield* documents;
}

const deduplicated = async (documents) => {
  const settings = { ...pipelineDefaults, near: "fineweb", lines: "off", validationShare: 1e-6 };
  const part = await partOf(each(documents), settings);
  const merged = await mergeParts([part], settings, { spool: memorySpool });
  const kept = [];
  for await (const [doc] of merged.documents()) kept.push(doc);
  return kept;
};

const learnt = async (engine, tokenizer, documents, steps, seed) => {
  const { tokens } = pack(documents, tokenizer);
  const at = batches({ tokens, batch: BATCH, context: CONTEXT, seed });
  const config = gpt2Config({
    ...{ vocab_size: tokenizer.vocabSize, n_positions: 192, n_embd: 192, n_layer: 4, n_head: 4 },
    ...{ bos_token_id: tokenizer.eos, eos_token_id: tokenizer.eos },
  });
  const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), seed), history: [] };
  const source = (index) => {
    const { inputIds, labels } = at(index);
    return {
      inputIds: tensor("int32", [BATCH, CONTEXT], inputIds),
      labels: tensor("int32", [BATCH * CONTEXT], labels),
    };
  };
  const result = await train(engine, model, source, {
    ...{ batch: BATCH, context: CONTEXT, steps, clipNorm: 1, seed },
    optimizer: muon({ weightDecay: 0.1, adjustLr: "matchRmsAdamw" }),
    schedule: cosineSchedule({ lrPeak: 4e-3, lrMin: 2e-4, warmup: 50, steps }),
  });
  return { model: result.model, tokens: tokens.length };
};

/** Share of the windows of SPAN tokens in `texts` that are verbatim in one of `sources`. */
const verbatim = (texts, sources) => {
  const known = new Set();
  for (const ids of sources)
    for (let i = 0; i + SPAN <= ids.length; i++) known.add(ids.slice(i, i + SPAN).join());
  let [hits, all] = [0, 0];
  for (const ids of texts) {
    for (let i = 0; i + SPAN <= ids.length; i++, all++) hits += +known.has(ids.slice(i, i + SPAN).join());
  }
  return { hits, all };
};

const written = async (made, prompts, seed) => {
  const texts = prompts.map(() => []);
  for (let start = 0; start < prompts.length; start += 16) {
    const some = prompts.slice(start, start + 16);
    const options = { maxTokens: 160, temperature: 1, topK: 40, seed: seed + start };
    for await (const { row, id } of generateBatch(made, some, options)) texts[start + row].push(id);
  }
  return texts;
};

export default async function planted({ log, args }) {
  const option = (name, fallback) => {
    const at = args.indexOf(name);
    return at < 0 ? fallback : Number(args[at + 1]);
  };
  const steps = option("--steps", 400);
  const { raw, planted: seeds, held } = corpus(option("--copies", 64));
  const kept = await deduplicated(raw);
  log(`${raw.length} documents, ${kept.length} without duplicates`);
  const tokenizer = trainBpe(
    kept.map((doc) => doc.text),
    { vocab: 2048 },
  );
  const engine = await nodeEngine();
  const sources = seeds.map((doc) => Array.from(tokenizer.encode(doc.text)));
  const validation = evalBatches({
    tokens: pack(held, tokenizer).tokens,
    batch: BATCH,
    context: CONTEXT,
  }).map(({ inputIds, labels }) => ({
    inputIds: tensor("int32", [BATCH, CONTEXT], inputIds),
    labels: tensor("int32", [BATCH * CONTEXT], labels),
  }));
  const metrics = { documents: raw.length, documentsKept: kept.length };
  for (const [name, documents] of Object.entries({ Raw: raw, Deduplicated: kept })) {
    const { model, tokens } = await learnt(engine, tokenizer, documents, steps, 1);
    const { loss } = await heldOutLoss(engine, model, validation);
    const made = await decoder(engine, model);
    const free = verbatim(await written(made, new Array(128).fill([tokenizer.eos]), 5), sources);
    const prompts = sources.flatMap((ids) => new Array(4).fill(ids.slice(0, 16)));
    const asked = verbatim(await written(made, prompts, 9), sources);
    await made.dispose();
    log(`${name}: ${tokens} tokens, held-out loss ${loss.toFixed(4)}, spans ${free.hits} and ${asked.hits}`);
    metrics[`heldOutLoss${name}`] = loss;
    metrics[`spans${name}`] = free.hits;
    metrics[`spans${name}Prompted`] = asked.hits;
    metrics[`spanWindows${name}`] = free.all;
  }
  const ratio = (suffix) => metrics[`spansRaw${suffix}`] / Math.max(1, metrics[`spansDeduplicated${suffix}`]);
  return {
    ...metrics,
    fewerSpans: ratio(""),
    fewerSpansPrompted: ratio("Prompted"),
    heldOutLossChange: metrics.heldOutLossDeduplicated - metrics.heldOutLossRaw,
  };
}
