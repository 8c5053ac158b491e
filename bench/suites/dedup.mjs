// Near duplicates by MinHash (14 bands of 8 rows, shingles of 5 words) beside datatrove's pipeline steps on the same texts:
// documents per second of processor time on one core, from texts to clusters, and F1 of the pairs that were planted. The
// texts are of shared/data (wikitext2.valid, multi30k, tinyshakespeare, sst2); of a third of them there are copies with
// words changed, dropped and added. Rounds alternate, each in a process of its own; figures are medians, the ratio the
// median of each round's ratio. Besides: how far the measured S-curve is from 1-(1-s^r)^b, and memory for a document.
// ANNEAL_PYTHON names a Python that has datatrove; without one, its figures are absent. Arguments: --rounds N, --docs N.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import { bandings, candidateProbability } from "../../dist/data/dedup/bands.js";
import { signer } from "../../dist/data/dedup/minhash.js";
import { jaccard, shingleSets } from "../../dist/data/dedup/shingles.js";
import { permutation, rng } from "../../dist/util/rng.js";

const SEED = 4;
const SIMILARITIES = [0.7, 0.75, 0.8, 0.85];
const CURVE_PAIRS = 3000;
const MEMORY_DOCS = 20_000;
const { bands, rows, ngram } = bandings.fineweb;

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];
const data = (name) => {
  const path = ["../../shared/data/", "../../../shared/data/"]
    .map((up) => new URL(`${up}${name}`, import.meta.url))
    .find((url) => existsSync(url));
  if (path === undefined) throw new Error(`shared/data/${name} is not there`);
  const bytes = readFileSync(path);
  return (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
};

/** Joins every `count` of `parts`. */
const joined = (parts, count, by) =>
  Array.from({ length: Math.floor(parts.length / count) }, (_, i) =>
    parts.slice(i * count, (i + 1) * count).join(by),
  );

/** About 7,000 documents of 100 to 150 words, in a seeded order. */
const originals = () => {
  const lines = (text) => text.split("\n").filter((line) => line.trim() !== "");
  const all = [
    ...lines(data("wikitext2.valid.txt")).filter((line) => line.length > 200),
    ...joined(data("tinyshakespeare.txt").split("\n\n"), 5, "\n\n"),
    ...joined(lines(data("multi30k.train.en.gz")), 10, "\n"),
    ...joined(
      lines(data("sst2.train.tsv")).map((line) => line.split("\t")[0]),
      6,
      " ",
    ),
  ];
  return Array.from(permutation(all.length, SEED, "originals"), (i) => all[i]);
};

/** A copy of a text with the share `rate` of its words changed, dropped or followed by another. */
const edited = (text, rate, words, random) =>
  text
    .split(" ")
    .flatMap((word) => {
      if (random.uniform() >= rate) return [word];
      const other = words[random.int(words.length)];
      return [[other], [], [word, other]][random.int(3)];
    })
    .join(" ");

/** Texts in a seeded order, and for each the number of the original that it was made of. */
const planted = (count) => {
  const random = rng(SEED, "planted");
  const base = originals();
  const words = base.slice(0, 500).join(" ").split(/\s+/);
  const made = [];
  for (let i = 0; i < base.length && made.length < count; i++) {
    made.push({ text: base[i], origin: i });
    for (let copy = i % 3 === 0 ? 1 + random.int(3) : 0; copy > 0; copy--)
      made.push({ text: edited(base[i], [0.0025, 0.005, 0.01][random.int(3)], words, random), origin: i });
  }
  const order = permutation(made.length, SEED, "order");
  return {
    texts: Array.from(order, (i) => made[i].text),
    origins: Array.from(order, (i) => made[i].origin),
    words,
  };
};

/** F1 of the pairs within `found` clusters against those within `truth`. */
const pairF1 = (found, truth) => {
  const pairs = (labels) => {
    const counts = new Map();
    for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
    return [...counts.values()].reduce((sum, n) => sum + (n * (n - 1)) / 2, 0);
  };
  return (2 * pairs(found.map((label, i) => `${label}/${truth[i]}`))) / (pairs(found) + pairs(truth));
};

/** Pairs of texts with the exact Jaccard similarity s: what share of them meets in a band, against the formula. */
const sCurveErrors = (words) => {
  const random = rng(SEED, "curve");
  const { keys } = signer();
  const sets = shingleSets(ngram);
  const different = [...new Set(words.filter((word) => /^[a-z]+$/.test(word)))];
  const draw = (count) => Array.from({ length: count }, () => different[random.int(different.length)]);
  return SIMILARITIES.map((s) => {
    let [met, pairs] = [0, 0];
    while (pairs < CURVE_PAIRS) {
      const common = Math.round(200 * s);
      const own = (200 - common) / 2;
      const head = draw(common + ngram - 1);
      const [a, b] = [[...head, ...draw(own)].join(" "), [...head, ...draw(own)].join(" ")];
      // A shingle that happens to be drawn twice makes another similarity: such pairs are left out.
      if (jaccard(sets(a), sets(b)) !== s) continue;
      const [x, y] = [keys(a), keys(b)];
      pairs++;
      if (x.some((word, i) => i % 2 === 0 && word === y[i] && x[i + 1] === y[i + 1])) met++;
    }
    return Math.abs(met / pairs - candidateProbability(s, { bands, rows }));
  });
};

const modules = new URL("../../dist/", import.meta.url).href;
const head = `
import { readFileSync } from "node:fs";
const { signer } = await import("${modules}data/dedup/minhash.js");
const { clusterer } = await import("${modules}data/dedup/nearDuplicates.js");
const { exactIndex } = await import("${modules}data/dedup/keyTable.js");
const { textHasher } = await import("${modules}data/dedup/hash.js");
`;

const speed = `${head}
const texts = JSON.parse(readFileSync(process.argv[1], "utf8"));
const run = (documents) => {
  const { keys, bands } = signer();
  const near = clusterer({ bands });
  const room = new Uint32Array(2 * bands);
  for (let i = 0; i < documents.length; i++) near.add(i, keys(documents[i], room));
  return [...near.clusters(documents.length)];
};
run(texts.slice(0, 1000));
const start = process.cpuUsage();
const clusters = run(texts);
const { user, system } = process.cpuUsage(start);
console.log(JSON.stringify({ cpuSeconds: (user + system) / 1e6, clusters }));
`;

/** The largest memory, garbage apart, that index and clusterer hold while documents come, less what was there before. */
const memory = `${head}
const { rng } = await import("${modules}util/rng.js");
const [words, count] = [JSON.parse(readFileSync(process.argv[1], "utf8")), Number(process.argv[2])];
const random = rng(1, "memory");
const text = () => Array.from({ length: 30 }, () => words[random.int(words.length)]).join(" ");
const { keys, bands } = signer();
const hash = textHasher();
const [room, hashed] = [new Uint32Array(2 * bands), new Uint32Array(4)];
keys("ü", room);
const held = () => {
  gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};
const before = held();
const [near, exact] = [clusterer({ bands }), exactIndex()];
let most = 0;
for (let i = 0; i < count; i++) {
  const one = text();
  hash(one, hashed);
  exact.add(hashed, i);
  near.add(i, keys(one, room));
  if (i % 2000 === 0) most = Math.max(most, (held() - before) / Math.max(i, count / 4));
}
const clusters = near.clusters(count);
most = Math.max(most, (held() - before) / count);
console.log(JSON.stringify({ bytesPerDoc: most, documents: clusters.length }));
`;

const pinned =
  spawnSync("taskset", ["-c", "0", process.execPath, "-e", ""]).status === 0 ? ["taskset", "-c", "0"] : [];

/** Runs a command on one core; what it prints, as JSON. */
const onOneCore = (...command) => {
  const [first, ...rest] = [...pinned, ...command];
  return JSON.parse(
    execFileSync(first, rest, { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "inherit"] }),
  );
};
const node = (code, ...args) =>
  onOneCore(process.execPath, "--expose-gc", "--input-type=module", "-e", code, ...args);

const script = fileURLToPath(new URL("../peers/dedup.py", import.meta.url));

/** A Python with datatrove, or undefined, said on stderr. */
const pythonOf = (small, log) => {
  const venv = fileURLToPath(new URL("../../../venv/bin/python", import.meta.url));
  const tried = [process.env.ANNEAL_PYTHON ?? (existsSync(venv) ? venv : "python3")];
  const { status, stderr } = spawnSync(tried[0], [script, small, bands, rows, ngram].map(String), {
    encoding: "utf8",
  });
  if (status === 0) return tried[0];
  log(
    `no datatrove in ${tried[0]}: its figures are absent. ${stderr?.trim().split("\n").at(-1) ?? "It does not start."}`,
  );
  log(
    'To compare: pip install datatrove spacy regex tokenizers "xxhash<4", and name that Python by ANNEAL_PYTHON.',
  );
  return undefined;
};

export default async ({ log, args }) => {
  const options = { rounds: { type: "string", default: "3" }, docs: { type: "string", default: "6000" } };
  const { values } = parseArgs({ args, options });
  const folder = mkdtempSync(join(tmpdir(), "anneal-dedup-"));
  try {
    return measure(log, folder, Number(values.rounds), Number(values.docs));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const measure = (log, folder, rounds, count) => {
  const { texts, origins, words } = planted(count);
  const file = (name, value) => {
    writeFileSync(join(folder, name), JSON.stringify(value));
    return join(folder, name);
  };
  const path = file("texts.json", texts);
  log(`${texts.length} documents, ${texts.reduce((sum, text) => sum + text.length, 0)} characters`);
  const python = pythonOf(file("small.json", texts.slice(0, 10)), log);
  const ours = [];
  const theirs = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(node(speed, path));
    if (python !== undefined)
      theirs.push(onOneCore(python, script, path, ...[bands, rows, ngram].map(String)));
    const rate = (runs) => (runs.length === 0 ? "-" : Math.round(texts.length / runs.at(-1).cpuSeconds));
    log(`round ${round + 1}: anneal ${rate(ours)}, datatrove ${rate(theirs)} documents/s/core`);
  }
  const errors = sCurveErrors(words);
  log(`S-curve: off by ${errors.map((e, i) => `${e.toFixed(4)} at ${SIMILARITIES[i]}`).join(", ")}`);
  const { bytesPerDoc } = node(memory, file("words.json", [...new Set(words)]), String(MEMORY_DOCS));
  const metrics = {
    docsPerSecPerCore: median(ours.map((run) => texts.length / run.cpuSeconds)),
    pairF1: pairF1(ours[0].clusters, origins),
    sCurveMaxError: Math.max(...errors),
    bytesPerDoc,
  };
  if (theirs.length === 0) return metrics;
  return {
    ...metrics,
    docsPerSecPerCoreOverDatatrove: median(theirs.map((run, i) => run.cpuSeconds / ours[i].cpuSeconds)),
    docsPerSecPerCoreDatatrove: median(theirs.map((run) => texts.length / run.cpuSeconds)),
    pairF1Datatrove: pairF1(theirs[0].clusters, origins),
    versionDatatrove: theirs[0].version,
  };
};
