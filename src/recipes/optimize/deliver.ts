/**
 * Ships the chosen candidate: the folder with its files, parity figures, card and report, written whole or
 * not at all.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import type { Engine } from "../../engine/engine.ts";
import type { Json } from "../../models/model.ts";
import { writeFolder } from "../../node/files/checkpoints.ts";
import { modelCard } from "../../report/run/card.ts";
import { type Report, reportHtml } from "../../report/run/report.ts";
import type { Base } from "../../search/candidates/candidate.ts";
import type { Optimized } from "../../search/candidates/optimize.ts";
import { type Files, generationIn, jsonBytes } from "../../ship/onnx/files.ts";
import type { ParityFile } from "../../ship/verify/verify.ts";
import { defined } from "../../util/defined.ts";
import type { RunOptions } from "../config/options.ts";
import { version } from "../context/version.ts";
import type { UserData } from "../data/userData.ts";
import type { Source } from "../model/source.ts";
import type { Curve } from "../train/pretrain.ts";
import { machineName } from "../verify/parityFile.ts";
import { shippingOf } from "./formats.ts";
import { notesOf, vocabularyNotes } from "./notes.ts";
import type { Shipping } from "./shipping/shipping.ts";
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
  /** The GGUF file's name, where one is shipped. */
  readonly ggufFile?: string;
}

const hashesOf = (files: Files): Record<string, string> =>
  Object.fromEntries(
    Array.from(files, ([path, chunks]) => {
      const hash = createHash("sha256");
      for (const chunk of chunks) hash.update(chunk);
      return [path, hash.digest("hex")];
    }),
  );

/** What is told beside the files' own figures. */
type Told = Omit<Delivered, "path"> & Pick<Report, "beside">;

const reportOf = (
  engine: Engine,
  delivery: Delivery & { readonly shipping: Shipping },
  parts: Told,
): Report => {
  const { optimized, data, curves, options, command, shipping } = delivery;
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
    candidates: optimized.candidates.map((c) => withCommand(c, { options, chosen, shipping })),
    ...{ picks, search: searchTold(optimized) },
    ...defined({ beside: parts.beside, ggufFile: parts.ggufFile }),
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
  const { source } = delivery;
  const shipping = shippingOf(optimized.format, { engine, data, options, ...defined({ source }) });
  const files = shipping.folder(base, { dtype: chosen.dtype });
  const figures = shipping.parity(optimized.parity.get(chosen.base)!, files, base);
  const samples = await shipping.samples(optimized, base, files);
  const cut = options.model.cutVocab ? [] : vocabularyNotes(optimized, base.dense);
  const notes = [...notesOf(optimized), ...cut];
  const ggufFile = Array.from(files.keys()).find((name) => name.endsWith(".gguf"));
  const parts = { parity: figures, samples, notes, hashes: hashesOf(files), ...defined({ ggufFile }) };
  const report = reportOf(
    engine,
    { ...delivery, shipping },
    {
      ...parts,
      ...defined({ beside: besideTold(optimized, data, base.dense) }),
    },
  );
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
