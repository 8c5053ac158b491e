/** What a checkpoint of a training run holds, and how it becomes files. */
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors/safetensors.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Json } from "../models/model.ts";
import { CheckpointError } from "../util/errors.ts";

/** All that a run needs to go on. */
export interface Snapshot {
  /** Updates done. */
  readonly step: number;
  /** Weights ("params.x") and optimizer state ("opt.y"). */
  readonly state: ReadonlyMap<string, Tensor>;
  /** The best weights so far by held-out loss, where it is measured. */
  readonly best?: ReadonlyMap<string, Tensor>;
  /** What the averaged weights are made of, where weights are averaged. */
  readonly average?: ReadonlyMap<string, Tensor>;
  readonly meta: Json;
}

/** Where a run's checkpoints live. */
export interface Checkpoints {
  save(snapshot: Snapshot): Promise<void>;
  /** The newest sound one; throws CheckpointError when there is none. */
  load(): Promise<Snapshot>;
}

/** A durable place for named files of one step: see `node/files/checkpoints`. */
export interface CheckpointStore {
  save(step: number, files: Readonly<Record<string, readonly Uint8Array[]>>, meta: Json): Promise<void>;
  load(): Promise<{ step: number; files: ReadonlyMap<string, Uint8Array>; meta: Json }>;
}

const STATE = "state.safetensors";
const BEST = "best.safetensors";
const AVERAGE = "average.safetensors";

type Fields = { readonly [key: string]: Json };

const isFields = (x: Json | undefined): x is Fields => typeof x === "object" && x !== null;

/** The parts of what a checkpoint says of itself. Throws CheckpointError where one is missing. */
const partsOf = (meta: Json): { readonly progress: Json; readonly config: Json } => {
  if (isFields(meta) && isFields(meta.progress) && isFields(meta.config)) {
    return { progress: meta.progress, config: meta.config };
  }
  throw new CheckpointError("says nothing of the run that it is of", {
    field: "meta",
    hint: "it is no checkpoint of training: name another run directory",
  });
};

/**
 * Checkpoints over a store. `identity` is all that a run depends on: the options, and hashes of the data and
 * the tokenizer. Resuming where it is another is refused, naming what differs.
 */
export const checkpointsIn = (store: CheckpointStore, identity: Json): Checkpoints => ({
  save: ({ step, state, best, average, meta }) => {
    const files: Record<string, readonly Uint8Array[]> = { [STATE]: encodeSafetensors(state) };
    if (best !== undefined) files[BEST] = encodeSafetensors(best);
    if (average !== undefined) files[AVERAGE] = encodeSafetensors(average);
    return store.save(step, files, { progress: meta, config: identity });
  },
  load: async () => {
    const { step, files, meta } = await store.load();
    const { progress, config } = partsOf(meta);
    requireSame(config, identity);
    const read = (name: string) => decodeSafetensors(files.get(name)!, name).tensors;
    if (!files.has(STATE)) throw new CheckpointError("is missing from the checkpoint", { file: STATE });
    const best = files.has(BEST) ? { best: read(BEST) } : {};
    const average = files.has(AVERAGE) ? { average: read(AVERAGE) } : {};
    return { step, state: read(STATE), meta: progress, ...best, ...average };
  },
});

/** A field by its dotted path, as it was and as it is. */
export type Difference = readonly [path: string, was: string, is: string];

/** Where two objects differ, field by field. */
export const differences = (was: Json, is: Json, path = ""): Difference[] => {
  if (!isFields(was) || !isFields(is)) {
    return was === is ? [] : [[path, JSON.stringify(was), JSON.stringify(is)]];
  }
  const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  return keys.flatMap((key) =>
    differences(was[key] ?? null, is[key] ?? null, path === "" ? key : `${path}.${key}`),
  );
};

/** Differences that are told one by one. */
const TOLD = 5;

const requireSame = (saved: Json, now: Json): void => {
  const [first, ...rest] = differences(saved, now);
  if (first === undefined) return;
  const told = rest.slice(0, TOLD - 1).map(([path, was, is]) => `; "${path}" was ${was} and is ${is}`);
  const more = rest.length < TOLD ? "" : `; and ${rest.length - TOLD + 1} more`;
  const [field, was, is] = first;
  throw new CheckpointError(`was ${was} in the checkpoint and is ${is}${told.join("")}${more}`, {
    field,
    hint: "resume with the options and the data of the run, or start another run directory",
  });
};
