// A search as a user runs it: `anneal optimize --time` on a small model, whose foretold sizes, speeds and memory are held against what was
// measured, whose winner is measured again in fresh processes, and of whose front each point goes through `anneal verify`, on the
// target of the search and in a page.
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../../bin/anneal.js", import.meta.url));
const remeasure = fileURLToPath(new URL("remeasure.mjs", import.meta.url));

const anneal = (args, log) => {
  try {
    return execFileSync(process.execPath, [bin, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"],
    });
  } catch (error) {
    // A budget that nothing meets is a result too.
    if (error.status !== 5) throw error;
    log("nothing met the budget: the nearest was delivered");
    return error.stdout;
  }
};

const median = (xs) => xs.toSorted((a, b) => a - b)[xs.length >> 1];

/** Median relative error of what was foretold, by the end of the figure's name. */
const errorOf = (records, name) => {
  const errors = records.flatMap(({ foretold, candidate }) =>
    Object.entries(foretold ?? {}).flatMap(([figure, value]) => {
      const found = candidate?.figures[figure]?.value;
      return figure.endsWith(name) && Number.isFinite(found) ? [Math.abs(value / found - 1)] : [];
    }),
  );
  return errors.length === 0 ? undefined : median(errors);
};

/** The share of a search's front that passes `anneal verify`. */
const verified = (out, log) => {
  const points = readdirSync(out).filter((name) => name.startsWith("trial-"));
  const passes = points.filter((point) => {
    try {
      anneal(["verify", join(out, point), "--target", "node-cpu,web-wasm"], log);
      return true;
    } catch (error) {
      log(`${point} fails: ${error.stdout}`);
      return false;
    }
  });
  return { frontPoints: points.length, frontVerified: passes.length / points.length };
};

/** The model is trained in `work` unless it is there. */
export const live = ({ log, data, work, minutes, again }) => {
  const dir = work ?? mkdtempSync(join(tmpdir(), "anneal-live-"));
  const model = join(dir, "start", "model");
  if (!existsSync(model))
    anneal(
      ["train", "-q", "--data", data, "--layers", "6", "--steps", "400", "--out", join(dir, "start")],
      log,
    );
  const out = join(dir, "search");
  const started = performance.now();
  const limits = ["--max-mb", "1.2", "--max-ms", "1.5", "--limit", "memoryBytes<=80MB", "--max-loss", "0.5"];
  const text = anneal(
    [
      "optimize",
      model,
      "-q",
      "--data",
      data,
      ...limits,
      "--time",
      `${minutes * 60}s`,
      "--out",
      out,
      "--json",
    ],
    log,
  );
  const seconds = (performance.now() - started) / 1000;
  const { chosen, candidates } = JSON.parse(text);
  const records = readFileSync(join(out, "run", "search", "trials.jsonl"), "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => JSON.parse(line).record ?? []);
  const all = records.reduce((sum, r) => sum + r.seconds, 0);
  const early = records.filter(({ stage }) => stage === "size" || stage === "speed");
  const winner = candidates.find(({ name }) => name === chosen);
  let inside = 0;
  for (let i = 0; i < again; i++) {
    const found = JSON.parse(
      execFileSync(process.execPath, [remeasure, join(out, "model"), winner.dtype, "0"], {
        encoding: "utf8",
      }),
    );
    const { value } = found.p50Ms;
    const { low, high } = winner.figures["node-cpu/p50Ms"];
    log(`again: p50 ${value.toFixed(3)} ms, reported ${low.toFixed(3)} to ${high.toFixed(3)}`);
    if (value >= low && value <= high) inside++;
  }
  log(
    `${records.length} configurations, ${candidates.length} measured, ${early.length} not made; chosen: ${chosen}`,
  );
  return {
    sizeError: errorOf(records, "sizeBytes"),
    latencyError: errorOf(records, "p50Ms"),
    memoryError: errorOf(records, "memoryBytes"),
    infeasibleShare: early.reduce((sum, r) => sum + r.seconds, 0) / all,
    remeasuredInside: inside / again,
    timeShare: seconds / (minutes * 60),
    measured: candidates.length,
    ...verified(out, log),
  };
};
