// Selection by importance resampling against random selection: a pool of tinyshakespeare, WikiText-2, Multi30k (English) and
// SST-2 documents; each in turn is the target, of which a tenth is held out: some of it is shown to the selector, the rest
// measures the loss. The same small model, tuned the same, learns from the selected and from randomly chosen documents of
// the same bytes; tokensToTarget is the share of the tokens after which the selected reaches the loss that random ends with.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { batches } from "../../dist/data/batch/batches.js";
import { stageRecorder } from "../../dist/data/records/document.js";
import { select } from "../../dist/data/select/select.js";
import { tensor } from "../../dist/ir/tensor.js";
import { gpt2, gpt2Config } from "../../dist/models/decoders/gpt2.js";
import { initialize } from "../../dist/nn/param.js";
import { nodeEngine } from "../../dist/node/runtime/engine.js";
import { adamw } from "../../dist/optim/adamw.js";
import { constantSchedule } from "../../dist/optim/schedule.js";
import { train } from "../../dist/train/loop.js";
import { permutation } from "../../dist/util/rng.js";

const B = 16;
const T = 64;
const STEPS = 300;
const EVERY = 15;
const BYTES = 400_000;
const SHOWN = 20_000;
const MEASURED = 20;

const folder = () => {
  const found = [process.env.ANNEAL_DATA, "../shared/data", "../../shared/data"].find(
    (p) => p && existsSync(`${p}/sst2.train.tsv`),
  );
  if (found === undefined) {
    console.error(
      "the data is not here; set ANNEAL_DATA to the folder that has tinyshakespeare.txt and the others",
    );
    process.exit(4);
  }
  return found;
};

const lines = (text) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length > 0);

const sources = () => {
  const from = folder();
  const read = (name) => readFileSync(`${from}/${name}`, "utf8");
  return {
    Shakespeare: read("tinyshakespeare.txt")
      .split(/\n\n+/)
      .filter((t) => t.trim() !== ""),
    Wikitext: lines(read("wikitext2.valid.txt")).filter((t) => !t.startsWith("=")),
    Multi30k: lines(gunzipSync(readFileSync(`${from}/multi30k.train.en.gz`)).toString("utf8")),
    Sst2: lines(read("sst2.train.tsv")).map((row) => row.split("\t")[0]),
  };
};

/** Every tenth document of a seeded order is held out of the pool. */
const split = (texts, name) => {
  const held = [];
  const pool = [];
  for (const [n, i] of permutation(texts.length, 1, `split/${name}`).entries()) {
    const doc = { id: `${name}:${i}`, text: texts[i], source: name };
    (n % 10 === 0 ? held : pool).push(doc);
  }
  return { held, pool };
};

const upTo = (docs, bytes) => {
  const taken = [];
  let left = bytes;
  for (const doc of docs) {
    left -= doc.text.length;
    if (left < 0) break;
    taken.push(doc);
  }
  return taken;
};

const CODES = 128;
/** Characters as ids, others as 127; documents in a seeded order, one newline after each. */
const encoded = (docs, name) => {
  const order = permutation(docs.length, 1, `order/${name}`);
  const text = Array.from(order, (i) => `${docs[i].text}\n`).join("");
  return Uint32Array.from(text, (c) => Math.min(c.codePointAt(0), CODES - 1));
};

const feeds = ({ inputIds, labels }) => ({
  inputIds: tensor("int32", [B, T], inputIds),
  labels: tensor("int32", [B * T], labels),
});

const curveOf = async (engine, docs, held, name) => {
  const config = gpt2Config({
    vocab_size: CODES,
    n_positions: T,
    n_embd: 64,
    n_layer: 2,
    n_head: 4,
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
  });
  const model = { arch: gpt2, config, weights: initialize(gpt2.params(config), 1), history: [] };
  const batch = batches({ tokens: encoded(docs, name), batch: B, context: T, seed: 1 });
  const measured = batches({ tokens: encoded(held, "held"), batch: B, context: T, seed: 1 });
  const curve = [];
  await train(engine, model, (i) => feeds(batch(i)), {
    batch: B,
    context: T,
    steps: STEPS,
    optimizer: adamw({ b1: 0.9, b2: 0.99, weightDecay: 0.1 }),
    schedule: constantSchedule({ lrPeak: 2e-3, warmup: 20, steps: STEPS }),
    clipNorm: 1,
    validation: Array.from({ length: MEASURED }, (_, i) => feeds(measured(i))),
    evalEvery: EVERY,
    onRow: ({ step, valLoss }) => valLoss !== undefined && curve.push([step, valLoss]),
  });
  return curve;
};

/** Steps at which a curve first is at or below a loss, between two measurements in proportion. */
const reached = (curve, loss) => {
  let before;
  for (const [step, value] of curve) {
    if (value <= loss) {
      if (before === undefined) return step;
      return before[0] + ((before[1] - loss) / (before[1] - value)) * (step - before[0]);
    }
    before = [step, value];
  }
  return Number.POSITIVE_INFINITY;
};

const chosen = async (pool, target) => {
  const docs = [];
  let report;
  const options = {
    target: target.map(({ text }) => text),
    budget: { unit: "bytes", amount: BYTES },
    seed: 1,
    onReport: (r) => {
      report = r;
    },
  };
  for await (const doc of select(() => pool, stageRecorder("select"), options)) docs.push(doc);
  return { docs, report };
};

export default async function selectBench({ log, args }) {
  const all = Object.entries(sources()).map(([name, texts]) => ({ name, ...split(texts, name) }));
  const pool = all.flatMap((s) => s.pool);
  const shuffled = Array.from(permutation(pool.length, 1, "pool"), (i) => pool[i]);
  const random = upTo(shuffled, BYTES);
  const engine = await nodeEngine();
  const metrics = {};
  const ratios = [];
  for (const { name, held } of all) {
    if (args.length > 0 && !args.includes(name)) continue;
    const shown = upTo(held, SHOWN);
    const unseen = held.slice(shown.length);
    const { docs, report } = await chosen(pool, shown);
    const bytes = (list) => list.reduce((n, d) => n + d.text.length, 0);
    const precision = bytes(docs.filter((d) => d.source === name)) / bytes(docs);
    const base = bytes(pool.filter((d) => d.source === name)) / bytes(pool);
    const randomCurve = await curveOf(engine, random, unseen, "random");
    const selectedCurve = await curveOf(engine, docs, unseen, "selected");
    const goal = randomCurve.at(-1)[1];
    const ratio = reached(selectedCurve, goal) / STEPS;
    ratios.push(ratio);
    const shares = `${(100 * precision).toFixed(0)} % of the target's source (pool ${(100 * base).toFixed(0)} %)`;
    const kl = `KL ${report.klPool.toFixed(3)} -> ${report.klSelected.toFixed(3)}`;
    const losses = `random ${goal.toFixed(3)}, selected ${selectedCurve.at(-1)[1].toFixed(3)}`;
    log(`${name}: ${docs.length} documents, ${shares}, ${kl}, loss ${losses}, tokens ${ratio.toFixed(3)}`);
    metrics[`tokensToTarget${name}`] = ratio;
    metrics[`precision${name}`] = precision;
    metrics[`klReduction${name}`] = report.klReduction;
    metrics[`lossRandom${name}`] = goal;
    metrics[`lossSelected${name}`] = selectedCurve.at(-1)[1];
  }
  return { tokensToTargetWorst: Math.max(...ratios), ...metrics };
}
