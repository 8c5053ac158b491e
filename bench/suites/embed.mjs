// An embedding model made small: a BERT of six layers is trained on captions (Multi30k) in three steps: to fill in
// words of both languages; by `anneal finetune` to find the German caption of an English one among those of a batch;
// and to order pairs of English captions by their likeness, which is taken from where no model looks: the chrF of
// their German translations. `anneal optimize` then makes the best model of a third of its bytes and half of its time
// by the English captions alone. Both are judged by the likeness of pairs of captions that were held out. The folder
// is read by transformers.js too.
// Arguments: --steps N of filling in (200), --align N of finding (300), --pairs N that are scored (6000), --tune N of
// ordering (150), --distill N (300, as optimize has it), --layers N of the student (3, half of them, as optimize has it),
// --faster N times that the small one has to be (2), --minutes N of a search of the default space, which chooses the layers.
// --out DIR: kept, and gone on with when run again.
// rankCorrelationKeptLow and -High: an interval of 95 % by drawing pairs anew, the same for both models.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { chrf, spearman } from "../../dist/metrics/index.js";
import { nodeEngine, readTokenizer } from "../../dist/node/index.js";
import { rng } from "../../dist/util/rng.js";

const anneal = fileURLToPath(new URL("../../bin/anneal.js", import.meta.url));
const data = fileURLToPath(new URL("../../../shared/data/", import.meta.url));

const lines = (name) =>
  gunzipSync(readFileSync(join(data, name)))
    .toString()
    .split("\n")
    .filter((line) => line.trim() !== "");

const told = (args, name) => {
  const at = args.indexOf(`--${name}`);
  return at < 0 ? undefined : args[at + 1];
};

const option = (args, name, fallback) => Number(told(args, name) ?? fallback);

/** Runs a verb; its result. */
const run = (log, ...args) => {
  log(`anneal ${args.join(" ")}`);
  const out = execFileSync(process.execPath, [anneal, ...args, "--json"], {
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 2 ** 28,
  });
  return JSON.parse(out.toString().trim().split("\n").at(-1));
};

/** Vectors of texts by the folder's graph of a dtype, one text at a time. */
const vectorsOf = async (dir, file, texts) => {
  const engine = await nodeEngine({ threads: 2 });
  const tokenizer = await readTokenizer(dir);
  const session = await engine.load(join(dir, "onnx", file));
  const vectors = [];
  for (const text of texts) {
    const ids = Array.from(tokenizer.encodeInputs(text, { maxLength: 64 }).ids);
    const of = (values) => ({
      dtype: "int64",
      shape: [1, ids.length],
      data: BigInt64Array.from(values, BigInt),
    });
    const all = {
      input_ids: of(ids),
      attention_mask: of(ids.map(() => 1)),
      token_type_ids: of(ids.map(() => 0)),
    };
    const feeds = Object.fromEntries(Object.entries(all).filter(([name]) => name in session.inputTypes));
    const { sentence_embedding: vector } = await session.run(feeds);
    vectors.push(Float32Array.from(vector.data));
  }
  await session.dispose();
  return vectors;
};

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

/** Pairs of captions with the likeness of their translations: by chance, most are unlike; half are neighbours. */
const scoredPairs = (english, german, { count, seed }) => {
  const random = rng(seed, "pairs");
  const likeness = (i, j) => chrf().measure([german[i]], [german[j]], { resamples: 1 }).value;
  const pairs = [];
  for (let n = 0; n < count; n++) {
    const i = random.int(english.length);
    const others = Array.from({ length: n % 2 === 0 ? 1 : 12 }, () => random.int(english.length));
    const scored = others.filter((j) => j !== i).map((j) => ({ i, j, score: likeness(i, j) }));
    if (scored.length > 0) pairs.push(scored.reduce((best, p) => (p.score > best.score ? p : best)));
  }
  return pairs;
};

/** Interval of a student's rank correlation over its teacher's, on pairs that are drawn anew for both. */
const keptInterval = (teacher, student, scores) => {
  const random = rng(1, "resample");
  const kept = Array.from({ length: 300 }, () => {
    const drawn = Array.from(scores, () => random.int(scores.length));
    const of = (found) => {
      const own = drawn.map((i) => found[i]);
      const known = drawn.map((i) => scores[i]);
      return spearman.measure(own, known, { resamples: 1 }).value;
    };
    return of(student) / of(teacher);
  }).sort((a, b) => a - b);
  return [kept[7], kept[292]];
};

const fileOf = { fp32: "model.onnx", q8: "model_quantized.onnx", q4: "model_q4.onnx" };

/** Cosine of the folder's float32 vectors here and by transformers.js's feature-extraction, the least of some. */
const cosineInTransformers = async (dir, texts, own) => {
  const { env, pipeline } = await import("@huggingface/transformers");
  env.allowRemoteModels = false;
  env.localModelPath = join(dir, "..");
  const extract = await pipeline("feature-extraction", dir.split("/").at(-1), { dtype: "fp32" });
  const found = await extract(texts, { pooling: "mean", normalize: true });
  const width = found.dims.at(-1);
  return Math.min(...texts.map((_, i) => dot(own[i], found.data.slice(i * width, (i + 1) * width))));
};

export default async ({ log, args }) => {
  if (!existsSync(join(data, "multi30k.train.en.gz")))
    throw new Error(`${data} has no multi30k.train.en.gz: see its README`);
  const kept = told(args, "out");
  const dir = kept ?? mkdtempSync(join(tmpdir(), "anneal-embed-"));
  mkdirSync(dir, { recursive: true });
  const [steps, align, tune, distill, layers, faster] = [
    option(args, "steps", 200),
    option(args, "align", 300),
    option(args, "tune", 150),
    option(args, "distill", 300),
    option(args, "layers", 3),
    option(args, "faster", 2),
  ];
  try {
    // Running text of captions, a paragraph each.
    const texts = join(dir, "captions.txt");
    const [captions, translations] = [lines("multi30k.train.en.gz"), lines("multi30k.train.de.gz")];
    writeFileSync(texts, captions.join("\n\n"));
    const both = join(dir, "both.txt");
    writeFileSync(both, captions.flatMap((caption, i) => [caption, translations[i]]).join("\n\n"));
    const aligned = join(dir, "aligned.jsonl");
    const pairOf = (anchor, i) => JSON.stringify({ anchor, positive: translations[i] });
    writeFileSync(aligned, captions.map(pairOf).join("\n"));
    const scored = join(dir, "scored.jsonl");
    const record = ({ i, j, score }) =>
      JSON.stringify({ sentence1: captions[i], sentence2: captions[j], score });
    if (!existsSync(scored)) {
      const known = scoredPairs(captions, translations, { count: option(args, "pairs", 6000), seed: 11 });
      writeFileSync(scored, known.map(record).join("\n"));
      log(`${known.length} pairs of captions, scored by their translations`);
    }
    const plain = ["--rules", "none", "--near", "off", "--lines", "off"];
    const common = ["--data", texts, ...plain];
    const shape = ["--layers", "6", "--width", "192", "--heads", "6", "--context", "64", "--vocab", "4096"];
    const learn = ["--steps", String(steps), "--batch", "16", "--eval-every", String(steps)];
    const start = join(dir, "bert");
    if (!existsSync(join(start, "model/config.json"))) {
      run(log, "train", "--family", "bert", "--data", both, ...plain, ...shape, ...learn, "--out", start);
    }
    const tuneOn = (from, file, name, more) => {
      if (existsSync(join(dir, name, "model/config.json"))) return join(dir, name, "model");
      const { path, figure } = run(
        log,
        ...["finetune", from, "--task", "embedding", "--data", file, "--out", join(dir, name)],
        ...["--validation-share", "0.03", ...more],
      );
      log(`${figure.name} ${figure.value.toFixed(4)} on pairs held out of those`);
      return path;
    };
    const found = tuneOn(join(dir, "bert/model"), aligned, "found", [
      ...["--steps", String(align), "--eval-every", String(align), "--batch", "64", "--lr", "1e-3"],
    ]);
    const model = tuneOn(found, scored, "tuned", [
      ...["--steps", String(tune), "--eval-every", String(tune), "--batch", "32", "--lr", "5e-4"],
    ]);
    const out = join(dir, "small");
    rmSync(out, { recursive: true, force: true });
    const minutes = told(args, "minutes");
    const space = minutes === undefined ? ["--distill-layers", String(layers)] : ["--time", `${minutes}m`];
    const teach = ["--distill-steps", String(distill), ...space, "--batch", "16"];
    const quick = `p50Ms<=${(1 / faster).toFixed(3)}x`;
    const within = ["--limit", "sizeBytes<=0.35x", "--limit", quick, "--max-loss", "1"];
    const made = run(log, "optimize", model, ...common, ...teach, ...within, "--out", out);
    const [full] = made.candidates;
    const of = ({ figures }, name) => figures[name].value;
    const [size, time, quality] = ["sizeBytes", "node-cpu/p50Ms", "rankAgreement"];
    for (const c of made.candidates) {
      log(
        `${c.name}: agreement ${of(c, quality).toFixed(4)}, ${of(c, time).toFixed(2)} ms, ${(of(c, size) / 1e6).toFixed(2)} MB`,
      );
    }
    const taken = made.candidates.find(({ name }) => name === made.chosen);
    const [english, german] = [lines("multi30k.val.en.gz"), lines("multi30k.val.de.gz")];
    const pairs = scoredPairs(english, german, { count: 12_000, seed: 7 });
    const scores = pairs.map(({ score }) => score);
    // The full model's own graphs, and those that the search has shipped.
    const exported = join(dir, "full");
    run(log, "export", model, "--dtype", "fp32", "--out", exported);
    const rank = async (folder, file) => {
      const vectors = await vectorsOf(folder, file, english);
      const found = pairs.map(({ i, j }) => dot(vectors[i], vectors[j]));
      return { vectors, found, ...spearman.measure(found, scores) };
    };
    const teacher = await rank(exported, fileOf.fp32);
    const student = await rank(made.path, fileOf[taken.dtype]);
    // A wide search ships no float32 graph.
    const dense = join(dir, "small-fp32");
    run(log, "export", made.path, "--dtype", "fp32", "--out", dense);
    const fp32 = await rank(dense, fileOf.fp32);
    const cosine = await cosineInTransformers(dense, english.slice(0, 20), fp32.vectors);
    log(`rank correlation: ${teacher.value.toFixed(4)} full, ${student.value.toFixed(4)} ${taken.name}`);
    const [keptLow, keptHigh] = keptInterval(teacher.found, student.found, scores);
    return {
      bytesShare: of(taken, size) / of(full, size),
      rankCorrelationKept: student.value / teacher.value,
      rankCorrelationKeptLow: keptLow,
      rankCorrelationKeptHigh: keptHigh,
      speedup: of(full, time) / of(taken, time),
      rankCorrelationFull: teacher.value,
      rankCorrelationLow: student.low,
      rankCorrelationHigh: student.high,
      agreement: of(taken, quality),
      transformersCosine: cosine,
      candidate: taken.name,
    };
  } finally {
    if (kept === undefined) rmSync(dir, { recursive: true, force: true });
  }
};
