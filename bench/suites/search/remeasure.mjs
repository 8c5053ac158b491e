// Measures a delivered model again, in a process of its own: `node remeasure.mjs FOLDER DTYPE THREADS` prints its figures on node-cpu.
import { join } from "node:path";
import { probeOf } from "../../../dist/evaluate/probe.js";
import { loadFolder } from "../../../dist/node/model/folder.js";
import { targets } from "../../../dist/node/targets/index.js";
import { graphNames } from "../../../dist/serve/graphs/graphs.js";
import { graphFile } from "../../../dist/ship/onnx/dtype.js";

const [, , folder, dtype, threads] = process.argv;
const { model, tokenizer } = await loadFolder(folder);
const graphs = Object.fromEntries(
  graphNames[model.arch.kind].map((name) => [name, join(folder, graphFile(name, dtype))]),
);
const place = await targets["node-cpu"].open({
  threads: Number(threads),
  timeoutMs: 600_000,
  software: true,
});
const { figures } = await place.probe({ dtype, graphs }, probeOf(model, tokenizer.vocabSize));
await place.close();
process.stdout.write(`${JSON.stringify(figures)}\n`);
