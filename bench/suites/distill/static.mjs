// Static embeddings of an embedding model, by the recipe behind `anneal distill --static`: rank correlation of cosines with how near
// sentences of wikitext2.valid stand, of articles from which nothing was learnt.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rankCorrelation } from "../../../dist/metrics/numbers/rankCorrelation.js";
import { openModel } from "../../../dist/node/hub/hub.js";
import { nodeEngine } from "../../../dist/node/runtime/engine.js";
import { distillDefaults, distillModel, silent } from "../../../dist/recipes/index.js";
import { encoderOf } from "../../../dist/serve/graphs/encoder.js";
import { rng } from "../../../dist/util/rng.js";
import { dataFile } from "../../texts.mjs";
import { argument, raced } from "./shared.mjs";

const hooks = { ui: silent, command: "bench distill" };

/** Articles as lists of sentences of 6 to 60 words. */
const articles = () => {
  const found = [];
  for (const line of readFileSync(dataFile("wikitext2.valid.txt"), "utf8").split("\n")) {
    const text = line.trim();
    if (/^= [^=].*[^=] =$/.test(text)) found.push([]);
    else if (text !== "" && !text.startsWith("=") && found.length > 0) {
      const sentences = text
        .split(/(?<= [.?!]) /)
        .filter((s) => s.split(" ").length > 5 && s.split(" ").length < 60);
      found.at(-1).push(...sentences);
    }
  }
  return found.filter((sentences) => sentences.length > 10);
};

/** Pairs of sentences: next to each other (2), of one article (1), of two (0). */
const pairsOf = (held, count, random) =>
  Array.from({ length: count }, (_, i) => {
    const own = held[random.int(held.length)];
    const at = random.int(own.length - 1);
    if (i % 3 === 2) return [own[at], own[at + 1], 2];
    if (i % 3 === 1) return [own[at], own[(at + 2 + random.int(own.length - 4)) % own.length], 1];
    const others = held.filter((each) => each !== own);
    const other = others[random.int(others.length)];
    return [own[at], other[random.int(other.length)], 0];
  });

/** A vector of length 1 for each text. */
const vectorsOf = async (engine, { model, tokenizer }, texts) => {
  const encoder = await encoderOf(engine, model);
  const vectors = [];
  for (let from = 0; from < texts.length; from += 16) {
    const rows = texts
      .slice(from, from + 16)
      .map((text) => ({ ids: tokenizer.encode(text, { special: true }).slice(0, 120) }));
    const marked = rows.map(({ ids }) => ({ ids: [tokenizer.specials.cls, ...ids, tokenizer.specials.sep] }));
    const { sentences } = await encoder.run(marked);
    const width = sentences.shape[1];
    for (let i = 0; i < rows.length; i++) vectors.push(sentences.data.slice(i * width, (i + 1) * width));
  }
  await encoder.dispose();
  return vectors;
};

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

export const staticPart = async ({ log, args, threads }) => {
  const embedder = argument(
    args,
    "embedder",
    process.env.ANNEAL_EMBEDDER ?? "sentence-transformers/all-MiniLM-L6-v2",
  );
  const dir = argument(args, "out", mkdtempSync(join(tmpdir(), "anneal-static-")));
  mkdirSync(dir, { recursive: true });
  const all = articles();
  const cut = Math.floor(all.length / 2);
  const texts = join(dir, "sentences.jsonl");
  const rows = all.slice(0, cut).flat();
  if (!existsSync(texts)) writeFileSync(texts, rows.map((text) => `${JSON.stringify({ text })}\n`).join(""));
  const engine = await nodeEngine({ threads });
  const teacher = await openModel(embedder, {});
  const pairs = pairsOf(all.slice(cut), argument(args, "pairs", 1500), rng(1, "pairs"));
  const gold = pairs.map(([, , near]) => near);
  const cosinesOf = async (model) => {
    const [a, b] = [
      await vectorsOf(
        engine,
        model,
        pairs.map(([x]) => x),
      ),
      await vectorsOf(
        engine,
        model,
        pairs.map(([, y]) => y),
      ),
    ];
    return a.map((v, i) => dot(v, b[i]));
  };
  const known = await cosinesOf(teacher);
  const own = rankCorrelation(known, gold);
  log(`teacher: rank correlation ${own.toFixed(4)}`);
  const found = {};
  for (const steps of String(argument(args, "static-steps", "0,300"))
    .split(",")
    .map(Number)) {
    const start = performance.now();
    const made = await distillModel(
      embedder,
      { static: true, dims: argument(args, "dims", 256) },
      {
        ...{ ...distillDefaults, threads, out: join(dir, `static-${steps}`) },
        data: { ...distillDefaults.data, paths: [texts], rules: ["none"], near: "off", lines: "off" },
        model: { ...distillDefaults.model, n_positions: 32 },
        train: { ...distillDefaults.train, batch: 32, steps },
      },
      hooks,
    );
    const model = await openModel(made.path, {});
    const cosines = await cosinesOf(model);
    const seconds = (performance.now() - start) / 1000;
    found[steps] = {
      correlation: rankCorrelation(cosines, gold),
      withTeacher: rankCorrelation(cosines, known),
      seconds,
    };
    log(`${steps} updates: ${JSON.stringify(found[steps])}`);
    found.model = model.model;
  }
  const { model, ...tried } = found;
  const [slow, fast] = await raced(engine, [teacher.model, model], { tokens: 128, turns: 20 });
  const best = Math.max(...Object.values(tried).map(({ correlation }) => correlation));
  return {
    ...{
      teacherCorrelation: own,
      staticCorrelation: best,
      staticKept: best / own,
      staticSpeedup: slow / fast,
    },
    staticTries: tried,
  };
};
