/** Export: from a model's folder to one with the graphs of any dtypes. */
import { resolve } from "node:path";
import { cacheScales } from "../../compress/cacheScales.ts";
import type { Ids } from "../../compress/probe.ts";
import { CALIBRATION_TOKENS, type QuantizeOptions } from "../../compress/quantize.ts";
import { wideUnderBudget } from "../../compress/sensitivity.ts";
import { packable } from "../../models/linears.ts";
import type { Json, Model } from "../../models/model.ts";
import { MARKER, writeFolder } from "../../node/files/files.ts";
import { adapterDirs, type HubOptions, modelDir } from "../../node/hub/hub.ts";
import { type LoadedModel, loadModel } from "../../node/model/folder.ts";
import type { FolderPooling } from "../../node/model/pooling.ts";
import { readTokenizer } from "../../node/model/tokenizerFiles.ts";
import { nodeEngine } from "../../node/runtime/engine.ts";
import { type ExportCard, exportCard } from "../../report/run/sourceCard.ts";
import { anyModelDtypes, type ExportDtype, exportDtypes } from "../../ship/onnx/dtype.ts";
import { dtypesFrom, type ExportOptions, exportFiles } from "../../ship/onnx/export.ts";
import { generationOf } from "../../ship/onnx/exportConfig.ts";
import { jsonBytes } from "../../ship/onnx/files.ts";
import { defined } from "../../util/defined.ts";
import { ConfigError } from "../../util/errors.ts";
import { silent, type Ui } from "../context/ui.ts";
import { version } from "../context/version.ts";
import { type CalibrationText, lookedAt, readText } from "../data/windows.ts";
import { bareBodyNotes } from "../model/bareBody.ts";
import { calibrationIn } from "../model/calibration.ts";
import { costsOn, formsOn, type Measuring, measuring, roundedBy } from "../model/measured.ts";
import { type Source, sourceIn } from "../model/source.ts";

/** Where an export goes, and in which dtypes. */
export interface ExportFolderOptions {
  readonly out: string;
  /** Names of dtypes; all that there are unless told. */
  readonly dtypes?: readonly string[];
  /**
   * The dtype that a user gets who asks for none; the folder's own where it is exported, else q8, which is
   * what a page on WebAssembly is served best with, else the first.
   */
  readonly default?: string;
  /** Whether the dense weights are written too, as safetensors; they are unless told. */
  readonly weights?: boolean;
  /** Whether packed weights become float32 when a graph is loaded, for WebAssembly; not unless told. */
  readonly widen?: boolean;
  /** Whether the cache of keys and values is int8 in the packed dtypes; float32 unless told. */
  readonly cache?: "int8";
  /** How matrices of 4 bits are rounded; by scale search unless told. */
  readonly rounding?: Pick<QuantizeOptions, "method" | "block">;
  /** What they are rounded on; a few short texts unless told. */
  readonly text?: CalibrationText;
  /** Folders of adapters that are merged into the weights, each on those before it. */
  readonly adapters?: readonly string[];
  /** How to reach the Hub, for a model of it. */
  readonly hub?: HubOptions;
  /** Aborted: leave before the next file, with nothing written. */
  readonly signal?: AbortSignal;
  /** The command line, for anneal.json. */
  readonly command?: string;
  readonly ui?: Ui;
}

/** One file of an export. */
export interface ExportedFile {
  readonly name: string;
  readonly sizeBytes: number;
}

/** What was exported. */
export interface Exported {
  readonly path: string;
  readonly dtypes: readonly ExportDtype[];
  readonly default: ExportDtype;
  readonly files: readonly ExportedFile[];
  /** Files and folders of the source that were not taken along: weights in other forms, graphs. */
  readonly left: readonly string[];
}

type Written = readonly [name: string, chunks: readonly Uint8Array[]];

/** What made the folder, for programs. */
const manifest = (
  model: Model,
  { dtypes, default: usual, quantize }: Pick<Exported, "dtypes" | "default"> & { readonly quantize?: Json },
  { widen = false, command, cache }: ExportFolderOptions,
): Json => ({
  version,
  ...(command === undefined ? {} : { command }),
  export: {
    ...{ dtypes, default: usual, ...(widen ? { widen } : {}) },
    ...(quantize === undefined ? {} : { quantize }),
    ...defined({ cache }),
  },
  history: model.history.map(({ name, options }) => ({ name, options })),
});

const chosen = (options: ExportFolderOptions, own?: string) => {
  const dtypes = dtypesFrom(options.dtypes ?? anyModelDtypes, "--dtype");
  const [asked] = options.default === undefined ? [] : dtypesFrom([options.default], "--default");
  const fitting = [own, "q8"].find((name) => dtypes.some((dtype) => dtype === name));
  return { dtypes, default: asked ?? (fitting as ExportDtype | undefined) ?? dtypes[0]! };
};

/** Passes files on, tells of them and notes their sizes, until aborted. */
function* counted(
  files: Iterable<Written>,
  sizes: ExportedFile[],
  { signal, ui = silent }: ExportFolderOptions,
): Generator<Written> {
  const task = ui.task("exporting", 0);
  let bytes = 0;
  for (const file of files) {
    signal?.throwIfAborted();
    const [name, chunks] = file;
    const sizeBytes = chunks.reduce((n, { byteLength }) => n + byteLength, 0);
    bytes += sizeBytes;
    sizes.push({ name, sizeBytes });
    task.update(sizes.length, { file: name, MB: (bytes / 1e6).toFixed(1) });
    yield file;
  }
  task.done(`exported ${sizes.length} files, ${(bytes / 1e6).toFixed(1)} MB`);
}

/** A model to be exported, with what its folder passes on. */
export interface Exportable {
  readonly dir: string;
  readonly source: Source;
  readonly loaded: LoadedModel;
}

/** What the packed dtypes have to know of a model: the model may have scales folded in. */
export interface MeasuredExport
  extends Pick<ExportOptions, "int8" | "wide" | "codes" | "rounding" | "cache"> {
  readonly model: Model;
  /** Sections that the card gets besides. */
  readonly sections?: ExportCard["sections"];
  /** What anneal.json says of how the matrices were rounded. */
  readonly quantize?: Json;
}

/** The same, measured on texts by the folder's tokenizer. */
const measuredIn = async (
  { dir, loaded: { model } }: Exportable,
  dtypes: readonly ExportDtype[],
  options: ExportFolderOptions,
): Promise<MeasuredExport> => {
  const { rounding = {}, ui = silent } = options;
  const texts = await calibrationIn(dir);
  const bits = dtypes.map((name) => exportDtypes[name].packed?.bits).filter((b) => b !== undefined);
  if (bits.length === 0) return { model };
  const threads = options.text?.run.threads ?? 0;
  const engine = await nodeEngine(threads > 0 ? { threads } : {});
  const study = measuring(engine, model, { ui, ...defined({ signal: options.signal }) });
  const given = await textOf(study, { dir, bits }, options);
  const read = given?.texts ?? texts;
  const cache = options.cache === undefined ? {} : { cache: await cacheScales(engine, model, read ?? []) };
  const shown = given?.shown ?? texts;
  const int8 = shown === undefined ? {} : { int8: await formsOn(study, shown) };
  if (!bits.includes(4)) return { model, ...int8, ...cache };
  const wide = texts === undefined ? [] : wideUnderBudget(await costsOn(study, texts));
  const all = packable(model.arch.linears(model.config)).size;
  if (texts !== undefined)
    ui.line(`4 bits for ${all - wide.length} of ${all} matrices, by what they cost; 8 for the rest`);
  const { tokens = CALIBRATION_TOKENS } = options.text ?? {};
  const found = await roundedBy(study, { ...rounding, wide, tokens, ...defined({ texts: read }) });
  for (const note of found.notes) ui.line(note);
  return { ...found, ...int8, ...cache, wide, rounding };
};

/**
 * The text that was asked for, where something is found on it: codes of 4 bits, a cache's steps, and what
 * shows an encoder's inputs, which takes more than a few short texts.
 */
const textOf = async (
  { model }: Measuring,
  { dir, bits }: { readonly dir: string; readonly bits: readonly number[] },
  { text, cache, ui = silent, signal, command = "" }: ExportFolderOptions,
): Promise<{ readonly texts: Ids; readonly shown?: Ids } | undefined> => {
  if (text === undefined) return undefined;
  const shows = model.arch.kind === "encoder" && text.run.data.paths.length > 0;
  if (!shows && !bits.includes(4) && cache === undefined) return undefined;
  const { run, tokens = CALIBRATION_TOKENS } = text;
  const hooks = { ui, command, ...defined({ signal }) };
  const tokenizer = await readTokenizer(dir);
  const { texts, material } = await readText({ model, tokenizer }, run, { tokens, hooks });
  return { texts, ...(shows ? { shown: lookedAt({ tokenizer, material }, run.seed) } : {}) };
};

/** Says how sentence vectors are made where the folder does not, and why there are none where it does. */
const tellPooling = ({ pooling }: Model, { said, fault }: FolderPooling, ui: Ui = silent): void => {
  if (fault !== undefined) ui.warn(`${fault.message}: the graphs have no sentence_embedding`);
  if (pooling === undefined || said !== undefined) return;
  ui.line(
    "no modules.json says how sentence vectors are made: as usual, by the mean over the tokens, of length 1",
  );
};

/**
 * Opens a model for an export to `out`. Throws ConfigError where that is its own folder, and as `modelDir`
 * and `loadModel`.
 */
export const openExport = async (ref: string, options: ExportFolderOptions): Promise<Exportable> => {
  chosen(options); // Refuses a wrong dtype before anything is fetched or read.
  const dir = await modelDir(ref, options.hub);
  if (resolve(dir) === resolve(options.out)) {
    throw new ConfigError("is the model's own folder, whose other files would be lost", {
      file: options.out,
      hint: "choose another folder with --out",
    });
  }
  const source = await sourceIn(dir, ref);
  const loaded = await loadModel(dir, { adapters: await adapterDirs(options.adapters ?? [], options.hub) });
  for (const note of bareBodyNotes(loaded.model)) (options.ui ?? silent).warn(note);
  return { dir, source, loaded };
};

const choiceFor = ({ source: { config } }: Exportable, options: ExportFolderOptions) => {
  const own = config.fields["transformers.js_config"] as { dtype?: string } | undefined;
  return chosen(options, own?.dtype);
};

/** Writes an opened model. Throws ConfigError for an `out` that holds other files. */
export const writeExport = async (
  opened: Exportable,
  { model, sections, quantize, ...measured }: MeasuredExport,
  options: ExportFolderOptions,
): Promise<Exported> => {
  const { config, generation, left, files, card } = opened.source;
  const choice = choiceFor(opened, options);
  const { weights = true, widen = false } = options;
  const parts = { config, files, weights, halves: opened.loaded.halves, widen, ...measured };
  const given = { dtypes: choice.dtypes, defaultDtype: choice.default, ...parts };
  const made = function* (): Generator<Written> {
    yield* exportFiles(model, generation === undefined ? given : { ...given, generation });
    const said = generationOf(model, generation, config)?.fields;
    const about = { source: card, ...given, ...defined({ generation: said, sections }) };
    yield ["README.md", [new TextEncoder().encode(exportCard(model, about))]];
    yield [MARKER, [jsonBytes(manifest(model, { ...choice, ...defined({ quantize }) }, options))]];
  };
  const written: ExportedFile[] = [];
  await writeFolder(options.out, counted(made(), written, options));
  if (left.length > 0) (options.ui ?? silent).line(`left in ${opened.dir}: ${left.join(", ")}`);
  return { path: options.out, ...choice, files: written, left };
};

/**
 * Writes the model `ref`, a folder or a name of the Hub, to the folder `out`, whole or not at all. Throws
 * ConfigError for a dtype that is not known, for weights that a dtype cannot hold and for an `out` that holds
 * other files, and what `modelDir` and `loadModel` throw.
 */
export const exportFolder = async (ref: string, options: ExportFolderOptions): Promise<Exported> => {
  const opened = await openExport(ref, options);
  tellPooling(opened.loaded.model, opened.loaded.pooling, options.ui);
  const measured = await measuredIn(opened, choiceFor(opened, options).dtypes, options);
  return writeExport(opened, measured, options);
};
