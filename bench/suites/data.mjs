// Mixed text, 1 GB (--mb for another size), made of real files by seeded edits, through `anneal data` end to end in a
// process of its own: from raw files to packed token shards. Largest resident memory of that process, and megabytes of
// raw text a second: end to end, and for each stage (over the seconds that all threads spent in it).
import { execFileSync, spawn } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { rng } from "../../dist/util/rng.js";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const FILES = 16;

const textOf = (path) => {
  const bytes = readFileSync(path);
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
};

/** Paragraphs and lines of real text, of a few kinds. */
const readPool = (log) => {
  const data = process.env.ANNEAL_DATA ?? resolve(root, "../shared/data");
  const own = existsSync(data)
    ? readdirSync(data)
        .filter((name) => /\.(txt|tsv|gz)$/.test(name))
        .map((name) => join(data, name))
    : [];
  const modules = join(root, "node_modules");
  const markdown = readdirSync(modules, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.md$/i.test(name))
    .map((name) => join(modules, name))
    .filter((path) => statSync(path).isFile());
  log(`text of ${own.length} files of ${data} and ${markdown.length} Markdown files`);
  return [...own, ...markdown].flatMap((path) =>
    textOf(path)
      .split(/\n\s*\n/)
      .flatMap((part) => (part.length > 4000 ? part.match(/.{1,2000}/gs) : [part]))
      .filter((part) => part.trim().length > 40),
  );
};

/** One document: a few parts of the pool, some words of each changed to others of it. */
const documentOf = (pool, random) => {
  const count = 1 + random.int(6);
  const parts = [];
  for (let i = 0; i < count; i++) {
    const words = pool[random.int(pool.length)].split(" ");
    const other = pool[random.int(pool.length)].split(" ");
    for (let w = random.int(8); w < words.length; w += 1 + random.int(12))
      words[w] = other[random.int(other.length)];
    parts.push(words.join(" "));
  }
  return parts.join("\n\n");
};

/**
 * Files of documents, as JSON lines and as text: one in twenty is a copy of an earlier one, one in twenty such a copy
 * with three words changed, one in two hundred is empty.
 */
const writeCorpus = (dir, bytes, pool) => {
  const random = rng(1, "bench data");
  const recent = [];
  let written = 0;
  let documents = 0;
  for (let f = 0; f < FILES; f++) {
    const json = f % 4 !== 3;
    const fd = openSync(join(dir, `mixed-${String(f).padStart(2, "0")}.${json ? "jsonl" : "txt"}`), "w");
    const end = ((f + 1) * bytes) / FILES;
    while (written < end) {
      const lines = [];
      for (let i = 0; i < 500; i++) {
        const kind = random.int(200);
        let text = kind === 0 ? " " : documentOf(pool, random);
        if (kind > 0 && kind <= 20 && recent.length > 0) {
          const words = recent[random.int(recent.length)].split(" ");
          if (kind > 10) for (let n = 0; n < 3; n++) words[random.int(words.length)] = "another";
          text = words.join(" ");
        } else if (kind > 20 && kind < 40)
          recent[recent.length < 5000 ? recent.length : random.int(5000)] = text;
        lines.push(json ? `${JSON.stringify({ text })}\n` : `${text}\n\n`);
        documents++;
      }
      written += writeSync(fd, lines.join(""));
    }
    closeSync(fd);
  }
  return { bytes: written, documents };
};

/** Runs a command, and watches its largest resident memory. */
const measure = (args) =>
  new Promise((done, fail) => {
    const start = performance.now();
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    let stdout = "";
    let peak = 0;
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    const watch = setInterval(() => {
      try {
        const status = readFileSync(`/proc/${child.pid}/status`, "utf8");
        peak = Math.max(peak, 1024 * Number(/VmHWM:\s*(\d+)/.exec(status)?.[1] ?? 0));
      } catch {
        // Where there is no /proc, ps says what is resident at the moment.
        try {
          const rss = execFileSync("ps", ["-o", "rss=", "-p", String(child.pid)], { encoding: "utf8" });
          peak = Math.max(peak, 1024 * Number(rss));
        } catch {}
      }
    }, 200);
    child.on("error", fail);
    child.on("close", (code) => {
      clearInterval(watch);
      if (code !== 0) fail(new Error(`anneal data ended with ${code}: ${stdout}`));
      else done({ seconds: (performance.now() - start) / 1000, peak, result: JSON.parse(stdout) });
    });
  });

export default async ({ log, args }) => {
  const at = args.indexOf("--mb");
  const megabytes = at < 0 ? 1000 : Number(args[at + 1]);
  if (!(megabytes > 0)) throw new Error("--mb takes a number above 0");
  const dir = mkdtempSync(join(tmpdir(), "anneal-bench-data-"));
  try {
    const { bytes, documents } = writeCorpus(dir, megabytes * 1e6, readPool(log));
    log(`wrote ${(bytes / 1e6).toFixed(0)} MB, ${documents} documents`);
    const out = `${dir}-out`;
    const command = [join(root, "bin/anneal.js"), "data", dir, "--out", out, "--vocab", "8192", "--json"];
    const { seconds, peak, result } = await measure(command);
    const mb = bytes / 1e6;
    const stages = Object.fromEntries(
      Object.entries(result.seconds).map(([name, s]) => [name, Number((mb / s).toFixed(2))]),
    );
    log(`${seconds.toFixed(1)} s, ${(peak / 1e6).toFixed(0)} MB resident`);
    return {
      bytes,
      documents,
      peakRssBytes: peak,
      endToEndMbPerSec: Number((mb / seconds).toFixed(2)),
      stageMbPerSec: stages,
      tokens: Object.fromEntries(Object.entries(result.splits).map(([name, split]) => [name, split.tokens])),
    };
  } finally {
    for (const made of [dir, `${dir}-out`]) rmSync(made, { recursive: true, force: true });
  }
};
