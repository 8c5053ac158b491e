/**
 * Ships the chosen candidate: the folder with its files, parity figures, card and report, written whole or
 * not at all.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import type { Json, Model } from "../../models/model.ts";
import { writeFolder } from "../../node/files/checkpoints.ts";
import { loadBytes } from "../../node/runtime/graph.ts";
import { targetTitles } from "../../node/targets/index.ts";
import { modelCard } from "../../report/run/card.ts";
import { type Report, reportHtml } from "../../report/run/report.ts";
import type { Base, BaseParity } from "../../search/candidates/candidate.ts";
import type { Optimized } from "../../search/candidates/optimize.ts";
import { measuredValue, SIZE } from "../../search/figures.ts";
import { decoderOf } from "../../serve/decode/decoding.ts";
import { generate } from "../../serve/decode/generate.ts";
import { graphNames } from "../../serve/graphs/graphs.ts";
import { dtypes, graphFile, type ShipDtype } from "../../ship/onnx/dtype.ts";
import { formFiles } from "../../ship/onnx/export.ts";
import { type Files, generationIn, jsonBytes } from "../../ship/onnx/files.ts";
import { modelFolder } from "../../ship/onnx/modelFolder.ts";
import { allTargets, type ParityFile, statusOf, withInstead } from "../../ship/verify/verify.ts";
import { defined } from "../../util/defined.ts";
import type { RunOptions } from "../config/options.ts";
import { version } from "../context/version.ts";
import type { UserData } from "../data/userData.ts";
import type { Source } from "../model/source.ts";
import type { Curve } from "../train/pretrain.ts";
import { machineName } from "../verify/parityFile.ts";
import { promptsOf } from "./judge.ts";
import { notesOf, vocabularyNotes } from "./notes.ts";
import { besideTold, searchTold, withCommand } from "./told.ts";

/** What is shipped, and what its card and report tell. */
export interface Delivery {
  readonly optimized: Optimized;
  readonly data: UserData;
  readonly curves: readonly Curve[];
  readonly options: RunOptions;
  /** The command line that made it, for the card. */
  readonly command: string;
  /** What the checkpoint passes on that it began with. */
  readonly source?: Source;
}

/** The shipped folder, and what is known of it. */
export interface Delivered {
  /** The folder. */
  readonly path: string;
  readonly parity: ParityFile;
  readonly samples: Report["samples"];
  readonly notes: readonly string[];
  readonly hashes: Readonly<Record<string, string>>;
}

const joined = (chunks: readonly Uint8Array[]): Uint8Array => Buffer.concat(chunks);

const hashesOf = (files: Files): Record<string, string> =>
  Object.fromEntries(
    Array.from(files, ([path, chunks]) => {
      const hash = createHash("sha256");
      for (const chunk of chunks) hash.update(chunk);
      return [path, hash.digest("hex")];
    }),
  );

/** What was found before the choice; other targets wait for anneal verify. */
export const parityOf = (
  engine: Engine,
  judged: BaseParity,
  files: Files,
  { kind }: Model["arch"],
): ParityFile => {
  const sizes = Object.fromEntries(
    Object.keys(judged).map((dtype) => {
      const paths = graphNames[kind].map((name) => graphFile(name, dtype as ShipDtype));
      return [dtype, paths.reduce((sum, path) => sum + joined(files.get(path)!).byteLength, 0)];
    }),
  );
  const name = `${engine.name} ${engine.version}`;
  const tried = { status: statusOf(judged), engine: name, dtypes: judged };
  return {
    format: 1,
    versions: { anneal: version, "onnxruntime-node": engine.version, node: process.versions.node },
    machine: machineName(),
    targets: withInstead(allTargets({ "node-cpu": tried }, { titles: targetTitles }), sizes),
  };
};

/** What a graph writes on the first prompts, at a temperature that shows what the model knows. */
const samplesBy = async (
  engine: Engine,
  delivery: Delivery,
  { name, dense, graph }: { readonly name: string; readonly dense: Model; readonly graph: Uint8Array },
): Promise<Report["samples"]> => {
  const { tokenizer } = delivery.data;
  const shape = dense.arch.cache(dense.config);
  const decoder = decoderOf(await loadBytes(engine, graph), shape);
  const samples: Report["samples"][number][] = [];
  try {
    for (const prompt of promptsOf(delivery.data, 2, Math.min(12, shape.positions >> 1))) {
      const ids: number[] = [];
      const sampling = {
        temperature: 0.7,
        topK: 40,
        maxTokens: 80,
        stopIds: [tokenizer.eos],
        seed: delivery.options.seed,
      };
      for await (const id of generate(decoder, prompt, sampling)) ids.push(id);
      samples.push({ name, prompt: tokenizer.decode(prompt), text: tokenizer.decode(ids) });
    }
  } finally {
    await decoder.dispose();
  }
  return samples;
};

/** The largest start that is loaded to write beside the chosen one, bytes. */
const LARGEST_START = 1e9;

/** Samples of the shipped file, and of the start beside it. */
const samplesOf = async (
  engine: Engine,
  delivery: Delivery,
  base: Base,
  files: Files,
): Promise<Report["samples"]> => {
  const { optimized } = delivery;
  const { chosen } = optimized.choice;
  if (optimized.task.name !== "causal-lm") return [];
  const graph = joined(files.get(dtypes[chosen.dtype].file)!);
  const own = await samplesBy(engine, delivery, { name: chosen.name, dense: base.dense, graph });
  const start = optimized.candidates[0]!;
  if (start === chosen || measuredValue(start, SIZE) > LARGEST_START) return own;
  const whole = await optimized.base(start.base);
  const wholeGraph = joined(formFiles(whole.forms[start.dtype]!, start.dtype).get(dtypes[start.dtype].file)!);
  const given = { name: start.name, dense: whole.dense, graph: wholeGraph };
  return [...(await samplesBy(engine, delivery, given)), ...own];
};

/** What is told beside the files' own figures. */
type Told = Omit<Delivered, "path"> & Pick<Report, "beside">;

const reportOf = (engine: Engine, delivery: Delivery, parts: Told): Report => {
  const { optimized, data, curves, options, command } = delivery;
  const { choice, task, picks } = optimized;
  const { chosen } = choice;
  return {
    title: "anneal report",
    chosen: choice.chosen.name,
    rule: choice.rule,
    met: choice.met,
    exceeded: [...choice.exceeded],
    budget: optimized.budget,
    figures: optimized.figures,
    pipeline: task.pipeline,
    candidates: optimized.candidates.map((c) => withCommand(c, { options, chosen })),
    ...{ picks, search: searchTold(optimized) },
    ...defined({ beside: parts.beside }),
    curves: curves.map((c) => ({ ...c })),
    data: data.report,
    tokens: { ...data.tokens, vocab: data.tokenizer.vocabSize },
    samples: parts.samples,
    parity: parts.parity,
    notes: parts.notes,
    provenance: {
      command,
      seed: options.seed,
      versions: { anneal: version, "onnxruntime-node": engine.version, node: process.versions.node },
      machine: machineName(),
      hashes: parts.hashes,
      createdBy: `anneal ${version}`,
    },
  };
};

/** Writes OUT/model. */
export const deliver = async (engine: Engine, delivery: Delivery): Promise<Delivered> => {
  const { optimized, data, options } = delivery;
  const { chosen } = optimized.choice;
  const base = await optimized.base(chosen.base);
  const tokenizer = data.tokenizer.files();
  const files = modelFolder(base.dense, {
    dtype: chosen.dtype,
    tokenizer,
    eos: data.tokenizer.eos,
    forms: base.forms,
    ...(delivery.source === undefined ? {} : { source: delivery.source }),
  });
  const figures = parityOf(engine, optimized.parity.get(chosen.base)!, files, base.dense.arch);
  const samples = await samplesOf(engine, delivery, base, files);
  const cut = options.model.cutVocab ? [] : vocabularyNotes(optimized, base.dense);
  const notes = [...notesOf(optimized), ...cut];
  const parts = { parity: figures, samples, notes, hashes: hashesOf(files) };
  const report = reportOf(engine, delivery, {
    ...parts,
    ...defined({ beside: besideTold(optimized, data, base.dense) }),
  });
  const text = new TextEncoder();
  files.set("parity.json", [jsonBytes(figures)]);
  files.set("report.html", [text.encode(reportHtml(report))]);
  files.set("README.md", [
    text.encode(modelCard(report, { source: delivery.source?.card, generation: generationIn(files) })),
  ]);
  files.set("anneal.json", [jsonBytes(manifest(delivery, base, parts) as Json)]);
  const path = join(options.out, "model");
  await writeFolder(path, files);
  return { path, ...parts };
};

/** What made the folder: lineage, recipe, figures and hashes, for programs. */
const manifest = (delivery: Delivery, base: Base, parts: Omit<Delivered, "path">) => {
  const { optimized, options, command } = delivery;
  return {
    version,
    command,
    recipe: options,
    history: base.forms[optimized.choice.chosen.dtype]!.history,
    chosen: optimized.choice.chosen,
    candidates: optimized.candidates,
    doubts: optimized.doubts,
    hashes: parts.hashes,
  } as unknown;
};
