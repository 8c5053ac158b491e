/** What a checkpoint of a training run holds, and how it becomes files. */
import { decodeSafetensors, encodeSafetensors } from "../formats/safetensors.ts";
import type { Tensor } from "../ir/tensor.ts";
import type { Json } from "../models/model.ts";
import { CheckpointError } from "../util/errors.ts";

export interface Snapshot {
  /** Updates done. */
  readonly step: number;
  /** Weights ("params.x") and optimizer state ("opt.y"). */
  readonly state: ReadonlyMap<string, Tensor>;
  /** The best weights so far by held-out loss, where it is measured. */
  readonly best?: ReadonlyMap<string, Tensor>;
  readonly meta: Json;
}

/** Where a run's checkpoints live. */
export interface Checkpoints {
  save(snapshot: Snapshot): Promise<void>;
  /** The newest sound one; throws CheckpointError when there is none. */
  load(): Promise<Snapshot>;
}

/** A durable place for named files of one step: see `node/store`. */
export interface CheckpointStore {
  save(step: number, files: Readonly<Record<string, readonly Uint8Array[]>>, meta: Json): Promise<void>;
  load(): Promise<{ step: number; files: ReadonlyMap<string, Uint8Array>; meta: Json }>;
}

const STATE = "state.safetensors";
const BEST = "best.safetensors";

/**
 * Checkpoints over a store. `config` identifies the run: resuming with another one is refused, naming the
 * field.
 */
export const checkpointsIn = (store: CheckpointStore, config: Json): Checkpoints => ({
  save: ({ step, state, best, meta }) => {
    const files: Record<string, readonly Uint8Array[]> = { [STATE]: encodeSafetensors(state) };
    if (best !== undefined) files[BEST] = encodeSafetensors(best);
    return store.save(step, files, { progress: meta, config });
  },
  load: async () => {
    const { step, files, meta } = await store.load();
    const saved = meta as { progress: Json; config: Json };
    requireSame(saved.config, config, "");
    const read = (name: string) => decodeSafetensors(files.get(name)!, name).tensors;
    if (!files.has(STATE)) throw new CheckpointError("is missing from the checkpoint", { file: STATE });
    const best = files.has(BEST) ? { best: read(BEST) } : {};
    return { step, state: read(STATE), meta: saved.progress, ...best };
  },
});

const requireSame = (saved: Json, now: Json, path: string): void => {
  const plain = (x: Json): x is { [key: string]: Json } => typeof x === "object" && x !== null;
  if (plain(saved) && plain(now)) {
    for (const key of new Set([...Object.keys(saved), ...Object.keys(now)])) {
      requireSame(saved[key] ?? null, now[key] ?? null, path === "" ? key : `${path}.${key}`);
    }
  } else if (saved !== now) {
    throw new CheckpointError(
      `was ${JSON.stringify(saved)} in the checkpoint and is ${JSON.stringify(now)}`,
      {
        field: path,
        hint: "resume with the options of the run, or start another run directory",
      },
    );
  }
};
