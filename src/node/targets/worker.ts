/** The program of a process that measures: it gets one job, answers, and leaves. */
import { readFile } from "node:fs/promises";
import { measureGraphs } from "../../evaluate/measure.ts";
import { inPlaceReader } from "../../evaluate/parity/reader.ts";
import { decodeReference } from "../../evaluate/parity/reference.ts";
import { runTrial } from "../../evaluate/parity/trial.ts";
import { decoderOf } from "../../serve/decode/decoding.ts";
import { nodeEngine } from "../runtime/engine.ts";
import { loadGraph } from "../runtime/graph.ts";
import { answerOnce } from "./answering.ts";
import type { Job, Jobs } from "./process.ts";

const resident = (): number => process.memoryUsage.rss();

const work: { readonly [K in keyof Jobs]: (job: Jobs[K]["job"]) => Promise<Jobs[K]["result"]> } = {
  async trial({ device, threads, graphs, reference }) {
    const engine = await nodeEngine(threads > 0 ? { threads, device } : { device });
    const expected = decodeReference(await readFile(reference));
    const before = resident();
    const trial = await runTrial(expected, (name) => engine.load(graphs[name]!));
    const memoryBytes = Math.max(0, resident() - before);
    return { ...trial, memoryBytes, engine: `${engine.name} ${engine.version}` };
  },
  async probe({ device, threads, graphs, probed }) {
    const engine = await nodeEngine(threads > 0 ? { threads, device } : { device });
    // On the processor a decoder's cache is written in place.
    if (device !== "cpu" || probed.does !== "generates") {
      return measureGraphs(probed, graphs, { load: (graph) => engine.load(graph), memory: resident });
    }
    return measureGraphs(probed, graphs, {
      load: (graph) => loadGraph(engine, graph),
      reader: ({ model }) => inPlaceReader(decoderOf(model!, probed.shape)),
      memory: resident,
    });
  },
};

answerOnce((job) => {
  const asked = job as Job;
  return asked.kind === "trial" ? work.trial(asked) : work.probe(asked);
});
