/**
 * Measures a shipped decoder in a process of its own: load time, speed and the memory it takes, untouched by
 * what the caller holds. Run as a program it is the measuring side.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { measureSpeed, type Speed, type SpeedOptions } from "../../evaluate/speed.ts";
import type { CacheShape } from "../../models/model.ts";
import { decoderOf } from "../../serve/decoding.ts";
import { RunError } from "../../util/errors.ts";
import { nodeEngine } from "./engine.ts";
import { loadGraph } from "./graph.ts";

export interface ProbeRequest {
  /** Path of the decoding graph. */
  readonly file: string;
  readonly shape: CacheShape;
  readonly speed: SpeedOptions;
  readonly threads: number;
}

export interface Probe extends Speed {
  readonly loadMs: number;
  /** Growth of the resident set from before loading to after the measurement. */
  readonly memoryBytes: number;
}

const measure = async ({ file, shape, speed, threads }: ProbeRequest): Promise<Probe> => {
  const engine = await nodeEngine({ threads });
  const before = process.memoryUsage.rss();
  const start = performance.now();
  const decoder = decoderOf(await loadGraph(engine, file), shape);
  const loadMs = performance.now() - start;
  const figures = await measureSpeed(decoder, speed);
  return { ...figures, loadMs, memoryBytes: process.memoryUsage.rss() - before };
};

/** The compiled form of this file, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/runtime/probe.js", import.meta.url));

/** A native log without its colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const plain = (log: string): string => log.replace(/\u001b?\[[0-9;]*m/g, "").trim();

/** Measures in a fresh process. Throws RunError where that process fails. */
export const probe = (request: ProbeRequest): Promise<Probe> =>
  new Promise((resolve, reject) => {
    const child = fork(program, ["probe"], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    let errors = "";
    let answer: Probe | undefined;
    child.stderr?.on("data", (chunk) => {
      errors += chunk;
    });
    child.on("message", (message) => {
      answer = message as Probe;
    });
    child.on("error", reject);
    child.on("exit", (code) => {
      if (answer !== undefined) resolve(answer);
      else
        reject(
          new RunError(`the measuring process ended with code ${code}: ${plain(errors)}`, {
            file: request.file,
          }),
        );
    });
    child.send(request);
  });

if (process.argv[2] === "probe" && process.send !== undefined) {
  process.once("message", async (request) => {
    process.send!(await measure(request as ProbeRequest), () => process.disconnect());
  });
}
