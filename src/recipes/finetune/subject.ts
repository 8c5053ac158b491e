/** What is fine-tuned: the checkpoint, the task that its records are for, and the model that learns it. */

import { MODULES } from "../../models/checkpoint/sentenceModules.ts";
import { withDropout } from "../../models/dropoutRates.ts";
import type { Labels } from "../../models/encoders/encoder.ts";
import { headOf } from "../../models/head.ts";
import type { Model, ModelConfig } from "../../models/model.ts";
import { requireFinite } from "../../nn/finite.ts";
import { adapterDirs } from "../../node/hub/hub.ts";
import { loadModel } from "../../node/model/folder.ts";
import { type TaskName, tasks } from "../../tasks/index.ts";
import {
  columnsOf,
  type Reading,
  type RecordOptions,
  type RecordTask,
  type Row,
  recordDefaults,
} from "../../tasks/records.ts";
import type { Task } from "../../tasks/task.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { ConfigError, DataError } from "../../util/errors.ts";
import { nameHint } from "../../util/nearest.ts";
import type { RunOptions } from "../config/options.ts";
import type { RecipeHooks } from "../context/hooks.ts";
import { type RecordData, type Records, readRecords, recordData, recordOptions } from "../data/records.ts";
import { type Opened, openFolder } from "../model/open.ts";
import { type Source, sourceIn } from "../model/source.ts";
import { chatSource, chatsOf } from "./chats.ts";

/** A task that takes records. */
export type RecordsTask = Task & { readonly records: RecordTask };

const takesRecords = (task: Task): task is RecordsTask => task.records !== undefined;

const recordTasks = (): readonly RecordsTask[] => {
  const all: readonly Task[] = Object.values(tasks);
  return all.filter(takesRecords);
};

/** What a model is for now; undefined where that is no task. */
const ownTask = ({ arch, config }: Opened): string | undefined => {
  const head = headOf(arch, config);
  const all: readonly Task[] = Object.values(tasks);
  return all.find(({ heads }) => heads.includes(head))?.name;
};

/** The task that the user names. Throws ConfigError for one that takes no records. */
const namedTask = (name: TaskName): RecordsTask => {
  const task: Task = tasks[name];
  if (takesRecords(task)) return task;
  const known = recordTasks().map((each) => each.name);
  throw new ConfigError(`${name} takes no records`, {
    field: "task.name",
    hint: `choose ${known.join(" or ")}; running text is for: anneal train --from MODEL`,
  });
};

/** Throws DataError for a field that the user names and no record has. */
const requireFields = (
  rows: readonly Row[],
  { field, pairField, labelFields }: Pick<RecordOptions, "field" | "pairField" | "labelFields">,
): void => {
  const has = (name: string): boolean => rows.some(({ fields }) => name in fields);
  const lost = [field, pairField, ...labelFields].find((name) => name !== undefined && !has(name));
  const names = columnsOf(rows).map(({ name }) => name);
  if (lost === undefined || names.length === 0) return;
  throw new DataError("no record has this field", {
    ...{ file: rows[0]!.id, field: lost },
    hint: nameHint(lost, names),
  });
};

/**
 * The task that the columns suit best; of equals that of the model. Throws DataError where there is none,
 * and where several suit as well.
 */
const foundTask = ({ rows }: Records, opened: Opened, options: RecordOptions): RecordsTask => {
  const columns = columnsOf(rows);
  const all = recordTasks();
  const fits = all.map((task) => ({ task, fit: task.records.fits(columns, options) }));
  // A question and its answer are instructions to what writes, a pair of texts to what makes vectors.
  const head = headOf(opened.arch, opened.config);
  const writes = head === "causal-lm" || head === "seq2seq-lm";
  const goesOn = fits.filter(({ task, fit }) => writes && fit > 0 && task.heads.includes(head));
  const rated = goesOn.length > 0 ? goesOn : fits;
  const best = rated.reduce((most, { fit }) => Math.max(most, fit), 0);
  const fitting = rated.filter(({ fit }) => fit === best).map(({ task }) => task);
  if (best === 0) {
    const fields = columns.map(({ name }) => name).join(", ");
    const wanted = all.map(({ name, records }) => `${name}: ${records.wants}`).join("; ");
    throw new DataError("the records are for no task that is known", {
      file: rows[0]!.id,
      hint:
        `their fields are ${fields}; --columns text label names those of a table without a header; ` +
        `wanted: ${wanted}`,
    });
  }
  const own = ownTask(opened);
  const task = fitting.find(({ name }) => name === own) ?? (fitting.length === 1 ? fitting[0] : undefined);
  if (task !== undefined) return task;
  throw new DataError(`the records suit ${fitting.map(({ name }) => name).join(" and ")}`, {
    file: rows[0]!.id,
    hint: "name the task with --task",
  });
};

/** Options that every task of records takes. */
const common: readonly string[] = ["field", "pairField", "labelFields", "tooLong"];

/** Throws ConfigError for an option that the task would pass over in silence. */
const requireTaken = ({ name, records }: RecordsTask, given: RecordOptions): void => {
  const usual: Readonly<Record<string, unknown>> = { ...recordDefaults };
  const said = Object.entries(given).filter(
    ([field, value]) => JSON.stringify(value) !== JSON.stringify(usual[field]),
  );
  const lost = said.map(([field]) => field).find((field) => ![...common, ...records.takes].includes(field));
  if (lost === undefined) return;
  const others = recordTasks().filter((task) => (task.records.takes as readonly string[]).includes(lost));
  throw new ConfigError(`means nothing to ${name}`, {
    field: `task.${lost}`,
    hint: `leave it out: it is for ${others.map((task) => task.name).join(", ")}`,
  });
};

/** The labels of a model that has a head of the task. */
const ownLabels = ({ arch, config }: Opened, task: Task): { readonly own?: Labels } =>
  task.heads.includes(headOf(arch, config)) && "id2label" in config
    ? { own: config as ModelConfig & Labels }
    : {};

/** The model with the pooling that is asked for. */
const pooledAs = (model: Model, mode: RecordOptions["pooling"]): Model =>
  mode === "auto" ? model : { ...model, pooling: { normalize: true, ...model.pooling, mode } };

/** What the checkpoint passes on, without how it pooled where that is another way now. */
const poolingLeft = (source: Source, model: Model, before: Model): Source => {
  if (model.pooling?.mode === before.pooling?.mode) return source;
  const files = [...source.files].filter(([name]) => !(name === MODULES || /^\d+_\w+\//.test(name)));
  return { ...source, files: new Map(files) };
};

/** All that a run of fine-tuning begins with. */
export interface Subject {
  readonly task: Task;
  readonly model: Model;
  readonly tokenizer: Tokenizer;
  readonly data: RecordData;
  readonly reading: Reading;
  readonly source: Source;
  /** Options with the context that the model takes. */
  readonly options: RunOptions;
}

/**
 * Loads the checkpoint with the head that the records need. Throws as `loadModel`, and as the task reads.
 */
export const subjectOf = async (ref: string, given: RunOptions, hooks: RecipeHooks): Promise<Subject> => {
  hooks.ui.stage("Reading records");
  const opened = await openFolder(ref, hooks.hub === undefined ? {} : { hub: hooks.hub });
  const { dir, arch, config, tokenizer } = opened;
  const adapters = await adapterDirs(given.model.adapters, hooks.hub);
  const { positions } = arch.cache(config);
  const n_positions = Math.min(positions, given.model.n_positions);
  const options = { ...given, model: { ...given.model, from: ref, n_positions } };
  const { data, task: asked, seed } = options;
  if (data.paths.length === 0)
    throw new ConfigError("names no file", { field: "data.paths", hint: "name records with --data" });
  const train = await readRecords(data.paths, options, hooks);
  const validation =
    data.validation.length === 0 ? {} : { validation: await readRecords(data.validation, options, hooks) };
  const how = recordOptions(options);
  requireFields(train.rows, how);
  const task = asked.name === "" ? foundTask(train, opened, how) : namedTask(asked.name as TaskName);
  hooks.ui.line(`task: ${task.name}`);
  requireTaken(task, how);
  const labels = ownLabels(opened, task);
  const reading = task.records.read(train.rows, { options: how, lenient: data.skipBadRows, ...labels });
  hooks.ui.stage("Loading the checkpoint");
  const { wanted } = reading;
  const fresh = wanted.labels === undefined ? {} : { freshHead: true };
  const { model: loaded } = await loadModel(dir, {
    ...{ task: task.heads[0]!, seed, ...wanted, ...fresh },
    adapters,
  });
  requireFinite(loaded.weights, dir);
  const { dropout } = options.model;
  const model = pooledAs(dropout === undefined ? loaded : withDropout(loaded, dropout), how.pooling);
  const chats = await chatsOf(dir, tokenizer);
  const records = await recordData(options, hooks, { reading, tokenizer, train, chats, ...validation });
  const passed = poolingLeft(await sourceIn(dir, ref, chats.added()), model, loaded);
  const source = await chatSource(passed, { task, tokenizer, data: records });
  if ("template" in chats.added()) hooks.ui.line(`chat template: the model has none, and gets ${chats.name}`);
  const begun = task.start?.(model, records.material, { tokenizer, seed, records: how }) ?? model;
  const own = task.variant?.(model) ?? task;
  return { task: own, model: begun, tokenizer, data: records, reading, source, options };
};
