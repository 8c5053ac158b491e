/** The program of a process that measures a GGUF file in llama.cpp. */
import { readFile } from "node:fs/promises";
import { decodeReference } from "../../../evaluate/parity/reference.ts";
import { runReaderTrial } from "../../../evaluate/parity/trial.ts";
import { measureGeneration } from "../../../evaluate/speed.ts";
import { once } from "../../../metrics/metric.ts";
import { answerOnce, type Tell } from "../answering.ts";
import type { LlamaJob, LlamaJobs, LlamaPlaced } from "./jobs.ts";
import { openLlama, startLlama } from "./runtime.ts";

const resident = (): number => process.memoryUsage.rss();

type Work = {
  readonly [K in keyof LlamaJobs]: (
    job: LlamaPlaced & LlamaJobs[K]["asked"],
    tell: Tell,
  ) => Promise<LlamaJobs[K]["result"]>;
};

const work: Work = {
  async check(job) {
    const { engine, llama } = await startLlama(job);
    await llama.dispose();
    return { engine };
  },
  async trial({ reference, file, ...placed }) {
    const expected = decodeReference(await readFile(reference));
    const started = await startLlama(placed);
    const before = resident();
    const trial = await runReaderTrial(expected, () => openLlama(started, file));
    return { ...trial, memoryBytes: Math.max(0, resident() - before), engine: started.engine };
  },
  async probe({ probed: { shape, vocab }, file, ...placed }) {
    const started = await startLlama(placed);
    const before = resident();
    const begin = performance.now();
    const reader = await openLlama(started, file);
    const loadMs = performance.now() - begin;
    const { figures } = await measureGeneration(reader, { vocab, positions: shape.positions });
    const taken = { loadMs: once(loadMs), memoryBytes: once(Math.max(0, resident() - before)) };
    return { figures: { ...figures, ...taken } };
  },
  async score({ rows, file, ...placed }, tell) {
    const longest = Math.max(...rows.map(({ length }) => length));
    return (await openLlama(await startLlama(placed), file, longest)).score(rows, tell);
  },
  async write({ prompts, library, file, threads, ...how }) {
    const reader = await openLlama(await startLlama({ library, threads }), file);
    const found: number[][] = [];
    for (const prompt of prompts) found.push(await reader.write(prompt, how));
    return found;
  },
};

const done = <K extends keyof LlamaJobs>(kind: K, job: LlamaJob, tell: Tell): Promise<unknown> =>
  work[kind](job as LlamaPlaced & LlamaJobs[K]["asked"], tell);

answerOnce((job, tell) => done((job as LlamaJob).kind, job as LlamaJob, tell));
