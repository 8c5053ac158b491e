// A search that is killed at ten random moments and gone on with each time, beside one that was never stopped: the same trials with the
// same scores, the same files. Times differ from run to run, so that what they decide is not compared: the front in loss and size is.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../../bin/anneal.js", import.meta.url));
const KILLS = 10;

/** Runs the command to its end, or kills it after some milliseconds; whether it ended. */
const run = (args, killMs) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], { stdio: ["ignore", "ignore", "inherit"] });
    const timer = killMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killMs);
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      if (signal === null && code !== 0 && code !== 5)
        reject(new Error(`anneal ${args[0]} ended with ${code}`));
      else resolve(signal === null);
    });
  });

/** What became of each trial, but for what depends on clocks. */
const told = (out) =>
  readFileSync(join(out, "run", "search", "trials.jsonl"), "utf8")
    .trim()
    .split("\n")
    .flatMap((line) => JSON.parse(line).record ?? [])
    .map(({ name, stage, candidate, parity }) =>
      JSON.stringify([name, stage, candidate?.score, candidate?.figures.sizeBytes.value, parity?.sha256]),
    );

export const killed = async ({ log, data, work }) => {
  const dir = work ?? mkdtempSync(join(tmpdir(), "anneal-killed-"));
  const model = join(dir, "small", "model");
  const shape = ["--layers", "4", "--width", "64", "--vocab", "512", "--context", "64", "--steps", "60"];
  if (!existsSync(model)) await run(["train", "-q", "--data", data, ...shape, "--out", join(dir, "small")]);
  const search = (out, ...more) => [
    ...["optimize", model, "-q", "--data", data, "--max-mb", "0.3", "--max-loss", "0.5", "--trials", "2"],
    ...["--sampler", "halton", "--distill-steps", "30", "--threads", "1", "--out", out, ...more],
  ];
  const [whole, pieces] = [join(dir, "whole"), join(dir, "pieces")];
  const began = performance.now();
  await run(search(whole));
  const tookMs = performance.now() - began;
  // A fixed sequence of moments: what has been done before is read back, so that they reach ever further. Where the search ends before
  // the tenth, it is begun again with moments that are closer together.
  let kills = 0;
  for (let share = 0.3; kills < KILLS; share /= 1.5) {
    let [seed, ended] = [1, false];
    kills = 0;
    while (kills < KILLS && !ended) {
      seed = (seed * 48_271) % 2_147_483_647;
      const args = kills === 0 ? search(pieces) : search(pieces, "--resume");
      ended = await run(args, (share / 3 + (share * seed) / 2_147_483_647) * tookMs);
      if (!ended) kills++;
      log(`${ended ? "ended" : `killed ${kills} times`}`);
    }
  }
  await run(search(pieces, "--resume"));
  const [one, other] = [told(whole), told(pieces)];
  const differ = one.filter((line, i) => line !== other[i]).length + Math.abs(one.length - other.length);
  log(`${one.length} configurations, ${differ} differ after ${kills} kills`);
  return { kills, trialsThatDiffer: differ };
};
