// Ranks that come and go: a run of four ranks is killed, goes on with three, is killed, and ends with four, as a user starts
// it. Its losses stand beside those of one process that nothing happened to.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dataFile } from "../../texts.mjs";
import { launchers } from "./run.mjs";

const bin = fileURLToPath(new URL("../../../bin/anneal.js", import.meta.url));
const [STEPS, INTERVAL] = [60, 10];

const rowsOf = (out) => {
  const file = join(out, "run", "metrics.jsonl");
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined);
};

const wordsOf = (out) => [
  ...["train", "--data", dataFile("tinyshakespeare.txt"), "--out", out, "--near", "off", "-q"],
  ...["--layers", "2", "--heads", "4", "--width", "64", "--context", "32", "--vocab", "512", "--seed", "3"],
  ...[
    "--batch",
    "12",
    "--steps",
    String(STEPS),
    "--checkpoint-every",
    String(INTERVAL),
    "--eval-every",
    "30",
  ],
  ...["--threads", "1", "--replicas", "1"],
];

/** The process of a rank that works on `out`. */
const aRank = (out) =>
  Number(
    readdirSync("/proc").find((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
        return words.includes(out) && words[0].endsWith("node");
      } catch {
        return false;
      }
    }),
  );

/** Runs on `count` ranks, to its end or until `last` steps are done, when one rank is killed: the exit status. */
const go = async (out, count, { last, resumes = false } = {}) => {
  const { words } = launchers.openmpi;
  const own = [bin, ...wordsOf(out).slice(0, count > 1 ? -2 : undefined), ...(resumes ? ["--resume"] : [])];
  const [file, ...args] =
    count > 1 ? [...words, "-n", String(count), process.execPath, ...own] : [process.execPath, ...own];
  const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const ended = new Promise((done) => child.on("close", done));
  let over = false;
  ended.then(() => (over = true));
  while (last !== undefined && !over) {
    if ((rowsOf(out).at(-1)?.step ?? 0) >= last) {
      process.kill(aRank(out), "SIGKILL");
      break;
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  const code = await ended;
  if ((code === 0) !== (last === undefined)) throw new Error(`${count} ranks ended with ${code}:\n${said}`);
};

/**
 * restartsLossRelError: the largest relative difference of a step's loss from that of one process; restartsLost: the
 * most steps that one restart had to do again.
 */
export const restarts = async (log) => {
  const dir = mkdtempSync(join(tmpdir(), "anneal-restarts-"));
  try {
    const [one, many] = [join(dir, "one"), join(dir, "many")];
    await go(one, 1);
    await go(many, 4, { last: 24 });
    await go(many, 3, { last: 45, resumes: true });
    await go(many, 4, { resumes: true });
    const alone = new Map(rowsOf(one).map(({ step, loss }) => [step, loss]));
    let [error, again, most, before] = [0, 0, 0, 0];
    for (const { step, loss } of rowsOf(many)) {
      error = Math.max(error, Math.abs(loss / alone.get(step) - 1));
      again = step <= before ? Math.max(again, before - step + 1) : again;
      before = Math.max(before, step);
      most = Math.max(most, step);
    }
    if (most !== STEPS || alone.size !== STEPS)
      throw new Error(`${most} and ${alone.size} steps of ${STEPS}`);
    log(
      `4 ranks, 3, 4: losses of ${STEPS} steps within ${error.toExponential(1)} of one process's, ${again} steps again`,
    );
    return { restartsLossRelError: error, restartsLost: again };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};
