// Byte-level BPE: MB of text a second of our pool's encodeMany beside encode_batch of Python's tokenizers, with the same
// tokenizer.json (learnt here from real text), texts and threads, in turns; and whether all ids are the same over text that is
// hostile (every kind of character, special tokens, long words). ANNEAL_PYTHON names a Python that has tokenizers.
import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { gunzipSync } from "node:zlib";
import { tokenizePool } from "../../dist/node/prepare/tokenizePool.js";
import { trainBpe } from "../../dist/tokenizer/bpe/trainBpe.js";
import { rng } from "../../dist/util/rng.js";

const MB = 1e6;
/** Megabytes of each kind of text, unless the command says another number. */
const SIZE_MB = 10;
const VOCAB = 16_384;
const ROUNDS = 3;

const stop = (why) => {
  console.error(why);
  process.exit(4);
};

const FILES = [
  "tinyshakespeare.txt",
  "wikitext2.valid.txt",
  "sst2.train.tsv",
  ...["de", "en", "fr"].map((language) => `multi30k.train.${language}.gz`),
];

const corpora = () => {
  const dirs = [process.env.ANNEAL_DATA, "../shared/data", "../../shared/data"].filter(Boolean);
  const dir = dirs.find((d) => FILES.every((file) => existsSync(join(d, file))));
  if (dir === undefined)
    stop(`${FILES.join(", ")} are not here; set ANNEAL_DATA to the folder that has them`);
  return FILES.map((file) => {
    const bytes = readFileSync(join(dir, file));
    return (file.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
  });
};

const bytesOf = (texts) => texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);

/** Texts that `make` gives until they have `wanted` bytes. */
const fill = (wanted, make) => {
  const texts = [];
  for (let size = 0; size < wanted; size += Buffer.byteLength(texts.at(-1))) texts.push(make(texts.length));
  return texts;
};

/** Passages of the corpora in turn: documents of 200 to 4000 characters, lines whole. */
const mixed = (sources, wanted) => {
  const r = rng(1, "mixed");
  return fill(wanted, (i) => {
    const text = sources[i % sources.length];
    const from = text.indexOf("\n", r.int(text.length - 5000)) + 1;
    return text.slice(from, text.indexOf("\n", from + 200 + r.int(3800)) + 1 || undefined).toWellFormed();
  });
};

/** Any character but a lone surrogate (which is no UTF-8, and comes as U+FFFD in place of one). */
const anyChar = (r, below) => String.fromCodePoint(r.int(below)).toWellFormed();

/** Pieces of each kind that tokenizers have been wrong about. */
const kinds = (r, sources) => [
  () => anyChar(r, 0x110000),
  () => anyChar(r, 0x10000),
  () => anyChar(r, 0x3000),
  () => anyChar(r, 0x80),
  () => String.fromCodePoint(r.int(32)),
  () => ["\r\n", "\r", "\n\n", " \n", "\t", "\u00a0", "\u0085", "\u2028", "\u3000", "\ufeff"][r.int(10)],
  () => " ".repeat(r.int(12)),
  () => ["'s", "'T", "'re", "'VE", "'m", "'Ll", "'d", "'", "'\u017f", "\u2019s"][r.int(10)],
  () => ["\u{1f600}", "\u{1f468}\u200d\u{1f469}\u200d\u{1f467}", "\u{1f1eb}\u{1f1f7}", "\u{1f3fd}"][r.int(4)],
  () => `e${String.fromCodePoint(0x300 + r.int(0x70)).repeat(1 + r.int(4))}`,
  () => ["<|endoftext|>", "<|endoftext", "|>", "<|"][r.int(4)],
  () => String.fromCodePoint(0x4e00 + r.int(0x5000)) + String.fromCodePoint(0xac00 + r.int(0x2ba4)),
  () => String(r.int(2 ** 31)) + ["", "\u0661", "\u2167", "\u00bd", "\u00b2"][r.int(5)],
  () => {
    const text = sources[r.int(sources.length)];
    const from = r.int(text.length - 40);
    return text.slice(from, from + r.int(40)).toWellFormed();
  },
];

const hostile = (sources, wanted) => {
  const r = rng(1, "hostile");
  const make = kinds(r, sources);
  return fill(wanted, (i) => {
    if (i % 500 === 0) return ["ab", "x", "\u4e2d", "\u{1f600}", "!?", "\r\n"][r.int(6)].repeat(20_000);
    return Array.from({ length: 20 + r.int(600) }, () => make[r.int(make.length)]()).join("");
  });
};

const pythonOf = () => {
  const named = process.env.ANNEAL_PYTHON;
  const tried = named === undefined ? ["../../venv/bin/python", "python3"] : [named];
  const has = (python) => {
    try {
      execFileSync(python, ["-c", "import tokenizers"], { stdio: "ignore" });
      return true;
    } catch {
      return false;
    }
  };
  return tried.find(has) ?? stop(`no Python with tokenizers among ${tried.join(", ")}; set ANNEAL_PYTHON`);
};

/** The peer with a number of threads: a function that sends it work and waits for its answer. */
const peer = async (python, tokenizer, threads) => {
  const script = new URL("../peers/tokenizers.peer.py", import.meta.url).pathname;
  const env = {
    ...process.env,
    RAYON_NUM_THREADS: String(threads),
    TOKENIZERS_PARALLELISM: String(threads > 1),
  };
  const child = spawn(python, [script, tokenizer], { env, stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the Python peer ended");
    return JSON.parse(value);
  };
  const { version } = await answer();
  const ask = (work) => {
    child.stdin.write(`${JSON.stringify(work)}\n`);
    return answer();
  };
  return { ask, version, close: () => child.stdin.end() };
};

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const timed = async (run) => {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  const result = await run();
  const { user, system } = process.cpuUsage(cpu);
  return { seconds: (performance.now() - start) / 1000, cpuSeconds: (user + system) / 1e6, result };
};

/** Whether the peer's ids of each text are ours. */
const sameIds = (file, { ids, offsets }) => {
  const bytes = readFileSync(file);
  const theirs = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let at = 0;
  for (let text = 0; text + 1 < offsets.length; text++) {
    const count = offsets[text + 1] - offsets[text];
    if (theirs[at++] !== count) return false;
    for (let i = offsets[text]; i < offsets[text + 1]; i++) if (theirs[at++] !== ids[i]) return false;
  }
  return at === theirs.length;
};

export default async function tokenize({ log, args }) {
  const wanted = MB * Number(args[0] ?? SIZE_MB);
  const python = pythonOf();
  const sources = corpora();
  const dir = mkdtempSync(join(tmpdir(), "anneal-tokenize-"));
  const closing = [];
  try {
    const learnt = await timed(() => trainBpe(sources, { vocab: VOCAB }));
    log(`learnt ${learnt.result.vocabSize} tokens in ${learnt.seconds.toFixed(1)} s`);
    const files = learnt.result.files();
    writeFileSync(join(dir, "tokenizer.json"), JSON.stringify(files.tokenizer));
    const sets = { mixed: mixed(sources, wanted), hostile: hostile(sources, wanted) };
    for (const [name, texts] of Object.entries(sets))
      writeFileSync(join(dir, `${name}.json`), JSON.stringify(texts));
    const threads = Math.max(2, availableParallelism());
    const found = {};
    let [idsEqual, version] = [1, ""];
    for (const count of [1, threads]) {
      const ours = tokenizePool(files, { threads: count });
      const theirs = await peer(python, join(dir, "tokenizer.json"), count);
      closing.push(ours.close, theirs.close);
      version = theirs.version;
      for (const [name, texts] of Object.entries(sets)) {
        await theirs.ask({ texts: join(dir, `${name}.json`) });
        const rows = [];
        // The first round warms both; in turns, so that what else runs here meets both.
        for (let round = 0; round <= ROUNDS; round++) {
          const own = await timed(() => ours.encodeMany(texts, { special: true }));
          const batch = await theirs.ask({ encode: "encode_batch" });
          if (round > 0) rows.push({ own, batch });
          else {
            await theirs.ask({ ids: join(dir, "ids.bin") });
            if (!sameIds(join(dir, "ids.bin"), own.result)) idsEqual = 0;
          }
        }
        const size = bytesOf(texts) / MB;
        const rate = (who, what) => size / median(rows.map((row) => row[who][what]));
        const key = `${name}${count}`;
        found[key] = {
          mbPerSec: rate("own", "seconds"),
          mbPerSecPython: rate("batch", "seconds"),
          mbPerCpuSec: rate("own", "cpuSeconds"),
          mbPerCpuSecPython: rate("batch", "cpuSeconds"),
          mbPerSecOverPython: median(rows.map(({ own, batch }) => batch.seconds / own.seconds)),
        };
        const { mbPerSec, mbPerSecPython } = found[key];
        log(
          `${name}, ${count} threads: ${mbPerSec.toFixed(1)} MB/s; Python ${mbPerSecPython.toFixed(1)}; ` +
            `ids ${idsEqual ? "equal" : "DIFFERENT"}`,
        );
      }
    }
    const main = found[`mixed${threads}`];
    return {
      ...main,
      threads,
      idsEqual,
      ...Object.fromEntries(
        [
          ["oneThread", found.mixed1],
          ["hostile", found[`hostile${threads}`]],
          ["hostileOneThread", found.hostile1],
        ].flatMap(([prefix, row]) =>
          Object.entries(row).map(([k, v]) => [`${prefix}${k[0].toUpperCase()}${k.slice(1)}`, v]),
        ),
      ),
      trainSeconds: learnt.seconds,
      vocab: learnt.result.vocabSize,
      pythonTokenizersVersion: version,
    };
  } finally {
    for (const close of closing) await close();
    rmSync(dir, { recursive: true, force: true });
  }
}
