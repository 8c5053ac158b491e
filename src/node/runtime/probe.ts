/**
 * Measures a shipped model in a process of its own: load time, speed and the memory it takes, untouched by
 * what the caller holds. Run as a program it is the measuring side.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { measureGraphs, type Probe, type Probed } from "../../evaluate/probe.ts";
import type { GraphName } from "../../serve/graphs/graphs.ts";
import { RunError } from "../../util/errors.ts";
import { nodeEngine } from "./engine.ts";
import { loadGraph } from "./graph.ts";

/** Which graph is measured, and how. */
export interface ProbeRequest extends Probed {
  /** Path of each graph by its name. */
  readonly graphs: Readonly<Partial<Record<GraphName, string>>>;
  readonly threads: number;
}

const measure = async ({ graphs, threads, ...probed }: ProbeRequest): Promise<Probe> => {
  const engine = await nodeEngine({ threads });
  const load = (name: GraphName, { inPlace }: { readonly inPlace: boolean }) =>
    inPlace ? loadGraph(engine, graphs[name]!) : engine.load(graphs[name]!);
  return measureGraphs(probed, load, () => process.memoryUsage.rss());
};

/** The compiled form of this file, from the sources as from the package. */
const program = fileURLToPath(new URL("../../../dist/node/runtime/probe.js", import.meta.url));

/** A native log without its colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed.
const plain = (log: string): string => log.replace(/\u001b?\[[0-9;]*m/g, "").trim();

/** Measures in a fresh process. Throws RunError where that process fails. */
export const probe = (request: ProbeRequest): Promise<Probe> =>
  new Promise((resolve, reject) => {
    const child = fork(program, ["probe"], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced", // JSON has no Infinity, the positions of a model that counts none
    });
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
            file: Object.values(request.graphs)[0]!,
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
