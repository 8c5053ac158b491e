/** Trials and measurements in a page: graphs and reference are fetched, the figures are the answer. */

import { halvesFault } from "../evaluate/halves.ts";
import { measureGraphs } from "../evaluate/measure.ts";
import { decodeReference } from "../evaluate/parity/reference.ts";
import { runTrial, type Trial } from "../evaluate/parity/trial.ts";
import type { Probe, Probed } from "../evaluate/probe.ts";
import { DataError } from "../util/errors.ts";
import { webEngine } from "./engine.ts";

/** Graphs as URLs, and the runtime that loads them. */
interface Placed {
  readonly device: "wasm" | "webgpu";
  readonly threads: number;
  /** URL of each graph by its name. */
  readonly graphs: Readonly<Record<string, string>>;
  /** URL of the folder with the runtime's .wasm files, ending in "/". */
  readonly wasmPaths: string;
}

/** What is tried. */
export interface WebTrialRequest extends Placed {
  /** URL of the reference's file. */
  readonly reference: string;
}

/** What is measured. */
export interface WebProbeRequest extends Placed {
  readonly probed: Probed;
}

/** The figures of a trial in a page. */
export interface WebTrial extends Trial {
  /** Name and version of the runtime. */
  readonly engine: string;
}

interface Memory {
  readonly buffer: ArrayBufferLike;
}
interface Wasm {
  Memory: new (descriptor: object) => Memory;
}

/** Bytes of all memories of WebAssembly that are made from here on: the runtime's heap is one of them. */
const watchMemories = (): (() => number) => {
  const wasm = (globalThis as object as { WebAssembly: Wasm }).WebAssembly;
  const made: Memory[] = [];
  wasm.Memory = class extends wasm.Memory {
    constructor(descriptor: object) {
      super(descriptor);
      made.push(this);
    }
  };
  return () => made.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
};

const isCache = (output: string): boolean => output.startsWith("present.");

/** Runs a trial in this page, which should be a fresh one: its heap only ever grows. */
export const webTrial = async (request: WebTrialRequest): Promise<WebTrial> => {
  const { device, threads, graphs, wasmPaths } = request;
  const answer = await fetch(request.reference);
  if (!answer.ok) throw new DataError(`cannot be read (${answer.status})`, { file: request.reference });
  const reference = decodeReference(new Uint8Array(await answer.arrayBuffer()));
  const memory = watchMemories();
  const engine = await webEngine({ device, threads, wasmPaths });
  const trial = await runTrial(reference, (name) => engine.load(graphs[name]!, { resident: isCache }));
  const memoryBytes = memory();
  return {
    ...trial,
    ...(memoryBytes > 0 ? { memoryBytes } : {}),
    engine: `${engine.name} ${engine.version}`,
  };
};

/** Why this page's WebGPU cannot be trusted with float16; null where it can. */
export const webHalvesFault = async (given: Pick<Placed, "threads" | "wasmPaths">): Promise<string | null> =>
  (await halvesFault(await webEngine({ device: "webgpu", ...given }))) ?? null;

/** Measures graphs in this page, which should be a fresh one: its heap only ever grows. */
export const webProbe = async ({
  probed,
  device,
  threads,
  graphs,
  wasmPaths,
}: WebProbeRequest): Promise<Probe> => {
  const memory = watchMemories();
  const engine = await webEngine({ device, threads, wasmPaths });
  const load = (url: string) => engine.load(url, { resident: isCache });
  return measureGraphs(probed, graphs, { load, memory });
};
